"""From what a model hands to its attention function to `Scores`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from attnpipe.attention.adapter.frames import Frame
from attnpipe.attention.adapter.scores import Pattern, Scores


def describe(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    options: Mapping[str, Any],
    *,
    cross: bool,
    frame: Frame,
    expected: Pattern | None,
    samples: Int64[Tensor, " sample"],
) -> tuple[Scores, Int64[Tensor, "sample 2"]]:
    """Return the scores of one call, and each sample's padding before queries and keys.

    Parameters
    ----------
    module
        The attention module that calls.
    query, key, value
        ``[sample, head or key head, step, dim]``.
    mask
        Of the model: boolean, additive or None.
    options
        The other arguments of the call, as `transformers` names them.
    cross
        Whether keys come from another sequence than queries.
    frame
        What the innermost running model was given.
    expected
        What the mask should be; None: what the module declares by `is_causal` and its
        sliding window.
    samples
        Index of each sample in the probe set.
    """
    n, queries, keys = len(query), query.shape[2], key.shape[2]
    end = frame.past + queries
    # A cache that slides keeps the newest keys; one of fixed size has room after them.
    first = end - keys if keys <= end and not cross else 0
    query_positions = torch.arange(frame.past, end, device=query.device)
    key_positions = torch.arange(first, first + keys, device=query.device)
    own = frame.tokens.over(end, n)
    read = frame.encoder_tokens.over(keys, n) if cross else own
    real_queries = own.at(query_positions)
    if real_queries is None and own.declared:
        real_queries = torch.ones(1, queries, dtype=torch.bool, device=query.device)
    is_causal = options.get("is_causal")
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    scale = options.get("scaling")
    scores = Scores(
        q=query,
        k=key,
        v=value,
        scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
        softcap=options.get("softcap"),
        bias=options.get("position_bias"),
        mask=mask,
        causal=mask is None and queries > 1 and bool(is_causal),
        expected=_declared(module, options, cross) if expected is None else expected,
        real_queries=real_queries,
        real_keys=read.at(key_positions),
        query_positions=query_positions,
        key_positions=key_positions,
        samples=samples,
    )
    return scores, torch.stack([own.starts(n), read.starts(n)], dim=1)


def _declared(module: nn.Module, options: Mapping[str, Any], cross: bool) -> Pattern:
    if cross:
        return Pattern()
    causal = options.get("is_causal")
    if causal is None:
        causal = getattr(module, "is_causal", False)
    # A config can turn a decoder into a model that sees both ways.
    causal = causal and getattr(getattr(module, "config", None), "is_causal", True)
    return Pattern(causal=bool(causal), window=options.get("sliding_window"))


def by_start(
    scores: Scores, starts: Int64[Tensor, "sample 2"]
) -> list[tuple[Int64[Tensor, " chosen"], Scores]]:
    """Split a batch so that in each part position 0 is the first real token of all samples.

    Without padding at the left this is one part.
    """
    different = torch.unique(starts, dim=0)
    if len(different) == 1 and not different.any():
        return [(torch.arange(len(starts)), scores)]
    parts = []
    for start in different:
        index = torch.nonzero((starts == start).all(1))[:, 0]
        part = replace(
            scores.of_samples(index),
            query_positions=scores.query_positions - int(start[0]),
            key_positions=scores.key_positions - int(start[1]),
        )
        parts.append((index, part))
    return parts
