"""Mining: the answers of the document's own model, judged, become preference triples."""
