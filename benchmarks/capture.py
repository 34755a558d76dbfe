"""What observing attention costs, beside a plain forward pass: time and memory.

    python benchmarks/capture.py [--rounds 5] [--without-lens] [--small | --memory | --check]

writes `benchmarks/capture.json` and `docs/performance.md`. Every method is a process of its
own, one thread each; all of them take turns in each round, so that a slow moment of the
machine is shared. A ratio is CPU time over that of the forward pass alone in the same round:
the median over rounds, with the least and the largest.

`--memory` measures memory over length anew and keeps the times; `--check` measures nothing: it
fails if what was measured exceeds a limit (`benchmarks/capturing/limits.py`).
"""

import argparse
import json
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
from benchmarks.capturing.limits import exceeded
from benchmarks.capturing.model import save
from benchmarks.capturing.page import page

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "capture.json"
SDPA = "sdpa"
FUSED = ("fused, C", "fused, torch and numpy")
TOKENS = "all folds of tokens"
FOLDS = ("plain folds", TOKENS)
EAGER = ("eager", "eager, vectorized metrics", "eager, scipy row by row")
TIMES = {1024: 2, 2048: 2, 4096: 1}
"""Tokens → layers."""
MEMORY = (2048, 4096, 8192, 16384)
SLOW = {"eager, scipy row by row": 2048, TOKENS: 2048, "plain folds": 2048}
"""Method → most tokens; they run once."""
AGREE = 2e-3
"""Largest relative difference between any metric of two methods."""
WITHOUT = {TOKENS: {"peak_lag"}}
"""Method → metrics that it does not have; all other methods have all."""


class Worker:
    """A process that runs one method when asked."""

    def __init__(self, python: str, method: str, folder: str, layers: int, length: int) -> None:
        self.method = method
        given = [method, folder, str(layers), str(length)]
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.capturing.worker", *given],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=one_thread(),
            stderr=subprocess.DEVNULL,
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
    methods: Sequence[str], layers: int, length: int, lens: str | None
) -> Iterator[list[Worker]]:
    """Start one process per method, all with the same weights."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        save(Path(folder), layers, length)
        started = []
        for method in methods:
            python = lens if method == "lens" and lens else sys.executable
            started.append(Worker(python, method, folder, layers, length))
            stack.callback(started[-1].close)
        yield started


def times(length: int, layers: int, rounds: int, lens: str | None) -> list[dict[str, Any]]:
    """Return one row per method: seconds of each round, ratio, peak."""
    methods = [SDPA, *FUSED, *FOLDS, *EAGER, *(["lens"] if lens else [])]
    chosen = [m for m in methods if length <= SLOW.get(m, length)]
    rows: dict[str, dict[str, Any]] = {}
    with workers(chosen, layers, length, lens) as all_of_them:
        for turn in range(rounds + 1):
            for worker in all_of_them:
                if worker.method in SLOW and turn != 1:
                    continue
                said = worker.run()
                # The peak of the first pass: later ones start from a heap full of holes.
                row = rows.setdefault(worker.method, {"seconds": [], "peak": said["peak"]})
                row["summary"] = said["summary"]
                if turn:  # the first pass warms up
                    row["seconds"].append(round(said["seconds"], 4))
                print(length, worker.method, said["seconds"], said["peak"] >> 20, file=sys.stderr)
    measured = {method: row["summary"] for method, row in rows.items() if row["summary"]}
    agree(measured, "plain folds" if "plain folds" in measured else "eager, vectorized metrics")
    plain = rows[SDPA]["seconds"]
    peak = rows[SDPA]["peak"]
    return [
        {
            "method": method,
            "tokens": length,
            "layers": layers,
            "seconds": row["seconds"],
            "ratio": paired(row["seconds"], plain),
            "peak_mb": round(row["peak"] / 1e6, 1),
            "peak_ratio": round(row["peak"] / peak, 3),
        }
        for method, row in rows.items()
    ]


def paired(seconds: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Return median, least and largest ratio to the forward pass of the same round."""
    ratios = [a / b for a, b in zip(seconds, plain, strict=False)]
    return [round(f(ratios), 3) for f in (median, min, max)]


def memory(lengths: Sequence[int]) -> list[dict[str, Any]]:
    """Return peaks above the loaded model of one layer, plain and observed."""
    found = []
    for length in lengths:
        with workers([SDPA, *FUSED, TOKENS], 1, length, None) as each:
            said = {worker.method: worker.run() for worker in each}
        peaks = {method: one["peak"] for method, one in said.items()}
        print(length, {m: p >> 20 for m, p in peaks.items()}, file=sys.stderr)
        found += [
            {
                "method": method,
                "tokens": length,
                "seconds": round(said[method]["seconds"], 2),
                "peak_mb": round(peak / 1e6, 1),
                "peak_ratio": round(peak / peaks[SDPA], 3),
            }
            for method, peak in peaks.items()
        ]
    return found


def agree(measured: Mapping[str, Mapping[str, float]], reference: str) -> None:
    """Stop unless all methods have all metrics, but those they are known to lack, and alike."""
    for method, summary in measured.items():
        wanted = measured[reference].keys() - WITHOUT.get(method, set())
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
    only.add_argument("--memory", action="store_true", help="memory over length alone, anew")
    only.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    args = parser.parse_args()
    if args.check:
        raise SystemExit("\n".join(exceeded(json.loads(RESULT.read_text()))) or 0)
    if args.memory:
        write(json.loads(RESULT.read_text()) | {"memory": memory(MEMORY)})
        return
    lens = None if args.without_lens else environment("transformer-lens")
    lengths = {512: 2} if args.small else TIMES
    result = {
        "machine": machine(),
        "times": [r for n, layers in lengths.items() for r in times(n, layers, args.rounds, lens)],
        "memory": memory((512, 1024) if args.small else MEMORY),
        "kernels": json.loads((ROOT / "benchmarks" / "kernels.json").read_text()),
    }
    if args.small:
        print(page(result))
        return
    write(result)
    raise SystemExit("\n".join(exceeded(result)) or 0)


def write(result: Mapping[str, Any]) -> None:
    """Write both files."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    (ROOT / "docs" / "performance.md").write_text(page(result) + "\n")


if __name__ == "__main__":
    main()
