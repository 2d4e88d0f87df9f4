"""The notes as something to look things up in: passages, and which of them may answer a question.

Pure: a document in, passages out. Knows no model and no store.
"""

from dlm.index.passages import Passage, PassageKind, Sentence, passages
from dlm.index.search import Found, Index, Quote

__all__ = ["Found", "Index", "Passage", "PassageKind", "Quote", "Sentence", "passages"]
