"""Train every seed of every case, and keep what verdicts rest on.

``python -m tests.calibration.train`` is resumable: a chunk of seeds that is on disk is not made
again. Results lie in ``results/calibration/<case>/``; `tests.calibration.tabulate` makes the
table of them.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tests.calibration.batched import Data, load, losses, stacked, train
from tests.calibration.cases import NAMES, Calibrated, calibrated
from tests.calibration.causal import interventions

from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.synthetic.prepare import prepare
from attnpipe.io.tensors import write_tensors

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "calibration"
GROUP = 10
"""Seeds that share a dataset, as the seeds of a study do: two groups of five, one of ten."""
AT_ONCE = 5
"""Groups trained together."""
GROUPS = {"marker": 30}
"""Groups of ten of a case; 100 of the others."""


def group_of(case: Calibrated, number: int) -> tuple[SequenceDataset, list[int]]:
    """Return the data and the seeds of one group of ten."""
    spec = case.study.spec.data.model_copy(update={"data_seed": number})
    return prepare(spec, cache=ROOT), list(range(GROUP * number, GROUP * (number + 1)))  # type: ignore[arg-type]


def chunk(case: Calibrated, numbers: list[int]) -> dict[str, np.ndarray]:
    """Return losses of the test items of some groups: name → ``[seed, item]``, natural units."""
    groups = [group_of(case, number) for number in numbers]
    datasets = [data for data, seeds in groups for _ in seeds]
    seeds = [seed for _, of in groups for seed in of]
    splits = {name: load(datasets, name) for name in ("train", "validation", "test")}
    scale = np.array([data.target_scale for data in datasets])[:, None] ** 2
    training = case.study.spec.training
    assert training is not None
    found: dict[str, np.ndarray] = {}
    for name, spec in case.variants.items():
        features, window = datasets[0].features.shape[1], datasets[0].window
        start = stacked(spec, features, window, seeds)
        params = train(spec, training, splits["train"], splits["validation"], seeds, start)
        with torch.no_grad():
            found[name] = losses(spec, params, splits["test"]).numpy() * scale
            if name == "model":
                samples = case.study.spec.intervention.mean_samples
                acted = interventions(spec, params, splits["train"], splits["test"], samples)
                found |= {code: loss.numpy() * scale for code, loss in acted.items()}
    found["trivial"] = _trivial(splits["test"], datasets) * scale
    return {name: array.astype(np.float32) for name, array in found.items()}


def _trivial(test: Data, datasets: list[SequenceDataset]) -> np.ndarray:
    """Return squared errors of the training mean, which is 0 in scaled units."""
    squared: np.ndarray = test.targets.numpy() ** 2
    return squared


def main() -> None:
    """Make all chunks that are not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(NAMES))
    parser.add_argument("--groups", type=int, help="groups of ten, for a trial")
    args = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    for name in args.cases:
        case = calibrated(name)
        groups = args.groups or GROUPS.get(name, 100)
        for begin in range(0, groups, AT_ONCE):
            numbers = list(range(begin, min(begin + AT_ONCE, groups)))
            path = RESULTS / name / f"groups_{numbers[0]:03d}_{numbers[-1]:03d}.safetensors"
            if path.exists():
                continue
            start = time.process_time()
            arrays = chunk(case, numbers)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(path, arrays, {"case": name, "groups": numbers})
            print(f"{name} {numbers}: {time.process_time() - start:.0f} CPU-s", file=sys.stderr)


if __name__ == "__main__":
    main()
