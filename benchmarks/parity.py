"""How exactly attention is observed: every architecture against its own eager attention.

Run as ``python benchmarks/parity.py > docs/parity.md``: a page with one row per
architecture in each of two tables. `tests/attention` holds the figures to their limits.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from benchmarks.architectures import ZOO, batch, build
from benchmarks.comparing.dense import of_dense
from benchmarks.comparing.folds import of_folds
from benchmarks.comparing.fused import KINDS, of_fused
from benchmarks.comparing.observed import Kept, exact_softmax, observe, output
from benchmarks.comparing.precision import of_dtype
from benchmarks.comparing.reading import MASKED, Reading, even, packed, padded
from benchmarks.comparing.rows import of_rows

DTYPES = ("float32", "bfloat16", "float16")
SIDES = ("right", "left")
ENGINES = ("C", "torch")
"""What the page calls `KINDS`."""
FUSED = tuple(f"{what}, {of}" for what in ("output", "half", "folds", "packed") for of in ENGINES)


def parity(name: str) -> dict[str, float]:
    """Return an architecture's figures: the columns of the first table."""
    own = [of_folds(padded(name, side)) for side in SIDES]
    figures = {
        "metrics": max(of_rows(padded(name, side)) for side in SIDES),
        "folds": max(*own, of_folds(even(name))),
        "dense": of_dense(even(name)),
    }
    if (several := packed(name)) is not None:
        figures["packed"] = of_folds(several)
    figures["own output"] = max(of_output(reading) for reading in readings(name))
    with exact_softmax():
        plain = output(build(name, own="eager"), batch(name))
        seen, _ = observe(build(name), batch(name), Kept())
    figures["eager output"] = float((plain - seen).abs().max() / plain.abs().max())
    for dtype_name in DTYPES:
        dtype = getattr(torch, dtype_name)
        rows, dense = of_dtype(padded(name, "right"), dtype), of_dense(even(name), dtype)
        figures[dtype_name] = max(rows, dense)
    return figures


def readings(name: str) -> list[Reading]:
    """Return all that an architecture reads: padded, even and packed texts."""
    several = packed(name)
    return [
        *(padded(name, side) for side in SIDES),
        even(name),
        *([] if several is None else [several]),
    ]


def of_output(reading: Reading, dtype: torch.dtype = torch.float32) -> float:
    """Return how far a plain observer moves a model's output, relative to the largest one."""
    model = build(reading.name, dtype)
    plain = output(model, reading.inputs)
    seen, _ = observe(model, reading.inputs, Kept())
    return float((plain - seen).abs().max() / plain.abs().max())


def fused_parity(name: str) -> tuple[str, dict[str, float]]:
    """Return which sites of an architecture are fused, and the columns of the second table."""
    figures, said = {}, set()
    for kind, engine in zip(KINDS, ENGINES, strict=True):
        found = {dtype: of_fused(even(name), kind, getattr(torch, dtype)) for dtype in DTYPES}
        figures[f"output, {engine}"] = found["float32"].output
        figures[f"half, {engine}"] = max(
            found[dtype].output / torch.finfo(getattr(torch, dtype)).eps for dtype in DTYPES[1:]
        )
        figures[f"folds, {engine}"] = max(one.folds for one in found.values())
        said |= {one.told for one in found.values()}
        if (several := packed(name)) is not None:
            figures[f"packed, {engine}"] = of_fused(several, kind).folds
    return "; ".join(sorted(said)), figures


