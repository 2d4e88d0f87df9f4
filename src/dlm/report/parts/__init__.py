"""The parts of the page, one module each: from facts to HTML."""
