"""What the row pass costs in C, in numba, by torch.compile, and in torch and numpy.

    python benchmarks/kernels.py

writes `benchmarks/kernels.json`, which `benchmarks/capture.py` puts into the page on
performance. CPU time per weight of one causal head, scores ready; least of seven runs, one
thread. C and torch with numpy are attnpipe's engines, which do everything; what is written in
numba and for torch.compile does a part of it, with ranks (a sort) and without. numba is installed
into an environment of its own.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from benchmarks.capturing.environment import environment, machine, one_thread

from attnpipe.attention.kernel.engine import Engine, make_engine
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import Layout
from attnpipe.schema.analysis import MetricsSpec

ROOT = Path(__file__).parents[1]
LENGTHS = (1024, 2048, 4096)
LAYOUT = Layout(MetricsSpec())


def blocks(length: int, step: int, work: Callable[[torch.Tensor, int, int], None]) -> float:
    """Return ns per weight of some work on blocks of scores."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(length, 64, generator=generator) for _ in range(2))
    spent = 0
    for start in range(0, length, step):
        stop = min(start + step, length)
        scores = q[start:stop] @ k[:stop].T / 8
        begin = time.process_time_ns()
        work(scores, start, stop)
        spent += time.process_time_ns() - begin
    return spent / (length * (length + 1) / 2)


def engine_ns(engine: Engine, length: int) -> float:
    """Return ns per weight of one of attnpipe's engines."""
    sums = Sums.empty(LAYOUT.columns, length, length)

    def work(scores: torch.Tensor, start: int, stop: int) -> None:
        first, last = np.zeros(stop - start, np.int32), np.arange(start + 1, stop + 1)
        counted = np.ones(stop - start, bool)
        engine.rows(scores, first, last.astype(np.int32), counted, low=0, query=start, sums=sums)

    return blocks(length, engine.block_rows, work)


def statistics(
    scores: torch.Tensor, hidden: torch.Tensor, place: torch.Tensor, ranks: bool
) -> list[torch.Tensor]:
    """Return what numba's rows compute, but the sums over lags."""
    scores = scores.masked_fill(hidden, -torch.inf)
    largest, peak = scores.max(-1, keepdim=True)
    depth = scores - largest
    e = depth.exp()
    total = e.sum(-1, keepdim=True)
    p = e / total
    lag = place - peak
    quarter = p.cumsum(-1)
    ranked = []
    if ranks:
        ascending = p.sort(-1).values
        ranked = [(ascending * (place + 1)).sum(-1), ascending[:, -20:].flip(-1).cumsum(-1)]
    return [
        p,
        *ranked,
        total.log()[:, 0] - (p * depth.clamp(min=-87)).sum(-1),
        (p * p).sum(-1),
        (p * lag).sum(-1),
        (p * lag * lag).sum(-1),
        quarter,
        p.sum(0),
    ]


def compiled_ns(function: Callable[..., list], length: int, ranks: bool) -> float:
    """Return ns per weight of a compiled function."""

    def work(scores: torch.Tensor, start: int, stop: int) -> None:
        place = torch.arange(stop, dtype=torch.float32)
        hidden = torch.arange(stop) > torch.arange(start, stop)[:, None]
        function(scores, hidden, place, ranks)

    return blocks(length, 96, work)


def main() -> None:
    """Measure all, and write the figures."""
    torch.set_num_threads(1)
    begin = time.perf_counter()
    native = make_engine(LAYOUT, "native")
    engine_ns(native, 200)
    found = {"C": {"compile": time.perf_counter() - begin}}
    found["torch and numpy"] = {"compile": 0.0}
    begin = time.perf_counter()
    function = torch.compile(statistics, dynamic=True)
    compiled_ns(function, 500, True)
    found["torch.compile"] = {"compile": time.perf_counter() - begin}
    begin = time.perf_counter()
    compiled_ns(function, 500, False)
    found["torch.compile, without ranks"] = {"compile": time.perf_counter() - begin}
    least = {
        "C": lambda n: engine_ns(native, n),
        "torch and numpy": lambda n: engine_ns(make_engine(LAYOUT, "array"), n),
        "torch.compile": lambda n: compiled_ns(function, n, True),
        "torch.compile, without ranks": lambda n: compiled_ns(function, n, False),
    }
    for name, ns in least.items():
        found[name]["ns"] = {str(n): min(ns(n) for _ in range(7)) for n in LENGTHS}
    worker = subprocess.run(
        [environment("numba"), "-m", "benchmarks.capturing.numba_rows", *map(str, LENGTHS)],
        check=True, capture_output=True, text=True, cwd=ROOT, env=one_thread(),
    )  # fmt: skip
    found["numba"], found["numba, without ranks"] = json.loads(worker.stdout)
    text = json.dumps({"machine": machine()["processor"], **found}, indent=1)
    (ROOT / "benchmarks" / "kernels.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
