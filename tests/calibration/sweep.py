"""How often gates err where the truth is set: ``python -m tests.calibration.sweep``.

Effects of seeds are drawn around a known mean, in units of δ, with a known spread, from the
distribution of real ones; units carry what is left of real effects, scaled to a quarter of δ.
Real are those of equal weights on `recall`, trained anew (for arms) and put in (for
interventions), seed by seed and window by window, and so are the losses they add to (gates of
interventions look at the ratio, too): those of `SOURCE`, kept in
`tests/calibration/effect.safetensors`; ``--anew`` takes them from what `tests.calibration.train`
left of it. Writes `tests/calibration/sweep.csv`.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.diagnosis.gates import margin_gate, use_gate
from attnpipe.diagnosis.schema import Evidence, Status
from attnpipe.io.tensors import open_tensors, read_tensors, write_tensors
from attnpipe.stats.confidence import TOST_CONFIDENCE
from attnpipe.stats.log_of_means import log_of_means
from attnpipe.stats.two_way import two_way_mean

HERE = Path(__file__).parent
STORED, TABLE = HERE / "effect.safetensors", HERE / "sweep.csv"
SOURCE = Path("recall") / "groups_000_004.safetensors"
"""Whose effects are drawn: the first five groups of ten of `recall`, below `train.RESULTS`."""
DELTA, GROUPS = 0.02, 2_000
MEANS, SDS, SIZES = (0.0, 1.0, 2.0), (0.25, 0.5, 1.0, 2.0), (3, 5, 10)
LOSS = "loss"
SEEDS, ITEMS = 40, 100
"""How much of the real effects is stored."""
GATES: Mapping[str, tuple[str, Callable[[Evidence, float], Status]]] = {
    "arm": ("R1", margin_gate), "intervention": ("E2", use_gate),
}  # fmt: skip


def stored() -> dict[str, np.ndarray]:
    """Return code → effects ``[seed, item]``, in units of skill; and `LOSS`, the model's own."""
    return {
        code: of.astype(np.float64) for code, of in read_tensors(STORED, sealed=False)[0].items()
    }


def answers(
    effect: np.ndarray, loss: np.ndarray, gate: str, mean: float, sd: float, n: int
) -> dict[str, float]:
    """Return the share of each answer of a gate over many groups of n seeds.

    Parameters
    ----------
    effect
        Real effects ``[seed, item]``.
    loss
        Of the model, likewise.
    gate
        ``arm`` or ``intervention``.
    mean, sd
        Of the seeds' true effects, in units of δ.
    n
        Seeds of a group.
    """
    judge, frozen = GATES[gate][1], gate == "intervention"
    by_seed = effect.mean(1)
    spread = (by_seed - by_seed.mean()) / by_seed.std()
    rest = effect - effect.mean(1, keepdims=True)
    rest *= np.sqrt(rest.shape[1]) * DELTA / 4 / rest.mean(0).std(ddof=1)
    rng = np.random.default_rng([int(1000 * mean), int(1000 * sd), n])
    count: dict[str, int] = {}
    for _ in range(GROUPS):
        seeds = rng.choice(len(rest), n, replace=False)
        units = rng.integers(0, rest.shape[1], rest.shape[1])
        drawn = DELTA * (mean + sd * rng.choice(spread, n))
        added, own = drawn[:, None] + rest[seeds][:, units], loss[seeds][:, units]
        found = two_way_mean(added)
        (lo, hi), (lo90, hi90) = found.interval(), found.interval(TOST_CONFIDENCE)
        evidence = Evidence(
            id="x", table="x", row={}, estimate=found.value, lo95=lo, hi95=hi, n_seeds=n,
            facts={"lo90": lo90, "hi90": hi90} | (_by_ratio(own, added) if frozen else {}),
        )  # fmt: skip
        status = judge(evidence, DELTA)
        count[status] = count.get(status, 0) + 1
    return {status: k / GROUPS for status, k in count.items()}


def _by_ratio(loss: np.ndarray, added: np.ndarray) -> dict[str, float | None]:
    """Return what gates ask of the ratio of losses; none of losses below 0."""
    low, _ = log_of_means(loss + added, loss).interval()
    at = float(np.log1p(DELTA / loss.mean()))
    known = low if np.isfinite(low) else None
    return {"log_of_means_lo95": known, "log_of_means_margin": at, "margin": DELTA}


def store(folder: Path) -> None:
    """Keep the real effects of some seeds and windows of `SOURCE`, and by what it was trained.

    Raises
    ------
    UserError
        It was not trained on this machine.
    """
    if not (folder / SOURCE).exists():
        raise UserError(
            f"{folder / SOURCE} does not exist: python -m tests.calibration.train recall --groups "
            "5 --anew makes it, and without --anew the stored effects are used."
        )
    with open_tensors(folder / SOURCE, sealed=False) as file:
        trained = file.document["fingerprint"]
        loss = {
            name: file[name].astype(np.float64) for name in ("model", "uniform", "E2", "trivial")
        }
    skilled = (loss["trivial"] - loss["model"]).mean()
    found = {
        code: ((loss[name] - loss["model"]) / skilled)[:SEEDS, :ITEMS].astype(np.float32)
        for code, name in (("R1", "uniform"), ("E2", "E2"))
    } | {LOSS: (loss["model"] / skilled)[:SEEDS, :ITEMS].astype(np.float32)}
    document = {"source": str(SOURCE), "trained": trained, "unit": "of the mean skill"}
    write_tensors(STORED, found, document)


def main() -> None:
    """Write the table."""
    from tests.calibration.train import RESULTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anew", action="store_true", help="take the real effects anew")
    if parser.parse_args().anew:
        try:
            store(RESULTS)
        except UserError as error:
            sys.exit(str(error))
    effects, rows = stored(), []
    for gate, n, sd, mean in product(GATES, SIZES, SDS, MEANS):
        found = answers(effects[GATES[gate][0]], effects[LOSS], gate, mean, sd, n)
        shares = {status: found.get(status, 0.0) for status in ("YES", "NO", "HARM")}
        rows.append({"gate": gate, "seeds": n, "sd": sd, "mean": mean, **shares})
    pl.DataFrame(rows).write_csv(TABLE, float_precision=4)


if __name__ == "__main__":
    main()
