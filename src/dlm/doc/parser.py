"""The names by which editors and evaluation tools read a document."""

from dlm.doc.document import Document, parse_bytes, parse_file, parse_text

__all__ = ["Document", "parse_bytes", "parse_file", "parse_text"]
