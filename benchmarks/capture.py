"""What observing attention costs, beside a plain forward pass: time and memory.

    python benchmarks/capture.py [--rounds 5] [--without-lens]
                                 [--small | --memory | --times | --check]

writes `benchmarks/capture.json` and `docs/performance.md`. Every method is a process of its
own, one thread each; all of them take turns in each round, so that a slow moment of the
machine is shared. A ratio is CPU time over that of the forward pass alone in the same round:
the median over rounds, with the least and the largest.

Times of several processors stand side by side; a run replaces those of its own.
`--memory` measures memory anew and keeps the times, `--times` the other way round;
`--check` measures nothing: it fails if what was measured exceeds a limit
(`benchmarks/capturing/limits.py`).
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.capturing.environment import environment, machine, one_thread
from benchmarks.capturing.limits import FUSED, LIBRARIES, exceeded
from benchmarks.capturing.model import save
from benchmarks.capturing.page import page

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "capture.json"
SDPA = "sdpa"
FOLDS = "plain folds"
EAGER = ("eager", "eager, vectorized metrics", "eager, scipy row by row")
TIMES = {1024: 2, 2048: 2, 4096: 1}
"""Tokens → layers."""
MEMORY = (2048, 4096, 8192, 16384)
DEPTH = 12
"""Layers of GPT-2: the plain pass holds one layer at a time, folds are kept of every layer."""
DEEP = {2048: (SDPA, *FUSED), 16384: FUSED[:1]}
"""Tokens → methods whose memory is measured at that depth."""
SLOW = ("eager, scipy row by row", FOLDS, "eager, vectorized metrics", "lens")
"""They run once."""
HOLDING = (*EAGER[1:], "lens")
"""Methods that hold all weights and run once: their memory is that of the timed pass, where the
heap is the usual one. Holes do not matter beside the weights, and giving back takes long."""
AGREE = 2e-3
"""Largest relative difference between any metric of two methods."""
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**28), "MALLOC_TRIM_THRESHOLD_": str(2**29)}
"""Where time is measured, the heap keeps freed blocks, as in jobs of the pipeline: else a pass
takes .1 to .2 s more whenever the heap happened to give them back after the one before."""
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Where memory is measured, the heap gives freed blocks back: else its holes are measured, too."""


class Worker:
    """A process that runs one method when asked."""

    def __init__(
        self,
        python: str,
        method: str,
        folder: str,
        layers: int,
        length: int,
        settings: Mapping[str, str],
    ) -> None:
        self.method = method
        given = [method, folder, str(layers), str(length)]
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.capturing.worker", *given],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env=one_thread() | settings, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._read()

    def run(self) -> dict[str, Any]:
        """Run once; return seconds, peak and summary."""
        assert self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker of '{self.method}' ended: run it by hand to see why")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def workers(
    methods: Sequence[str],
    layers: int,
    length: int,
    settings: Mapping[str, str],
    lens: str | None = None,
    zig: str | None = None,
) -> Iterator[list[Worker]]:
    """Start one process per method, all with the same weights; `settings`: of the heap.

    `lens`, `zig`: the Pythons that have TransformerLens and ziglang.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        save(Path(folder), layers, length)
        started = []
        for method in methods:
            python = lens if method == "lens" and lens else sys.executable
            own = {} if method in HOLDING else settings
            if method == LIBRARIES:
                own = {**own, "CC": f"{shlex.quote(str(zig))} -m ziglang cc"}
            started.append(Worker(python, method, folder, layers, length, own))
            stack.callback(started[-1].close)
        yield started


def times(
    length: int, layers: int, rounds: int, lens: str | None, zig: str
) -> list[dict[str, Any]]:
    """Return one row per method: seconds of each round, ratio."""
    methods = [SDPA, FUSED[0], LIBRARIES, *FUSED[1:], FOLDS, *EAGER, *(["lens"] if lens else [])]
    rows: dict[str, dict[str, Any]] = {}
    with workers(methods, layers, length, KEPT, lens, zig) as all_of_them:
        for turn in range(rounds + 1):
            for worker in all_of_them:
                if worker.method in SLOW and turn != 1:
                    continue
                said = worker.run()
                row = rows.setdefault(worker.method, {"seconds": []})
                row["summary"], row["peak"] = said["summary"], said["peak"]
                if turn:  # the first pass warms up
                    row["seconds"].append(round(said["seconds"], 4))
                print(length, worker.method, said["seconds"], file=sys.stderr)
    measured = {method: row["summary"] for method, row in rows.items() if row["summary"]}
    agree(measured, FOLDS if FOLDS in measured else "eager, vectorized metrics")
    plain = rows[SDPA]["seconds"]
    return [
        {
            "method": method,
            "tokens": length,
            "layers": layers,
            "seconds": row["seconds"],
            "ratio": paired(row["seconds"], plain),
            **({"peak_mb": round(row["peak"] / 1e6, 1)} if method in HOLDING else {}),
        }
        for method, row in rows.items()
    ]


def paired(seconds: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Return median, least and largest ratio to the forward pass of the same round."""
    ratios = [a / b for a, b in zip(seconds, plain, strict=False)]
    return [round(f(ratios), 3) for f in (median, min, max)]


