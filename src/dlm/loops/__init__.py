"""The loops that improve a document: each plans edits, and none applies one by itself."""
