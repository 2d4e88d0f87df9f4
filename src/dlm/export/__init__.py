"""A version of a document, written for other programs, and asked there again.

`source` opens what is exported, `targets` names the forms, `check` asks the finished artefact. What
an artefact says of conversations, its template, is written in `template` alone.
"""
