"""Verdicts of all groups → table of error rates: ``python -m tests.calibration.tabulate``.

Writes `tests/calibration/table.csv` from what `tests.calibration.train` left.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import binomtest
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.train import GROUP, RESULTS
from tests.calibration.verdicts import DELTA, verdict

from attnpipe.io.tensors import open_tensors

TABLE = Path(__file__).parent / "table.csv"
SIZES = (3, 5, 10)
MARGIN, NEAR = "margin", "recall"
"""Benefit of exactly δ, made of the losses of another case."""
NOT_BENEFICIAL = ("INCONCLUSIVE", "CONTENT-REDUNDANT")
"""What may be said where the benefit is exactly δ."""
Group = dict[str, np.ndarray]


def groups(case: str, size: int) -> Iterator[Group]:
    """Yield disjoint groups of seeds: two of five and three of three in each ten, or all ten."""
    for path in sorted((RESULTS / case).glob("groups_*.safetensors")):
        with open_tensors(path, sealed=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.names}
        for ten in range(0, len(arrays["model"]), GROUP):
            for start in range(ten, ten + GROUP - size + 1, size):
                yield {name: array[start : start + size] for name, array in arrays.items()}


def at_margin(delta: float = DELTA) -> Callable[[Group], Group]:
    """Return what makes of a group of `recall` one whose arms are better by exactly δ less.

    Losses of both arms are drawn towards the model's, by one factor each for all seeds and
    items, so that over *all* seeds the mean loss of either lies δ of the skill above it: the
    spread between seeds and items stays what training made it, in proportion. Whoever says
    BENEFICIAL of more than 1 in 40 such groups errs too often.
    """
    whole = list(groups(NEAR, GROUP))
    model, trivial = (np.concatenate([g[n] for g in whole]).mean() for n in ("model", "trivial"))
    wanted = delta * (trivial - model)
    factors = {
        arm: wanted / (np.concatenate([g[arm] for g in whole]).mean() - model)
        for arm in ("none", "uniform")
    }

    def change(group: Group) -> Group:
        own = group["model"]
        return group | {a: own + f * (group[a] - own) for a, f in factors.items()}

    return change


def judge(group: Group) -> str:
    """Return the name of the diagnosis of one group."""
    trivial = group.pop("trivial")
    return verdict(group, trivial[0]).diagnosis or ""


def row(case: str, size: int, names: Counter[str], right: Sequence[str]) -> dict[str, object]:
    """Return one line of the table."""
    total = sum(names.values())
    correct = sum(names[name] for name in right)
    open_ = names["INCONCLUSIVE"]
    wrong = total - sum(n for name, n in names.items() if name in (*right, "INCONCLUSIVE"))
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


def _made(case: str, size: int) -> Iterator[Group]:
    if case != MARGIN:
        return groups(case, size)
    return map(at_margin(), groups(NEAR, size)) if any(groups(NEAR, GROUP)) else iter(())


def main() -> None:
    """Judge all groups of the cases named, and write their lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[*NAMES, MARGIN])
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(args.workers) as pool:
        for case in args.cases:
            for size in SIZES:
                names = Counter(pool.map(judge, _made(case, size), chunksize=8))
                if names:
                    right = NOT_BENEFICIAL if case == MARGIN else calibrated(case).right
                    rows.append(row(case, size, names, right))
                    print(rows[-1], file=sys.stderr)
    new = pl.DataFrame(rows)
    if TABLE.exists():
        old = pl.read_csv(TABLE).filter(~pl.col("case").is_in(args.cases))
        new = pl.concat([old, new], how="vertical_relaxed")
    new.write_csv(TABLE, float_precision=4)


if __name__ == "__main__":
    main()
