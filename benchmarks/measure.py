"""How fast measuring is: against a plain loop over rows, and in stored bytes per second.

Run as ``python benchmarks/measure.py [--checkpoints 26] [--keys 50] … [--check]``. One thread.
With ``--check`` the exit code is not 0 if the loop with scipy is faster, or the start-up or the
memory exceeds its limit.
"""

# ruff: noqa: E402  (threads are limited before numpy starts them)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import entropy as scipy_entropy

from attnpipe.core.record import LayerRecord, Probe
from attnpipe.measurement.parts import block, parts
from attnpipe.measurement.run import measure
from attnpipe.metrics.battery import Battery
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()
START_UP_SECONDS = 1.0
PEAK_MB = 2000.0


def numpy_entropy(p: np.ndarray, q: np.ndarray | None = None) -> float:
    """Return what `scipy.stats.entropy` does, without its checks."""
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] if q is None else p[seen] / q[seen]))) * (
        -1 if q is None else 1
    )


def row_loop(
    record: LayerRecord, options: MetricsSpec, entropy: Callable[..., float]
) -> dict[str, float]:
    """Return the mean of every row metric as one would write it down, row by row."""
    values: dict[str, list[float]] = {}
    support = np.broadcast_to(record.support, record.weights.shape[1:])
    for head, sample, query in np.ndindex(*record.weights.shape[:3]):
        seen = support[sample, query]
        p = record.weights[head, sample, query, seen].astype(np.float64)
        p /= p.sum()
        lag = record.query_positions[query] - record.key_positions[seen]
        n, ascending, h = len(p), np.sort(p), float(entropy(p))
        quarter, mean_lag = n // 4, float(p @ lag)
        new, old = p[n - quarter :].sum(), p[:quarter].sum()
        row = {
            "entropy": h,
            "entropy_normalized": h / np.log(n) if n > 1 else np.nan,
            "effective_keys_n1": np.exp(h),
            "effective_keys_n2": 1 / np.sum(p**2),
            "kl_uniform": float(entropy(p, np.full(n, 1 / n))),
            "row_std_normalized": np.std(p) * n / np.sqrt(n - 1) if n > 1 else np.nan,
            "gini": (2 * np.arange(1, n + 1) @ ascending - n - 1) / (n - 1) if n > 1 else np.nan,
            "recency_contrast": (new - old) / (new + old) if n >= 4 else np.nan,
            "recent_distant_ratio": new / old if n >= 4 else np.nan,
            "lag_mean": mean_lag,
            "lag_mean_ratio": mean_lag / lag.mean() if n > 1 else np.nan,
            "lag_spread": np.sqrt(p @ (lag - mean_lag) ** 2),
            "max_weight": ascending[-1],
            "peak_lag": lag[np.argmax(p)],
        }
        for k in options.top_k:
            top = ascending[-k:].sum()
            row |= {f"top_mass_{k}": top}
            row |= {f"top_excess_{k}": (top - k / n) / (1 - k / n) if n > k else np.nan}
        for k in options.recent_k:
            recent = p[-k:].sum()
            row |= {f"recent_mass_{k}": recent}
            row |= {f"recent_excess_{k}": (recent - k / n) / (1 - k / n) if n > k else np.nan}
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: float(np.nanmean(v)) for name, v in values.items()}


def battery_of(record: LayerRecord, options: MetricsSpec) -> Battery:
    """Return the battery of one record."""
    battery = Battery(options)
    for part in parts(record):
        battery.update(block(record, part))
    return battery


def make_records(args: argparse.Namespace) -> list[LayerRecord]:
    """Return causal random rows for ``untrained``, epochs and ``best``."""
    rng = np.random.default_rng(0)
    keys = np.arange(args.keys)
    queries = keys[args.keys - args.queries :]
    support = (queries[:, None] >= keys[None, :])[None]
    names = ["untrained", *(f"epoch_{i:03d}" for i in range(1, args.checkpoints - 1)), "best"]
    records = []
    for name in names:
        shape = (args.heads, args.samples, args.queries, args.keys)
        weights = np.exp(rng.standard_normal(shape)) * support
        weights = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
        samples = np.arange(args.samples)
        records.append(LayerRecord(name, 0, weights, support, queries, keys, samples))
    return records


def cpu_seconds(work: Callable[[], object], repeat: int = 1) -> float:
    """Return the least CPU time of some runs."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def start_up_seconds() -> float:
    """Return the CPU time of importing the stage, without that of Python itself."""

    def child(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    stage = min(child("import attnpipe.measurement.run") for _ in range(3))
    return stage - min(child("pass") for _ in range(3))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in [
        ("checkpoints", 26),
        ("heads", 1),
        ("samples", 128),
        ("queries", 50),
        ("keys", 50),
    ]:
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--check", action="store_true", help="fail above the limits")
    args = parser.parse_args()
    if args.queries > args.keys or args.checkpoints < 3:
        parser.error("needs queries ≤ keys and at least 3 checkpoints")
    records = make_records(args)
    record, run_bytes = records[-1], sum(r.weights.nbytes for r in records)
    probe = Probe(np.arange(args.samples) % 2, published_row="last_query")
    rows = record.weights[..., 0].size
    print(
        f"input: {args.checkpoints} checkpoints × float32 {list(record.weights.shape)} "
        f"[head, sample, query, key], causal: {run_bytes / 1e6:.1f} MB, {rows} rows each; "
        "one thread, CPU time"
    )
    ours = cpu_seconds(lambda: battery_of(record, OPTIONS), repeat=5)
    print(f"all folds, one checkpoint: {ours:.4f} s, {record.weights.nbytes / ours / 1e9:.3f} GB/s")
    broken = []
    for name, entropy in (("scipy", scipy_entropy), ("numpy", numpy_entropy)):
        loop = cpu_seconds(lambda entropy=entropy: row_loop(record, OPTIONS, entropy))
        print(
            f"plain loop over the same rows, {name} entropy: {loop:.3f} s, ratio {loop / ours:.0f}"
        )
        if name == "scipy" and loop <= ours:
            broken.append(f"the plain loop with scipy takes {loop:.3f} s, all folds {ours:.3f} s")
    whole = cpu_seconds(lambda: measure(records, probe, OPTIONS, model="m", seed=0), repeat=3)
    print(
        f"measure(), whole run with divergences and table: {whole:.3f} s, "
        f"{run_bytes / whole / 1e9:.3f} GB/s of stored weights"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of this process: {peak:.0f} MB, weights included")
    start_up = start_up_seconds()
    print(f"start-up (imports): {start_up:.2f} s")
    if start_up > START_UP_SECONDS:
        broken.append(f"start-up takes {start_up:.2f} s, the limit is {START_UP_SECONDS:g}")
    if peak > PEAK_MB:
        broken.append(f"peak memory is {peak:.0f} MB, the limit is {PEAK_MB:g}")
    if args.check and broken:
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
