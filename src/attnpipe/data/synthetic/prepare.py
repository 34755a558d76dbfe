"""A synthetic case as windows: every window is a sequence of its own."""

from pathlib import Path

import numpy as np

from attnpipe.data.dataset import SPLITS, SequenceDataset
from attnpipe.data.synthetic.cases import CASES
from attnpipe.schema.data import SyntheticData


def prepare(spec: SyntheticData, *, cache: Path) -> SequenceDataset:
    """Draw the windows of a case; nothing is read, and `cache` is not used.

    Test windows are independent draws: each is a unit of its own.
    """
    case, steps = CASES[spec.case], spec.window
    counts = (spec.train_windows, spec.validation_windows, spec.test_windows)
    total = sum(counts)
    x, y = case.draw(np.random.default_rng(spec.data_seed), total, steps)
    target = np.full(total * steps, np.nan, dtype=np.float32)
    ends = np.arange(steps - 1, total * steps, steps)
    target[ends] = y
    borders = np.cumsum(counts)[:-1]
    splits = dict(zip(SPLITS, np.split(ends, borders), strict=True))
    train = y[: counts[0]]
    probe = np.linspace(0, counts[1] - 1, spec.probe_samples).round().astype(np.int64)
    names = tuple(f"window {i}" for i in range(counts[2]))
    return SequenceDataset(
        features=x.reshape(total * steps, -1).astype(np.float32),
        target=target,
        trivial={"train_mean": np.full(total * steps, train.mean(), dtype=np.float32)},
        target_mean=float(train.mean()),
        target_scale=float(train.std()),
        window=steps,
        splits=splits,
        probe=splits["validation"][probe],
        halves=np.arange(spec.probe_samples) % 2,
        units=np.arange(counts[2]),
        unit_names=names,
        sequences=np.arange(counts[2]),
        sequence_names=names,
        description=_description(spec, x.shape[2]),
    )


def _description(spec: SyntheticData, features: int) -> dict[str, object]:
    case = CASES[spec.case]
    return {
        "name": spec.name,
        "source": {
            "generator": f"attnpipe.data.synthetic.cases:{spec.case}",
            "seed": spec.data_seed,
        },
        "case": spec.case,
        "right_diagnosis": case.answer,
        "because": case.why,
        "features": [{"name": f"x{i}", "unit": ""} for i in range(features)],
        "target": {"name": "y", "unit": "", "unit_kind": "window"},
        "step": {"value": 1.0, "unit": "steps"},
        "window": spec.window,
        "lead": 0,
        "splits": {
            "train": {"windows": spec.train_windows},
            "validation": {"windows": spec.validation_windows},
            "test": {"windows": spec.test_windows},
        },
    }
