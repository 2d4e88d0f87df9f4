"""Language without models: words, terms, sentences, near-duplicates, and what a model wrote.

Pure functions of text. English is known best; other languages lose recall, never text.
"""
