"""The report: what a document's model knows, as one page of HTML that stands on its own."""
