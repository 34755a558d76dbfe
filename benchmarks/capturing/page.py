"""`docs/performance.md` from what was measured."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.capturing.limits import exponents

from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.schema.analysis import MetricsSpec

NAMES = {
    "sdpa": "forward pass alone (sdpa)",
    "fused, C": "**fused, C engine**",
    "fused, torch and numpy": "**fused, torch and numpy engine**",
    "plain folds": "plain folds",
    "all folds of tokens": "all folds of tokens (`TokenBattery`)",
    "eager": "eager forward pass alone",
    "eager, vectorized metrics": "eager, all weights, vectorized metrics in torch",
    "eager, scipy row by row": "eager, all weights, a loop over rows with scipy",
    "lens": "TransformerLens, cached patterns, vectorized metrics",
}
HEAD = """\
# Performance of capture

Written by `python benchmarks/capture.py --rounds {rounds}`, which also writes
`benchmarks/capture.json`: {machine}.

What is read: one text of random tokens, by GPT-2's shape (12 heads of 64) with random weights,
without language model head, float32, no padding, one thread. What is measured is what
`FusedBattery` holds (below). All methods must give the same numbers, else the benchmark stops;
`TokenBattery` alone has no peaks, and much else besides.

Every method is a process of its own, and all take turns in every round (slow ones run once). A
ratio is CPU time over that of the forward pass alone in the same round: the median over rounds,
with the least and the largest. Memory is what the first pass adds to the process with its model
loaded.
"""
USE = """
## The fast path

```python
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.kernel.fused import FusedBattery
from attnpipe.schema.analysis import MetricsSpec

battery = FusedBattery(MetricsSpec())
with torch.inference_mode(), adapted(model), observing(battery):
    model(input_ids)
battery.folds[0].means.means("entropy").mean  # layer 0, per head
```

`FusedBattery` takes scores in blocks of rows while they are in the cache: softmax, statistics and
output come from one visit. The C engine is compiled once per machine, at the first use, with the
compiler that is there (`$CC`, `cc`, `gcc` or `clang`); without one the engine in torch and numpy
does the same. `battery.engine.name` tells which. What neither can do (a bias, gaps in a mask, a
violated mask, float64, a GPU) goes through the plain folds, which are the reference of both.

| what | `FusedBattery` | `TokenBattery` |
|---|---|---|
| row metrics: {metrics} | yes | yes |
| each of them without sinks, and of the last token's row alone | no | yes |
| counts of valid rows, and of others by reason | yes | yes |
| incoming mass and exposure of every key (exposure-normalised incoming ratio) | yes | yes |
| profile over lags | yes | yes |
| resolved peaks by lag | yes | no |
| head scores: {scores} | no | yes |
| sink mass, and mass on named spans | no | yes |
| distances between heads (√JSD) | no | yes |
| variation over queries of a text | no | yes |

`TokenBattery` visits the weights once for each of its folds, which is why it takes longer. What
needs a weight per query and key (content and position, rollout, distances between layers) is
computed from stored weights (`aggregation.text`: `maps`, `split`, `distances`), up to a limited
length.
"""

CHOICE = """
## Why C

