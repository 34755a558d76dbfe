"""Train every seed of every case, and keep what verdicts rest on.

``python -m tests.calibration.train`` is resumable: a chunk of seeds that is on disk, or whose
verdicts are kept, made by the same code and config, is not made again; with ``--anew``, kept
verdicts do not count, so that a fresh clone trains everything. Results lie in
``results/calibration/<case>/``; `tests.calibration.tabulate` makes the table of them.
"""

import argparse
import hashlib
import inspect
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from tests.calibration import batched, causal
from tests.calibration import seen as seen_module
from tests.calibration.batched import load, losses, stacked, train
from tests.calibration.cases import NAMES, Calibrated, calibrated
from tests.calibration.causal import interventions
from tests.calibration.seen import seen

from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.synthetic import cases as generators
from attnpipe.data.synthetic.prepare import prepare
from attnpipe.io.parquet import write_table
from attnpipe.io.tensors import open_tensors, write_tensors
from attnpipe.models.determinism import deterministic
from attnpipe.pipeline.sources import source_hash
from attnpipe.tables.metrics import METRICS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "calibration"
VERDICTS = Path(__file__).parent / "verdicts.csv"
"""How often each diagnosis was given, by case, chunk and number of seeds."""
GROUP = 10
"""Seeds that share a dataset, as the seeds of a study do: two groups of five, one of ten."""
AT_ONCE = 5
"""Groups of a chunk, that is of a file."""
GROUPS = {"marker": 50}
"""Groups of ten of a case; 100 of the others."""


def group_of(case: Calibrated, number: int) -> tuple[SequenceDataset, list[int]]:
    """Return the data and the seeds of one group of ten."""
    spec = case.study.spec.data.model_copy(update={"data_seed": number})
    return prepare(spec, cache=ROOT), list(range(GROUP * number, GROUP * (number + 1)))  # type: ignore[arg-type]


def fingerprint(case: Calibrated) -> str:
    """Return a hash of all that decides a chunk: the case's config, and the code that trains it.

    The package's own training is not in it: a test holds the stacked one to that.
    """
    code = (batched, causal, seen_module, generators, group_of, chunk)
    parts = [source_hash(inspect.getsource(part)) for part in code]
    parts += [case.study.spec.model_dump_json(include={"data", "models", "training"})]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def chunk(
    case: Calibrated, numbers: list[int], device: str = "cpu"
) -> tuple[dict[str, np.ndarray], pl.DataFrame]:
    """Return losses of the test items of some groups, and what attention looks at.

    Losses: name → ``[seed, item]``, natural units; metrics as `tables.METRICS`.
    """
    groups = [group_of(case, number) for number in numbers]
    datasets = [data for data, seeds in groups for _ in seeds]
    seeds = [seed for _, of in groups for seed in of]
    splits = {name: load(datasets, name, device) for name in ("train", "validation", "test")}
    scale = np.array([data.target_scale for data in datasets])[:, None] ** 2
    training = case.study.spec.training
    assert training is not None
    found: dict[str, np.ndarray] = {}
    looks = METRICS.frame()
    for name, spec in case.variants.items():
        features, window = datasets[0].features.shape[1], datasets[0].window
        start = stacked(spec, features, window, seeds)
        params = train(spec, training, splits["train"], splits["validation"], seeds, start)
        with torch.no_grad():
            found[name] = losses(spec, params, splits["test"]).cpu().numpy() * scale
            if name == "model":
                samples = case.study.spec.intervention.mean_samples
                acted = interventions(spec, params, splits["train"], splits["test"], samples)
                found |= {code: loss.cpu().numpy() * scale for code, loss in acted.items()}
                checkpoints = {"untrained": start, "best": params}
                looks = seen(spec, checkpoints, datasets, seeds, case.study.spec.analysis.metrics)
    # The training mean is 0 in scaled units.
    found["trivial"] = splits["test"].targets.cpu().numpy() ** 2 * scale
    return {name: array.astype(np.float32) for name, array in found.items()}, looks


def stored() -> pl.DataFrame:
    """Return the verdicts that were given so far, wherever the losses are.

    ``trained`` and ``judged`` say by which code: `fingerprint` and `judging.judging`; the latter
    is null of verdicts older than the column.
    """
    schema = {
        "case": pl.String, "chunk": pl.String, "seeds": pl.Int64, "diagnosis": pl.String,
        "groups": pl.Int64, "trained": pl.String, "judged": pl.String,
    }  # fmt: skip
    return (
        pl.read_csv(VERDICTS, schema=schema) if VERDICTS.exists() else pl.DataFrame(schema=schema)
    )


def made(path: Path, document: dict[str, object], *, anew: bool = False) -> bool:
    """Whether a chunk is there or judged, made by the code and config of now.

    With `anew` it must be there: that its verdicts are kept is not enough.
    """
    same = pl.col("trained") == document["fingerprint"]
    if not anew and stored().filter(same, case=path.parent.name, chunk=path.stem).height:
        return True
    if not path.exists():
        return False
    with open_tensors(path, sealed=False) as file:
        return file.document == document


def pending(name: str, groups: int, *, anew: bool) -> list[list[int]]:
    """Return the groups of the chunks that are to be made."""
    trained = fingerprint(calibrated(name))
    chunks = [list(range(n, min(n + AT_ONCE, groups))) for n in range(0, groups, AT_ONCE)]
    return [c for c in chunks if not made(file_of(name, c), document(name, c, trained), anew=anew)]


def file_of(name: str, numbers: list[int]) -> Path:
    """Return where the losses of a chunk lie."""
    return RESULTS / name / f"groups_{numbers[0]:03d}_{numbers[-1]:03d}.safetensors"


def document(name: str, numbers: list[int], trained: str) -> dict[str, object]:
    """Return what a chunk says of itself."""
    return {"case": name, "groups": numbers, "fingerprint": trained}


def make(name: str, chunks: list[list[int]], device: str) -> None:
    """Train chunks together and store each."""
    case = calibrated(name)
    numbers = [number for of in chunks for number in of]
    arrays, looks = chunk(case, numbers, device)
    group = np.repeat(numbers, GROUP)
    for of in chunks:
        path, rows = file_of(name, of), np.isin(group, of)
        path.parent.mkdir(parents=True, exist_ok=True)
        own = looks.filter((pl.col("seed") // GROUP).is_in(of))
        write_table(path.with_suffix(".parquet"), own, METRICS)
        kept = {key: array[rows] for key, array in arrays.items()}
        write_tensors(path, kept, document(name, of, fingerprint(case)))


def main() -> None:
    """Make all chunks that are not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(NAMES))
    parser.add_argument("--groups", type=int, help="groups of ten, for a trial")
    parser.add_argument("--anew", action="store_true", help="also what was judged elsewhere")
    parser.add_argument("--device", default="cpu", help="as torch names it: cuda takes minutes")
    parser.add_argument("--chunks", type=int, default=1, help="trained together: 1 takes 1 GB")
    args = parser.parse_args()
    with deterministic():
        for name in args.cases:
            todo = pending(name, args.groups or GROUPS.get(name, 100), anew=args.anew)
            for begin in range(0, len(todo), args.chunks):
                start = time.monotonic()
                together = todo[begin : begin + args.chunks]
                make(name, together, args.device)
                print(f"{name} {together}: {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
