"""Checks of a model before it is believed: whether overrides act, and masks are as declared."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.adapter.probe import default_inputs
from attnpipe.attention.adapter.scores import Pattern, Scores, row_blocks
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.hooks import observing, overriding
from attnpipe.attention.interventions import identity, zero
from attnpipe.core.block import Block
from attnpipe.core.errors import UserError


def check_overrides(model: PreTrainedModel, inputs: Mapping[str, Any] | None = None) -> None:
    """Check that replaced weights reach a model's output.

    Weights replaced by themselves must not change the output by more than 1e-5 of its
    largest number (16 roundings in half precision), weights of zero must change it by more.

    Parameters
    ----------
    model, inputs
        As for `adapter.context.adapted`.

    Raises
    ------
    UserError
        They do not, or the output is not finite.
    """
    given = default_inputs(model) if inputs is None else inputs
    with torch.no_grad(), adapted(model, inputs=given):
        plain = _output(model, given)
        with overriding(identity()):
            same = _output(model, given)
        with overriding(zero(), normalize=False):
            other = _output(model, given)
    name, scale = type(model).__name__, float(plain.abs().max())
    if not scale < torch.inf:
        raise UserError(
            f"the output of {name} is not finite, so that overrides cannot be checked: check "
            "its weights for NaN"
        )
    tolerance = max(1e-5, 16 * torch.finfo(plain.dtype).eps) * max(scale, 1e-3)
    unchanged, changed = (float((x - plain).abs().max()) for x in (same, other))
    if unchanged > tolerance:
        raise UserError(
            f"attention weights of {name} replaced by themselves change its output by "
            f"{unchanged:.1e}: its weights are not those that are computed here"
        )
    if changed <= tolerance:
        raise UserError(
            f"attention weights of {name} replaced by zero change its output by only "
            f"{changed:.1e}: its attention does not act, so choose another model or inputs"
        )


def _output(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Tensor:
    """Return logits or, without a head, hidden states, of all tokens that are no padding.

    Padding sees nothing once weights are replaced, and its output is nobody's.
    """
    result = model(**inputs)
    tensor: Tensor = result["logits"] if "logits" in result else result[0]
    name = "decoder_attention_mask" if model.config.is_encoder_decoder else "attention_mask"
    real = inputs.get(name)
    known = isinstance(real, Tensor) and real.shape == tensor.shape[:2]
    return tensor[real != 0] if known else tensor


@dataclass(frozen=True)
class MaskCheck:
    """A site's mask against what the model declares, in pairs of query and key.

    Attributes
    ----------
    site
        Of the model.
    expected
        Pairs that should be seen.
    beyond
        Pairs that are seen and should not be: any is a leak.
    hidden
        Pairs that should be seen and are not: right for packed texts, else a fault.
    """

    site: Site
    expected: int
    beyond: int
    hidden: int


def check_masks(
    model: PreTrainedModel,
    inputs: Mapping[str, Any] | None = None,
    *,
    expected: Mapping[int, Pattern] | None = None,
) -> tuple[MaskCheck, ...]:
    """Compare the mask of every site with what the model declares, queries of padding left out.

    Parameters
    ----------
    model, inputs, expected
        As for `adapter.context.adapted`.
    """
    given = default_inputs(model) if inputs is None else inputs
    masks = _Masks()
    context = adapted(model, inputs=given, expected=expected)
    with torch.no_grad(), context as sites, observing(masks):
        model(**given)
    counts = masks.counts
    return tuple(
        MaskCheck(s, *(counts[s.index, what] for what in ("expected", "beyond", "hidden")))
        for s in sites
    )


class _Masks:
    """Counts pairs; it needs no weights."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, str]] = Counter()

    def observe(self, layer: int, block: Block) -> None:
        """Take in nothing: masks are seen by `attend`."""

    def attend(self, layer: int, scores: Scores) -> None:
        """Count one site's pairs."""
        for rows in row_blocks(scores.q.shape[2], 128):
            wanted, seen = scores.expected_support(rows), scores.visible(rows)
            if scores.real_queries is not None:
                seen = seen & scores.real_queries[:, rows, None]
            pairs = {"expected": wanted, "beyond": seen & ~wanted, "hidden": wanted & ~seen}
            for what, which in pairs.items():
                each = len(scores.samples) if len(which) == 1 else 1
                self.counts[layer, what] += int(which.sum()) * each
