"""`docs/performance.md` from what was measured."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.capturing.limits import LIBRARIES, WANTED, exponents, too_slow

from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.tokens.head_distances import ROWS
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.schema.analysis import MetricsSpec

NAMES = {
    "sdpa": "forward pass alone (sdpa)",
    "fused, C": "**fused, C engine**",
    LIBRARIES: "**fused, C engine, compiled by ziglang**",
    "fused, torch and numpy": "**fused, torch and numpy engine**",
    "plain folds": "plain folds (`TokenBattery`)",
    "eager": "eager forward pass alone",
    "eager, vectorized metrics": "eager, all weights, vectorized metrics in torch",
    "eager, scipy row by row": "eager, all weights, a loop over rows with scipy",
    "lens": "TransformerLens, cached patterns, vectorized metrics",
}
HEAD = """\
# Performance of capture

Written by `python benchmarks/capture.py --rounds {rounds}`, which also writes
`benchmarks/capture.json`. Times: {machine}; memory: {memory}.

What is read: one text of random tokens, by GPT-2's shape (12 heads of 64) with random weights,
without language model head, float32, no padding, one thread. What is measured is the whole
streaming battery (below), the first token being a sink. All methods must give the same numbers,
else the benchmark stops; those that are not ours do without the last token's row alone.

The model is loaded and adapted before (a study does it once for all its texts).
Every method is a process of its own, and all take turns in every round (slow ones run once). A
ratio is CPU time over that of the forward pass alone in the same round: the median over rounds,
with the least and the largest. The heap keeps freed blocks, as in jobs of the pipeline. Memory is
what one pass adds to a process of its own with its model loaded and a heap that gives freed blocks
back (`MALLOC_MMAP_THRESHOLD_=131072`): else the holes of the heap, which differ from run to run,
are measured, too. (Methods that hold all weights run once, for time and memory: holes do not
matter beside the weights, and the heap is the usual one.)
"""
USE = """
## The fast path

```python
from pathlib import Path

import torch
from transformers import AutoModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec
from attnpipe.text.tokens import load_tokenizer, tokenize

folder = Path("/data/my-model")  # config.json, weights and tokenizer.json
text = "What is 3 plus 4?"
model = AutoModel.from_pretrained(folder).eval()

texts = Texts.of({0: tokenize(text, [], load_tokenizer(folder))})
battery = FusedTokenBattery(MetricsSpec(), texts)
with torch.inference_mode(), adapted(model), observing(battery):
    model(torch.from_numpy(texts[0].ids)[None])
view = battery.folds[0].views["all", "sinks_removed"]  # layer 0, all rows, without sinks
print(view.means.means("entropy").mean)  # nats, per head
```

Tokens come from `load_tokenizer`, which reads `tokenizer.json` and neither cuts nor pads; a
tokenizer of transformers (`AutoTokenizer`) is of another kind and is not taken.
`results/<study>/models/<model>` of a finished study is such a folder.

`FusedTokenBattery` takes scores in blocks of rows while they are in the cache: softmax, statistics
and output come from one visit. The C engine is compiled once per machine, at the first use, with
the compiler that is there (`$CC`, `cc`, `gcc` or `clang`). Where there is none, the package
`ziglang` brings one without any rights on the machine (`make setup` installs it then; a wheel of
100 MB: `pip install -c constraints.txt -e '.[compiler]'`); without it the engine in torch and numpy
does the same, in more time. `battery.engine.name` tells which: `native` is the one in C, `array`
the one in torch and numpy. What neither can do (padded batches, a bias, gaps in a mask, a violated
mask, float64, a GPU) goes through the plain folds, which are the reference of both.

The streaming battery, of all rows and of the last token's row alone, as they are and without sinks:

- row metrics: {metrics};
- valid rows, and others by reason;
- incoming mass and exposure of every key (exposure-normalised incoming ratio), from which come
  sink mass and the mass on every named span;
- profile over lags, and how much rows differ in lag space;
- resolved peaks by lag;
- head scores: {scores};
- distances between heads (√JSD), on {rows} evenly spaced rows of a text, on all of a shorter one;
- how much rows differ on the text's first half.

`TokenBattery` is the same by plain folds, which visit the weights once each. `FusedBattery` is the
part that need not know the tokens, for images and cross-attention. What needs a weight per query
and key (content and position, rollout, distances between layers) is computed from stored weights
(`aggregation.text`: `maps`, `split`, `distances`), up to a limited length.
"""

CHOICE = """
## Why C

