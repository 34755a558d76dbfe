"""The functions of the table of coverage are tested: `benchmarks` lies beside `tests`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
