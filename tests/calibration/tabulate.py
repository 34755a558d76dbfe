"""Verdicts of all groups → table of error rates: ``python -m tests.calibration.tabulate``.

Writes `tests/calibration/table.csv` from what `tests.calibration.train` left.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import binomtest
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.train import GROUP, RESULTS
from tests.calibration.verdicts import verdict

from attnpipe.io.tensors import open_tensors

TABLE = Path(__file__).parent / "table.csv"
SIZES = (3, 5, 10)
Group = dict[str, np.ndarray]


def groups(case: str, size: int) -> Iterator[Group]:
    """Yield disjoint groups of seeds: two of five and three of three in each ten, or all ten."""
    for path in sorted((RESULTS / case).glob("groups_*.safetensors")):
        with open_tensors(path, sealed=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.names}
        for ten in range(0, len(arrays["model"]), GROUP):
            for start in range(ten, ten + GROUP - size + 1, size):
                yield {name: array[start : start + size] for name, array in arrays.items()}


def judge(group: Group) -> str:
    """Return the name of the diagnosis of one group."""
    trivial = group.pop("trivial")
    return verdict(group, trivial[0]).diagnosis or ""


def row(case: str, size: int, names: Counter[str]) -> dict[str, object]:
    """Return one line of the table."""
    right = calibrated(case).right
    total = sum(names.values())
    correct = sum(names[name] for name in right)
    open_ = names["INCONCLUSIVE"]
    wrong = total - correct - open_
    return {
        "case": case,
        "seeds": size,
        "groups": total,
        "right": " or ".join(right[:1]),
        "correct": correct / total,
        "inconclusive": open_ / total,
        "wrong": wrong / total,
        "wrong_upper": float(binomtest(wrong, total).proportion_ci(method="exact").high),
        "wrong_names": ", ".join(
            f"{n}: {k}" for n, k in sorted(names.items()) if n not in (*right, "INCONCLUSIVE")
        ),
    }


def main() -> None:
    """Judge all groups of the cases named, and write their lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(NAMES))
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(args.workers) as pool:
        for case in args.cases:
            for size in SIZES:
                names = Counter(pool.map(judge, groups(case, size), chunksize=8))
                if names:
                    rows.append(row(case, size, names))
                    print(rows[-1], file=sys.stderr)
    new = pl.DataFrame(rows)
    if TABLE.exists():
        old = pl.read_csv(TABLE).filter(~pl.col("case").is_in(args.cases))
        new = pl.concat([old, new], how="vertical_relaxed")
    new.write_csv(TABLE, float_precision=4)


if __name__ == "__main__":
    main()
