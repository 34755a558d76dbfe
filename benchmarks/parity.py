"""How exactly attention is observed: every architecture against its own eager attention.

Run as ``python benchmarks/parity.py > docs/parity.md``: a page with one row per
architecture. `tests/attention/adapter` holds the figures to their limits.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from benchmarks.architectures import ENCODER_DECODERS, ZOO, batch, build, declared_support
from torch import Tensor
from transformers import PreTrainedModel

from attnpipe.attention.adapter.context import adapted, sites
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block
from attnpipe.core.text import TokenText
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[1, 3], recent_k=[1, 3])
METRICS = row_metrics(OPTIONS)
DTYPES = ("float32", "bfloat16", "float16")
WITH_TOKENS = [name for name in ZOO if name != "ViT"]


@dataclass
class Kept:
    """An observer that keeps everything."""

    blocks: dict[int, list[Block]] = field(default_factory=dict)

    def observe(self, layer: int, block: Block) -> None:
        """Keep a block."""
        self.blocks.setdefault(layer, []).append(block)


@dataclass
class KeptScores(Kept):
    """An observer that keeps what arrived, too."""

    scores: dict[int, Scores] = field(default_factory=dict)

    def attend(self, layer: int, scores: Scores) -> None:
        """Keep the scores, and make the blocks of them."""
        self.scores[layer] = scores
        rows = slice(0, scores.q.shape[2])
        weights, support = scores.weights(rows).transpose(0, 1), scores.support(rows)
        where = scores.query_positions, scores.key_positions, scores.samples
        self.observe(layer, Block(weights, support, *where))


@dataclass
class Batteries:
    """An observer that fills all folds of tokens, of some sites."""

    folds: dict[int, TokenBattery]

    def observe(self, layer: int, block: Block) -> None:
        """Give the rows to the site's folds."""
        if layer in self.folds:
            self.folds[layer].update(block)


def output(model: PreTrainedModel, inputs: dict[str, Any]) -> Tensor:
    """Return logits or the last hidden state ``[token, …]`` of all tokens that are no padding."""
    with torch.no_grad():
        tensor: Tensor = model(**_as(model, inputs))[0]
    decoder = inputs.get("decoder_attention_mask")
    real = inputs.get("attention_mask") if decoder is None else decoder
    known = real is not None and real.shape == tensor.shape[:2]
    return tensor[real.bool()] if known else tensor.flatten(0, 1)


def observe(
    model: PreTrainedModel, inputs: dict[str, Any], observer: Any, **options: Any
) -> tuple[Tensor, tuple[Site, ...]]:
    """Return a model's output under an observer, and its sites."""
    with adapted(model, **options) as sites, observing(observer):
        return output(model, inputs), sites


