"""The preference phase: which of two answers is better, taught after what the answers are."""
