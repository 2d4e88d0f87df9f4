"""Text that stands outside the document: files to import once, and folders that train beside it.

Files in, values out; nothing here writes. Knows no lessons, no store and no model.
"""
