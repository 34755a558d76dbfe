"""What every interval goes by; apart, as reading it must not cost an import of scipy."""

NAN = float("nan")
CONFIDENCE = 0.95
"""Level of every interval, except the 90 % one of the two one-sided tests."""
