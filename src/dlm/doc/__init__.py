"""The document: text to sections and back to small changes of that text."""