The row pass alone, ns per weight on {machine} (`python benchmarks/kernels.py`; first use: import
and compilation, the C library also being kept for later). The engines in C and in torch and numpy
do everything; numba's rows and torch.compile do a part (no second largest weight, no prefix;
torch.compile no sums over lags, either). C counts ranks in buckets beside the exponentials, the
others sort; without ranks, Gini and top masses are left out as well, so that what sorting costs
can be told from the rest. C was chosen because from 2048 keys on all of the battery takes it less
time than the others take for a part; the other numbers are what these plain programs take, not the
least that numba could. C needs a compiler, which most machines for such work have and a Python
package brings to the others; numba brings 200 MB and pins numpy and Python, torch.compile needs a
C++ compiler and compiles in every process.
"""


def page(result: dict[str, Any]) -> str:
    """Return the page."""
    machine = result["machine"]
    versions = ", ".join(f"{k} {machine[k]}" for k in ("torch", "numpy", "transformers"))
    rounds = max(len(row["seconds"]) for row in result["times"])
    text = HEAD.format(
        rounds=rounds,
        machine=f"{machine['processor']}, {machine['cores']} cores, {versions}",
        memory=result["memory_machine"]["processor"],
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
    text += f"\nThe forward pass alone took {least}.{_too_slow(times)}\n"
    text += _elsewhere(result["elsewhere"])
    text += "\n## Peak memory of the same passes, MB above the loaded model\n\n"
    runs = [result, *result["elsewhere"]]
    held = [row for run in runs for row in run["times"] if "peak_mb" in row]
    text += _table(heads, [*result["peaks"], *held], lengths, "peak_mb", "{:.0f}")
    text += _depth(result["deep"])
    text += _growth(result["memory"])
    use = USE.replace("{metrics}", _names(row_metrics(MetricsSpec())))
    use = use.replace("{scores}", _names(SCORES)).replace("{rows}", str(ROWS))
    return (text + use + _kernels(result["kernels"])).rstrip()


def _elsewhere(runs: Sequence[dict[str, Any]]) -> str:
    """Return the same ratios on other processors, with the limits that they exceed there."""
    text = ""
    for run in runs:
        lengths = sorted({row["tokens"] for row in run["times"]})
        rows = [r | {"ratio": _ratio(r["ratio"])} for r in run["times"]]
        floor = ", ".join(
            f"{min(r['seconds']):.2f} s at N = {r['tokens']}"
            for r in run["times"]
            if r["method"] == "sdpa"
        )
        text += f"\n### The same on {run['machine']['processor']}\n\n"
        text += _table([f"N = {n}" for n in lengths], rows, lengths, "ratio", "{}")
        text += f"\nThe forward pass alone took {floor}.{_too_slow(run['times'])}\n"
    return text


def _too_slow(rows: Sequence[dict[str, Any]]) -> str:
    broken = too_slow(rows, WANTED)
    return f" More than is wanted: {'; '.join(broken)}." if broken else ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _ratio(found: Sequence[float]) -> str:
    median, least, largest = found
    return f"{median:.2f}" + (f" ({least:.2f}–{largest:.2f})" if least < largest else "")


def _kernels(found: dict[str, Any]) -> str:
    lengths = list(found["C"]["ns"])
    text = (
        CHOICE.format(machine=found["machine"])
        + f"\n| | {' | '.join(f'N = {n}' for n in lengths)} | first use |\n"
    )
    text += "|---" * (len(lengths) + 2) + "|\n"
    part = ("numba", "numba, without ranks", "torch.compile", "torch.compile, without ranks")
    for name in ("C", "torch and numpy", *part):
        cells = [f"{found[name]['ns'][n]:.1f}" for n in lengths]
        text += f"| {name} | {' | '.join(cells)} | {found[name]['compile']:.1f} s |\n"
    return text


def _depth(rows: Sequence[dict[str, Any]]) -> str:
    """Return what all layers of a model need: the folds of each are kept to the end."""
    layers, first = rows[0]["layers"], rows[0]["tokens"]
    lengths = sorted({row["tokens"] for row in rows})
    text = f"\n## Peak memory at GPT-2's depth, {layers} layers, MB above the loaded model\n\n"
    text += _table([f"N = {n}" for n in lengths], rows, lengths, "peak_mb", "{:.0f}")
    ratios = {row["method"]: row["peak_ratio"] for row in rows if row["tokens"] == first}
    own, other = ratios["fused, C"], ratios["fused, torch and numpy"]
    plain, last = rows[0]["peak_mb"], rows[-1]
    text += (
        f"\nA plain pass needs as much for {layers} layers as for one; observed, every layer "
        f"leaves its folds: at N = {first} the peak is {own:.2f} times the plain one with the C "
        f"engine, {other:.2f} times with the other. "
    )
    if last["tokens"] != first:
        text += (
            f"The run at N = {last['tokens']} took {last['seconds']:.0f} CPU-seconds; the plain "
            "pass and the other engine were left out there, as they take minutes, too. "
        )
    kept = next(r["peak_mb"] for r in rows if r["method"] == "fused, C")
    return text + f"Per layer that is {(kept - plain) / layers:.1f} MB at N = {first}.\n"


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
