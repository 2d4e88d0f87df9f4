"""Rounds of improvement: a teacher writes, a challenger is trained, an exam decides."""
