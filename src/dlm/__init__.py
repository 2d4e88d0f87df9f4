"""dlm: one plain-text file becomes a local language model that its owner can keep improving."""

__version__ = "0.9.0"