@contextmanager
def exact_softmax() -> Iterator[None]:
    """Let eager attention stay in float64 inside.

    Many models' eager functions take the softmax in float32 whatever their dtype; besides
    rounding, the mask's lowest float64 becomes −∞ there, and padding rows NaN.
    """
    softmax = torch.nn.functional.softmax

    def same_dtype(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
        return softmax(x, dim=dim, dtype=None if x.dtype == torch.float64 else dtype)

    with mock.patch("torch.nn.functional.softmax", same_dtype):
        yield


def eager_weights(
    name: str, dtype: torch.dtype, inputs: dict[str, Any], sites: Sequence[Site]
) -> list[Tensor]:
    """Return each site's weights ``[sample, head, query, key]`` as eager attention gives them."""
    model = build(name, dtype, own="eager")
    with torch.no_grad(), exact_softmax():
        result = model(**_as(model, inputs), output_attentions=True)
    weights = []
    for site in sites:
        kind = "attentions"
        if model.config.is_encoder_decoder:
            kind = f"{site.name.removeprefix('model.').split('.')[0]}_attentions"
        weights.append(result["cross_attentions" if site.kind == "cross" else kind][site.layer])
    return weights


def _as(model: PreTrainedModel, inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v.to(model.dtype) if isinstance(v, Tensor) and v.is_floating_point() else v
        for k, v in inputs.items()
    }


def by_sample(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield each sample's rows as one block, in the order of samples."""
    for sample in sorted({int(i) for b in blocks for i in b.samples}):
        own = [b for b in blocks if sample in b.samples]
        index = [b.samples.tolist().index(sample) for b in own]
        weights = [b.weights[:, i] for i, b in zip(index, own, strict=True)]
        support = [
            b.support[i if len(b.support) > 1 else 0] for i, b in zip(index, own, strict=True)
        ]
        support = [s.expand(w.shape[1:]) for s, w in zip(support, weights, strict=True)]
        yield Block(
            torch.cat(weights, dim=1)[:, None],
            torch.cat(support)[None],
            torch.cat([b.query_positions for b in own]),
            own[0].key_positions,
            torch.tensor([sample]),
        )


def metrics(block: Block) -> dict[str, np.ndarray]:
    """Return every row metric ``[head, sample, query]``, NaN in rows that are not valid."""
    rows = Rows.from_block(block, OPTIONS.row_tolerance)
    valid = to_numpy(rows.valid)
    return {
        name: np.where(valid, np.broadcast_to(to_numpy(metric(rows)), valid.shape), np.nan)
        for name, metric in METRICS.items()
    }


def difference(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> float:
    """Return the largest difference of any metric, relative above 1; infinite if one is unknown."""
    worst = 0.0
    if got.keys() != want.keys():
        return float("inf")
    for name, wanted in want.items():
        if not np.array_equal(np.isnan(got[name]), np.isnan(wanted)):
            return float("inf")
        error = np.abs(got[name] - wanted) / np.maximum(1.0, np.abs(wanted))
        worst = max(worst, float(np.nanmax(error, initial=0.0)))
    return worst


def of_tokens(name: str, side: str = "right") -> float:
    """Return the largest difference of any sum of any fold of tokens to eager weights'.

    In float64, at sites of self-attention; the texts have few different tokens, so that many
    stand twice.
    """
    texts, inputs = (0, 1, 2), batch(name, side=side)
    for key in ("input_ids", "decoder_input_ids"):
        if key in inputs:
            inputs[key] = torch.where(inputs[key] != 0, inputs[key] % 3 + 3, 0)
    model = build(name)
    own = [site for site in sites(model) if site.kind == "self"]
    known = {site.index: _texts(name, site, inputs) for site in own}
    seen = Batteries({index: TokenBattery(OPTIONS, of) for index, of in known.items()})
    with exact_softmax():
        observe(model, inputs, seen)
    worst = 0.0
    for site, weights in zip(own, eager_weights(name, torch.float64, inputs, own), strict=True):
        want = TokenBattery(OPTIONS, known[site.index])
        for sample, support in enumerate(declared_support(name, site, texts, side)):
            real = support.any(-1)
            steps = np.arange(real.sum())
            rows = weights[sample].numpy()[:, None, real][..., real]
            sees = support[None, real][..., real]
            want.update(Block(rows, sees, steps, steps, np.array([sample])))
        worst = max(worst, difference(_sums(seen.folds[site.index]), _sums(want)))
    return worst


def _sums(battery: TokenBattery) -> dict[str, np.ndarray]:
    """Return all that a battery holds as numbers."""
    return {name: np.asarray(value, dtype=float) for name, value in battery.state().items()}


def _texts(name: str, site: Site, inputs: dict[str, Tensor]) -> Texts:
    """Return the texts that a site reads, without padding; their first token is special."""
    decoder = "decoder_" if name in ENCODER_DECODERS and "decoder" in site.name else ""
    found = {}
    for sample, padded in enumerate(inputs[f"{decoder}input_ids"].numpy()):
        ids = padded[inputs[f"{decoder}attention_mask"][sample].bool().numpy()]
        place = np.arange(len(ids))
        offsets = np.stack([place, place + 1], axis=-1)
        found[sample] = TokenText("x" * len(ids), ids, offsets, place == 0)
    return Texts.of(found)


def exact_logits(scores: Scores) -> Tensor:
    """Return cap(q·k · scale) + bias in float64, by its definition."""
    groups = scores.q.shape[1] // scores.k.shape[1]
    keys = scores.k.double().repeat_interleave(groups, dim=1)
    logits = torch.einsum("shqd,shkd->shqk", scores.q.double(), keys) * scores.scale
    if scores.softcap is not None:
        logits = scores.softcap * torch.tanh(logits / scores.softcap)
    if scores.bias is not None:
        logits = logits + scores.bias.double()
    return logits


def parity(name: str) -> dict[str, float]:
    """Return an architecture's figures: the columns of the page."""
    texts, inputs = (0, 1, 2), batch(name)
    figures = {"metrics": 0.0}
    kept = Kept()
    with exact_softmax():
        _, sites = observe(build(name), inputs, kept)
    weights = eager_weights(name, torch.float64, inputs, sites)
    for site, eager in zip(sites, weights, strict=True):
        support = torch.from_numpy(declared_support(name, site, texts, "right"))
        for block in by_sample(kept.blocks[site.index]):
            sample = int(block.samples[0])
            want = Block(
                eager[sample, :, None],
                support[[sample]],
                torch.arange(support.shape[1]),
                torch.arange(support.shape[2]),
                block.samples,
            )
            figures["metrics"] = max(figures["metrics"], difference(metrics(block), metrics(want)))
    if name in WITH_TOKENS:
        figures["tokens"] = max(of_tokens(name, side) for side in ("right", "left"))
    for label, own, dtype in (
        ("output_own", ZOO[name].own, torch.float32),
        ("output_eager", "eager", torch.float64),
    ):
        with exact_softmax():
            plain = output(build(name, dtype, own), inputs)
            seen, _ = observe(build(name, dtype), inputs, Kept())
        figures[label] = float((plain - seen).abs().max() / plain.abs().max())
    for dtype in DTYPES:
        figures[dtype] = of_dtype(name, getattr(torch, dtype))
    return figures


def of_dtype(name: str, dtype: torch.dtype) -> float:
    """Return the largest difference to float64 metrics of the q and k of a model of a dtype.

    Of every metric of any row and, at self-attention, every sum of the folds of tokens.
    """
    kept, texts, inputs = KeptScores(), (0, 1, 2), batch(name)
    _, sites = observe(build(name, dtype), inputs, kept)
    worst = 0.0
    for site in sites:
        support = torch.from_numpy(declared_support(name, site, texts, "right"))
        logits = exact_logits(kept.scores[site.index]).transpose(0, 1)
        exact = logits.masked_fill(~support, -torch.inf).softmax(-1).nan_to_num(0.0)
        for block in kept.blocks[site.index]:
            want = Block(exact, support, block.query_positions, block.key_positions, block.samples)
            worst = max(worst, difference(metrics(block), metrics(want)))
            if name in WITH_TOKENS and site.kind == "self":
                known = _texts(name, site, inputs)
                both = (_folds(known, each.weights, support) for each in (block, want))
                worst = max(worst, difference(*both))
    return worst


def _folds(known: Texts, weights: Tensor, support: Tensor) -> dict[str, np.ndarray]:
    """Return all sums of the folds of tokens over texts without their padding."""
    battery = TokenBattery(OPTIONS, known)
    for sample, sees in enumerate(support):
        real = sees.any(-1)
        steps = np.arange(int(real.sum()))
        rows = weights[:, [sample]][:, :, real][..., real].double().numpy()
        battery.update(
            Block(rows, sees[None, real][..., real].numpy(), steps, steps, np.array([sample]))
        )
    return _sums(battery)


PAGE = """\
# Parity

Each architecture as a small instance with random weights (two layers, four heads, a batch of
three texts of different length), observed through `attnpipe.attention.adapter`. Written by
`python benchmarks/parity.py > docs/parity.md`; `tests/attention/adapter` holds the figures to
their limits.

- *metrics*: largest difference of any metric of any row between the adapter and the model's own
  eager weights, model in float64 (limit 1e-6). The support it is measured on is derived from the
  texts' lengths, not from the model's mask.
- *tokens*: the same of every sum in `TokenBattery`, at self-attention: incoming mass, lags, scores
  of heads, their distances, sinks, variation, all rows and the last, with and without sinks; padded
  at either side.
- *own output*: largest difference of an output with observers attached to the same model's without
  them, float32, relative to the largest output (limit 0). *eager output*: to the model loaded with
  eager attention, both in float64 (limit 1e-9).
- *float32*, *bfloat16*, *float16*: largest difference of any metric, and of any sum of *tokens*, to
  the same computed in float64 from the q and k of a model of that type (limit 1e-5).

Differences are absolute below 1, relative above. Eager attention of many models takes its softmax
in float32 even in a float64 model; here it is kept in float64.

| model | its own | metrics | tokens | own output | eager output | float32 | bfloat16 | float16 |
|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Print the page."""
    print(PAGE)
    for name, architecture in ZOO.items():
        row = parity(name)
        columns = ("metrics", "tokens", "output_own", "output_eager", *DTYPES)
        numbers = [row.get(column) for column in columns]
        cells = [
            name,
            architecture.own,
            *("" if n is None else f"{n:.0e}" if n else "0" for n in numbers),
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