def peaks(length: int, layers: int) -> list[dict[str, Any]]:
    """Return the peaks of the passes that are timed, above the loaded model."""
    return _peaks([SDPA, *FUSED, FOLDS, EAGER[0]], layers, length)


def memory(length: int) -> list[dict[str, Any]]:
    """Return the same of one layer, of the methods that should need little more."""
    return _peaks([SDPA, *FUSED], 1, length)


def _peaks(methods: Sequence[str], layers: int, length: int) -> list[dict[str, Any]]:
    said: dict[str, dict[str, Any]] = {}
    for method in methods:
        with workers([method], layers, length, GIVEN_BACK) as (worker,):
            said[method] = worker.run()
    print(length, {m: one["peak"] >> 20 for m, one in said.items()}, file=sys.stderr)
    return [
        {
            "method": method,
            "tokens": length,
            "layers": layers,
            "seconds": round(one["seconds"], 2),
            "peak_mb": round(one["peak"] / 1e6, 1),
            "peak_ratio": round(one["peak"] / said[SDPA]["peak"], 3) if SDPA in said else None,
        }
        for method, one in said.items()
    ]


def agree(measured: Mapping[str, Mapping[str, float]], reference: str) -> None:
    """Stop unless all methods have all metrics, and alike."""
    wanted = measured[reference].keys()
    for method, summary in measured.items():
        if summary.keys() != wanted:
            names = ", ".join(sorted(summary.keys() ^ wanted))
            raise SystemExit(f"{method} and {reference} do not measure the same: {names}")
        for name in sorted(wanted):
            value, exact = summary[name], measured[reference][name]
            if not abs(value - exact) <= AGREE * max(1.0, abs(exact)):
                raise SystemExit(f"{method}: {name} is {value}, not {exact}")


def main() -> None:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default 5, at least 1")
    parser.add_argument("--without-lens", action="store_true", help="no TransformerLens")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--small", action="store_true", help="512 tokens, written nowhere")
    only.add_argument("--memory", action="store_true", help="memory alone, anew")
    only.add_argument("--times", action="store_true", help="times alone, anew")
    only.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    args = parser.parse_args()
    if args.check:
        raise SystemExit("\n".join(exceeded(json.loads(RESULT.read_text()))) or 0)
    lengths = {512: 2} if args.small else TIMES
    result = {} if args.small else json.loads(RESULT.read_text())
    if not args.times:
        deep = {512: DEEP[2048]} if args.small else DEEP
        result |= {
            "memory_machine": machine(),
            "peaks": [r for n, layers in lengths.items() for r in peaks(n, layers)],
            "memory": [r for n in ((512, 1024) if args.small else MEMORY) for r in memory(n)],
            "deep": [r for n, methods in deep.items() for r in _peaks(methods, DEPTH, n)],
        }
    if not args.memory:
        lens = None if args.without_lens else environment("transformer-lens")
        zig = environment("ziglang")
        timed = [
            row for n, layers in lengths.items() for row in times(n, layers, args.rounds, lens, zig)
        ]
        place(result, {"machine": machine(), "times": timed})
    result["kernels"] = json.loads((ROOT / "benchmarks" / "kernels.json").read_text())
    if args.small:
        print(page(result))
        return
    write(result)
    raise SystemExit("\n".join(exceeded(result)) or 0)


def place(result: dict[str, Any], run: dict[str, Any]) -> None:
    """Put times where those of the same processor stood; of a new one, behind the others."""
    runs = (
        [{k: result[k] for k in ("machine", "times")}, *result["elsewhere"]]
        if "times" in result
        else []
    )
    names = [one["machine"]["processor"] for one in runs]
    name = run["machine"]["processor"]
    where = names.index(name) if name in names else len(runs)
    first, *others = [*runs[:where], run, *runs[where + 1 :]]
    result |= first | {"elsewhere": others}


def write(result: Mapping[str, Any]) -> None:
    """Write both files."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    (ROOT / "docs" / "performance.md").write_text(page(result) + "\n")


if __name__ == "__main__":
    main()
