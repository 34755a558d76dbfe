"""Verdicts of all groups → table of error rates: ``python -m tests.calibration.tabulate``.

Judges what `tests.calibration.train` left on this machine, adds it to what was judged before
(`tests/calibration/verdicts.csv`), and writes `tests/calibration/table.csv`; with ``--anew``, of
what is on this machine alone.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import binomtest
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.judging import judging
from tests.calibration.train import GROUP, RESULTS, VERDICTS, fingerprint, stored
from tests.calibration.verdicts import DELTA, verdict

from attnpipe.io.tensors import open_tensors

TABLE = Path(__file__).parent / "table.csv"
SIZES = (3, 5, 10)
DRAWN, NEAR = "recall at δ", "recall"
"""Benefit of exactly δ, made of the losses of another case."""
ARMS_DRAWN = ("none", "uniform")
"""Arms whose benefit is then exactly δ."""
NOT_BENEFICIAL = ("INCONCLUSIVE", "CONTENT-REDUNDANT")
"""What may be said where the benefit is exactly δ."""


@dataclass(frozen=True)
class Group:
    """Seeds that are judged together: losses by name, and metrics of each seed."""

    losses: dict[str, np.ndarray]
    looks: list[pl.DataFrame]


def groups(path: Path, size: int) -> Iterator[Group]:
    """Yield disjoint groups of seeds: two of five and three of three in each ten, or all ten."""
    with open_tensors(path, sealed=False) as file:
        arrays = {name: file[name].astype(np.float64) for name in file.names}
    of_seed = pl.read_parquet(path.with_suffix(".parquet")).partition_by(
        "seed", maintain_order=True
    )
    for ten in range(0, len(arrays["model"]), GROUP):
        for start in range(ten, ten + GROUP - size + 1, size):
            part = slice(start, start + size)
            yield Group({n: array[part] for n, array in arrays.items()}, of_seed[part])


def to_margin(paths: Sequence[Path], delta: float = DELTA) -> dict[str, float]:
    """Return arm → factor on what it loses against the model at which that is δ of the skill.

    Over *all* seeds and items of all chunks. A factor of each chunk would take the truth of few
    groups from these groups themselves, and with it a part of their deviation from it.
    """
    seeds, sums = 0, Counter[str]()
    for path in paths:
        with open_tensors(path, sealed=False) as file:
            for name in ("model", "trivial", *ARMS_DRAWN):
                of = file[name].astype(np.float64)
                sums[name] += float(of.mean(1).sum())
            seeds += len(of)
    mean = {name: total / seeds for name, total in sums.items()}
    wanted = delta * (mean["trivial"] - mean["model"])
    return {arm: wanted / (mean[arm] - mean["model"]) for arm in ARMS_DRAWN}


def at_margin(path: Path, size: int, factors: Mapping[str, float]) -> Iterator[Group]:
    """Yield groups of `recall` as they would be if its benefit were exactly δ.

    Losses of both arms are drawn towards the model's by the `factors` of `to_margin`: the spread
    between seeds and items stays what training made it, in proportion. Whoever says BENEFICIAL of
    more than 1 in 40 such groups errs too often.
    """
    for group in groups(path, size):
        of = group.losses
        drawn = {a: of["model"] + f * (of[a] - of["model"]) for a, f in factors.items()}
        yield Group(of | drawn, group.looks)


def judge(group: Group) -> str:
    """Return the name of the diagnosis of one group."""
    losses = {name: of for name, of in group.losses.items() if name != "trivial"}
    return verdict(losses, group.losses["trivial"][0], group.looks).diagnosis or ""


def row(case: str, size: int, names: Counter[str]) -> dict[str, object]:
    """Return one line of the table."""
    right = NOT_BENEFICIAL if case == DRAWN else calibrated(case).right
    total = sum(names.values())
    wrong = total - sum(n for name, n in names.items() if name in (*right, "INCONCLUSIVE"))
    return {
        "case": case,
        "seeds": size,
        "groups": total,
        "right": right[0],
        "correct": sum(names[name] for name in right) / total,
        "inconclusive": names["INCONCLUSIVE"] / total,
        "wrong": wrong / total,
        "wrong_upper": float(binomtest(wrong, total).proportion_ci(method="exact").high),
        "beneficial": names["CONTENT-BENEFICIAL"] / total,
        "verdicts": ", ".join(f"{n}: {k}" for n, k in names.most_common()),
    }


def judged(case: str, pool: ProcessPoolExecutor) -> Iterator[dict[str, object]]:
    """Yield how often each name was given, chunk by chunk of those on this machine."""
    of = NEAR if case == DRAWN else case
    trained = fingerprint(calibrated(of))
    here = [
        path
        for path in sorted((RESULTS / of).glob("groups_*.safetensors"))
        if _trained_by(path) == trained
    ]
    made = partial(at_margin, factors=to_margin(here)) if case == DRAWN and here else groups
    found = {
        (path, size): pool.map(judge, made(path, size), chunksize=2)
        for path in here
        for size in SIZES
    }
    for (path, size), names in found.items():
        for name, count in sorted(Counter(names).items()):
            yield {"case": case, "chunk": path.stem, "seeds": size, "diagnosis": name,
                   "groups": count, "trained": trained, "judged": judging()}  # fmt: skip


def _trained_by(path: Path) -> object:
    with open_tensors(path, sealed=False) as file:
        return file.document["fingerprint"]


def main() -> None:
    """Judge the chunks that are here, keep the verdicts, and make the table of all that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[*NAMES, DRAWN])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--anew", action="store_true", help="without verdicts of before")
    args = parser.parse_args()
    kept = stored().clear() if args.anew else stored()
    # Polars has threads: a forked process would wait for them for ever.
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for case in args.cases:
            new = pl.DataFrame(list(judged(case, pool)), schema=kept.schema)
            key = ["case", "chunk"]
            kept = pl.concat([kept.join(new, on=key, how="anti"), new])
            print(case, new["groups"].sum(), "groups judged", file=sys.stderr)
    order = pl.col("case").replace_strict({c: i for i, c in enumerate([*NAMES, DRAWN])})
    kept = kept.filter(current(kept)).sort(order, "chunk", "seeds", "diagnosis")
    kept.write_csv(VERDICTS)
    if older := int(kept.filter(~pl.col("judged").eq_missing(judging()))["groups"].sum()):
        print(f"{older} groups keep verdicts of other judging code: their losses are not here; "
              "--anew trains and judges them again", file=sys.stderr)  # fmt: skip
    rows = []
    for (case, size), of in kept.group_by("case", "seeds", maintain_order=True):
        names = Counter(dict(of.group_by("diagnosis").agg(pl.col("groups").sum()).iter_rows()))
        rows.append(row(str(case), int(str(size)), names))
    pl.DataFrame(rows).sort(order, "seeds").write_csv(TABLE, float_precision=4)


def current(kept: pl.DataFrame) -> pl.Series:
    """Whether verdicts rest on what the code and config of now would train."""
    of = {
        case: fingerprint(calibrated(NEAR if case == DRAWN else case)) for case in [*NAMES, DRAWN]
    }
    return kept.select(
        pl.col("trained") == pl.col("case").replace_strict(of, default=None)
    ).to_series()


if __name__ == "__main__":
    main()