The row pass alone, ns per weight (`python benchmarks/kernels.py`; first use: import and
compilation, the C library also being kept for later). C needs a compiler, which most machines for
such work have, and falls back where there is none; numba brings 200 MB and pins numpy and Python,
torch.compile needs a C++ compiler and compiles in every process. Only C counts ranks in buckets
beside the exponentials; the others sort, and torch.compile leaves the sums over lags out.
"""


def page(result: dict[str, Any]) -> str:
    """Return the page."""
    machine = result["machine"]
    versions = ", ".join(f"{k} {machine[k]}" for k in ("torch", "numpy", "transformers"))
    rounds = max(len(row["seconds"]) for row in result["times"])
    text = HEAD.format(
        rounds=rounds, machine=f"{machine['processor']}, {machine['cores']} cores, {versions}"
    )
    times = result["times"]
    lengths = sorted({row["tokens"] for row in times})
    layers = {row["tokens"]: row["layers"] for row in times}
    heads = [f"N = {n}, {layers[n]} layer{'s' if layers[n] > 1 else ''}" for n in lengths]
    text += "\n## Time, as a ratio to the forward pass\n\n"
    text += _table(
        heads, [r | {"ratio": _ratio(r["ratio"])} for r in times], lengths, "ratio", "{}"
    )
    floor = [r for r in times if r["method"] == "sdpa"]
    least = ", ".join(f"{min(r['seconds']):.2f} s at N = {r['tokens']}" for r in floor)
    text += f"\nThe forward pass alone took {least}.\n"
    text += "\n## Peak memory of the same passes, MB above the loaded model\n\n"
    text += _table(heads, times, lengths, "peak_mb", "{:.0f}")
    text += (
        "\nBelow some hundred MB, whether the heap gives freed memory back decides: at 2048 tokens "
        "the C engine took 0.65 to 1.43 times the memory of the forward pass in four equal runs.\n"
        "Where every freed block is given back (`MALLOC_MMAP_THRESHOLD_=131072`), it was 145 MB "
        "against 141 MB.\n"
        "`python benchmarks/capture.py --check` holds the limit, 1.15, against the next table.\n"
    )
    text += _growth(result["memory"])
    use = USE.replace("{metrics}", _names(row_metrics(MetricsSpec())))
    use = use.replace("{scores}", _names(SCORES))
    return (text + use + _kernels(result["kernels"])).rstrip()


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _ratio(found: Sequence[float]) -> str:
    median, least, largest = found
    return f"{median:.2f}" + (f" ({least:.2f}–{largest:.2f})" if least < largest else "")


def _kernels(found: dict[str, dict[str, Any]]) -> str:
    lengths = list(found["C"]["ns"])
    text = CHOICE + f"\n| | {' | '.join(f'N = {n}' for n in lengths)} | first use |\n"
    text += "|---" * (len(lengths) + 2) + "|\n"
    for name in ("C", "numba", "torch.compile", "torch and numpy"):
        cells = [f"{found[name]['ns'][n]:.1f}" for n in lengths]
        text += f"| {name} | {' | '.join(cells)} | {found[name]['compile']:.1f} s |\n"
    return text


def _growth(rows: Sequence[dict[str, Any]]) -> str:
    lengths = sorted({row["tokens"] for row in rows})
    text = "\n## Memory over length, one layer, MB above the loaded model\n\n"
    text += _table([f"N = {n}" for n in lengths], rows, lengths, "peak_mb", "{:.0f}", exponent=True)
    text += (
        "\nThe exponent is the slope of log memory over log N by least squares: 1 is "
        "proportional. At the longest text the forward pass took "
    )
    seconds = {row["method"]: row["seconds"] for row in rows if row["tokens"] == lengths[-1]}
    fused = seconds["fused, C"]
    text += f"{seconds['sdpa']:.0f} CPU-seconds, the fused one {fused:.0f}.\n"
    weights = 12 * 4 * lengths[-1] ** 2 / 1e9
    return text + f"All weights of this one layer would be {weights:.0f} GB.\n"


def _table(
    heads: Sequence[str],
    rows: Sequence[dict[str, Any]],
    lengths: Sequence[int],
    column: str,
    form: str,
    *,
    exponent: bool = False,
) -> str:
    found = {(row["method"], row["tokens"]): row[column] for row in rows}
    methods = [name for name in NAMES if any(method == name for method, _ in found)]
    titles = ["", *heads, *(["exponent"] if exponent else [])]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    slopes = exponents(rows) if exponent else {}
    for method in methods:
        values = [found.get((method, n)) for n in lengths]
        cells = ["" if v is None else form.format(v) for v in values]
        if exponent:
            cells.append(f"{slopes[method]:.2f}")
        lines.append(f"| {NAMES[method]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
