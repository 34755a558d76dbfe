"""What every interval goes by; apart, as reading it must not cost an import of scipy."""

NAN = float("nan")
CONFIDENCE = 0.95
"""Level of every interval, except that of the two one-sided tests."""
TOST_CONFIDENCE = 0.90
"""Level of the interval that lies inside ±margin exactly if two one-sided tests at 5 % say so."""
