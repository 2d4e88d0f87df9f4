"""Language without models: words, terms and sentences.

Pure functions of text. English is known best; other languages lose recall, never text.
"""
