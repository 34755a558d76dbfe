"""Random tokens, said again and again: what comes next is known to whoever looks back."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

from attnpipe.data.dataset import SPLITS
from attnpipe.data.tokens import TokenDataset
from attnpipe.schema.data import InductionData


def prepare(spec: InductionData, *, cache: Path) -> TokenDataset:
    """Draw the sequences; nothing is read, and `cache` is not used.

    Each is a block of random tokens, all different, repeated to its end; the length of the
    block is drawn anew for every sequence, so that no fixed distance tells where to
    look (Olsson et al. 2022, In-context learning and induction heads, arXiv 2209.11895).
    """
    counts = (spec.train_windows, spec.validation_windows, spec.test_windows)
    rng = np.random.default_rng(spec.data_seed)
    tokens, scored = repeated(rng, sum(counts), spec.window, spec.vocabulary, *spec.period)
    borders = np.cumsum(counts)[:-1]
    splits = dict(zip(SPLITS, np.split(np.arange(sum(counts)), borders), strict=True))
    probe = np.linspace(0, counts[1] - 1, spec.probe_samples).round().astype(np.int64)
    return TokenDataset(
        tokens=tokens,
        scored=scored,
        vocabulary=spec.vocabulary,
        splits=splits,
        probe=splits["validation"][probe],
        halves=np.arange(spec.probe_samples) % 2,
        description=_description(spec),
    )


def repeated(
    rng: np.random.Generator, count: int, window: int, vocabulary: int, shortest: int, longest: int
) -> tuple[Int32[np.ndarray, "sequence place"], Bool[np.ndarray, "sequence query"]]:
    """Return sequences of ``window + 1`` tokens, and where the next one is a repetition.

    The token after the first of a second block is the first whose context was seen before.
    """
    period = rng.integers(shortest, longest, size=count, endpoint=True)[:, None]
    words = np.tile(np.arange(vocabulary, dtype=np.int32), (count, 1))
    block = rng.permuted(words, axis=1)[:, :longest]
    place = np.arange(window + 1)[None, :]
    return np.take_along_axis(block, place % period, axis=1), place[:, :-1] >= period


def _description(spec: InductionData) -> dict[str, object]:
    shortest, longest = spec.period
    return {
        "name": spec.name,
        "source": {"generator": "attnpipe.data.induction:repeated", "seed": spec.data_seed},
        "tokens": {"vocabulary": spec.vocabulary, "period": [shortest, longest]},
        "features": [{"name": "token", "unit": ""}],
        "target": {"name": "next token", "unit": "nats", "unit_kind": "sequence"},
        "step": {"value": 1.0, "unit": "tokens"},
        "window": spec.window,
        "lead": 0,
        "splits": {
            "train": {"windows": spec.train_windows},
            "validation": {"windows": spec.validation_windows},
            "test": {"windows": spec.test_windows},
        },
    }
