"""What the rules of the earlier documents say of the same cases.

``python -m tests.calibration.published``: one group of ten seeds per case, trained as for the
table of error rates; writes `tests/calibration/published.csv`. Each rule is applied as it was
published, to the weights it was applied to: profiles averaged over samples, rows of windows whose
only query is the last step.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from tests.calibration.batched import Pool, as_it_is, forward, load, stacked, train
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.train import group_of

from attnpipe.metrics.published import entropy_word, published_numbers, stability_word
from attnpipe.models.determinism import deterministic

TABLE = Path(__file__).parent / "published.csv"
ITEMS = 128
"""Validation windows whose rows are looked at, as the probe set of a study."""

Rows = Float[np.ndarray, "seed item key"]


def rows_of(name: str) -> Rows:
    """Return the trained weights of one group of ten seeds."""
    case = calibrated(name)
    data, seeds = group_of(case, 0)
    datasets = [data] * len(seeds)
    parts = {split: load(datasets, split) for split in ("train", "validation")}
    spec, training = case.variants["model"], case.study.spec.training
    assert training is not None
    start = stacked(spec, data.features.shape[1], data.window, seeds)
    params = train(spec, training, parts["train"], parts["validation"], seeds, start)
    kept: list[torch.Tensor] = []

    def look(weights: torch.Tensor, pool: Pool) -> torch.Tensor:
        kept.append(weights)
        return as_it_is(weights, pool)

    with torch.no_grad():
        forward(spec, params, parts["validation"].inputs[:, :ITEMS], look)
    return kept[0].double().numpy()


def entropy(rows: np.ndarray) -> np.ndarray:
    """Return the entropy of rows in nats; 0 ln 0 = 0."""
    return -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1.0)), 0.0).sum(-1)


def document_0(rows: Rows) -> str:
    """Entropy of the mean profile over ln T (> 0.95, > 0.85), cosine of profiles (< 0.9)."""
    profiles = rows.mean(1)
    h = np.mean([published_numbers(p, [])["profile_entropy_normalized"] for p in profiles])
    pairs = combinations(profiles / np.linalg.norm(profiles, axis=1, keepdims=True), 2)
    return f"{entropy_word(float(h))}, {stability_word(float(np.mean([a @ b for a, b in pairs])))}"


def document_1(rows: Rows) -> str:
    """Recent over distant weight > 2: keep recent steps; entropy > 2 nats: sample uniformly."""
    half = rows.shape[-1] // 2
    ratio = rows[..., half:].mean() / max(rows[..., :half].mean(), 1e-10)
    said = ["keep recent steps"] if ratio > 2.0 else []
    said += ["sample uniformly"] if entropy(rows).mean() > 2.0 else []
    return " and ".join(said) or "keep top-k"


def document_2(rows: Rows) -> str:
    """Entropy < 2 nats: focused, > 2.5: distributed; standard deviation < 0.01: not learning."""
    mean = rows.mean((0, 1))
    h = float(entropy(mean))
    word = "focused" if h < 2.0 else "distributed" if h > 2.5 else "neither"
    return word + (", not learning" if mean.std() < 0.01 else "")


def document_4(rows: Rows) -> str:
    """Mean standard deviation of rows < 0.03: uniform, < 0.05: appears uniform."""
    std = float(rows.std(-1).mean())
    return "uniform" if std < 0.03 else "appears uniform" if std < 0.05 else "sharp"


RULES = {
    "document_0": document_0, "document_1": document_1, "document_2": document_2,
    "document_4": document_4,
}  # fmt: skip


def main() -> None:
    """Train one group per case and write what each rule says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(NAMES))
    args = parser.parse_args()
    found = []
    for name in args.cases:
        with deterministic():
            rows = rows_of(name)
        found.append({"case": name, **{rule: of(rows) for rule, of in RULES.items()}})
    new = pl.DataFrame(found)
    if TABLE.exists():
        old = pl.read_csv(TABLE).filter(~pl.col("case").is_in(args.cases))
        new = pl.concat([old, new])
    order = pl.DataFrame({"case": list(NAMES)})
    order.join(new, on="case", how="inner", maintain_order="left").write_csv(TABLE)


if __name__ == "__main__":
    main()
