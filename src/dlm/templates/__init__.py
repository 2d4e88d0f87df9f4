"""Documents to start from, as text files beside this module."""