PAGE = """\
# Parity

Each architecture as a small instance with random weights (two layers, four heads), observed
through `attnpipe.attention.adapter`. Written by `python benchmarks/parity.py > docs/parity.md`;
`tests/attention` holds the figures to their limits. Differences are absolute below 1, relative
above.

## Captured weights

The model is in float64, and captured weights are compared with its own eager ones. What a row
should see is derived from the texts' lengths, not from the model's mask.

- *metrics*: largest difference of any metric of any row, at self- and cross-attention; three texts
  of different length, padded at either side (limit 1e-6).
- *folds*: the same of every sum in `TokenBattery`: incoming mass, lags, scores of heads, their
  distances, sinks, variation, all rows and the last, with and without sinks; padded at either
  side, and without padding. At cross-attention, where queries and keys are no tokens of one text,
  of every sum in `StreamingBattery`, without padding. ViT's patches stand as tokens.
- *packed*: the same of two texts in each sample, which do not see each other: told apart by
  positions that begin again or, where *packed by* says so, by a mask of the user's own. Folds
  take a sample as one text. Images are not packed.
- *dense*: the same of what studies of texts compute of stored weights (`aggregation.text`): the
  split of last rows into position and content; the views last layer, mean, max, a layer, a head
  and rollout; distances between all heads, and their clusters; each with and without sinks; and
  sinks that the weights show, at three thresholds. Weights are stored in float32, as a study
  stores them, hence 1e-8 (limit 1e-6). At self-attention, as these are defined on the tokens of
  one text, and on texts of one length, as studies read them; T5's and BART's two stacks one by
  one. What else is computed of stored weights (mass on spans, distances between prompts, the
  published numbers) is compared with sums written out in `tests/aggregation/text` and
  `tests/measurement`, on weights that no model made.
- *own output*: largest difference of an output with plain observers attached, which are shown
  weights in blocks, to the same model's without them, of padded, unpadded and packed texts,
  float32, relative to the largest output (limit 0). Gemma 2's eager function runs in blocks of 128
  queries: to the bit for as many, else to rounding. For observers that make the output, see the
  second table.
- *eager output*: to the model loaded with eager attention, both in float64 (limit 1e-9).
- *float32*, *bfloat16*, *float16*: largest difference of any figure of *metrics*, *folds* (padded
  at the right, self-attention) and *dense* to the same computed in float64 from the q and k of a
  model of that type (limit 1e-5).

Eager attention of many models takes its softmax in float32 even in a float64 model; here it is
kept in float64.

{captured}

## The fast path

`FusedTokenBattery`, which studies of texts use, makes the output together with its folds, in
float32, and the model goes on with it: its own output to rounding, not to the bit. The same holds
for `FusedBattery`, which stands in for it at cross-attention here. Both engines are compared: *C*,
and *torch* with numpy, which is used where there is no C compiler. Texts have one length.

- *fused*: how many of the model's attention sites. The others go through the plain folds of the
  first table, and their output is the model's own, to the bit: sites where a bias is added to
  visible keys (all of T5's: relative positions, zeros at cross-attention); batches with padding
  (`FusedBattery` takes these); masks that have gaps, differ between heads or show more than the
  model declares; float64; a GPU. Soft-capping, windows, grouped heads and packed texts are fused.
- *output*: largest difference of an output to the model's own without observers (sdpa; Gemma 2:
  eager), float32, relative to the largest output (limit 1e-5). *half*: the same in bfloat16 and
  float16, in machine epsilons of the type (limit 4).
- *folds*: largest difference of any sum in `TokenBattery` (at cross-attention `StreamingBattery`)
  to the plain folds of weights computed in float64 from the same q and k, in models of float32,
  bfloat16 and float16 (limit 1e-5). *packed*: the same of packed texts, float32.

{fused}"""


def table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Return a table in Markdown, its rows by name."""
    lines = [["model", *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *row] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(figures: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """Return figures as they are printed; nothing where there is none."""
    found = []
    for column in columns:
        style = ".1f" if column.startswith("half") else ".0e"
        known = f"{figures[column]:{style}}" if column in figures else ""
        found.append("0" if figures.get(column) == 0 else known)
    return found


def main() -> None:
    """Print the page."""
    columns = ["metrics", "folds", "packed", "dense", "own output", "eager output", *DTYPES]
    captured, fused = {}, {}
    for name, architecture in ZOO.items():
        by = "" if packed(name) is None else "mask" if name in MASKED else "positions"
        captured[name] = [architecture.own, by, *cells(parity(name), columns)]
        said, figures = fused_parity(name)
        fused[name] = [said, *cells(figures, FUSED)]
    first = table(["its own", "packed by", *columns], captured)
    print(PAGE.format(captured=first, fused=table(["fused", *FUSED], fused)))


if __name__ == "__main__":
    main()
