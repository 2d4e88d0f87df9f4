"""A document with its store, and its base if wanted, as one file that can be checked and unpacked.

`layout` says what a pack may hold, `reading` checks one, `writing` makes one, `unpacking` puts one
in place. A pack comes from elsewhere: nothing in it is believed before it was checked.
"""
