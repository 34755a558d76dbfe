"""Named interventions on attention weights, for `hooks.overriding`.

Each function returns an `Override`: it is given some rows of a layer with their support and
returns the weights that act instead. What they put off the support is dropped, and rows
are brought to sum 1, unless `overriding` is told otherwise.
"""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.hooks import Override
from attnpipe.core.block import Block
from attnpipe.core.errors import UserError


def identity() -> Override:
    """Replace weights by themselves: nothing changes but rounding, which is the test."""
    return lambda layer, block: block.weights


def uniform() -> Override:
    """Give every key of the support the same weight, to see whether unequal weights matter."""
    return lambda layer, block: torch.ones_like(block.weights)


def zero() -> Override:
    """Take attention away; use with ``overriding(zero(), normalize=False)``."""
    return lambda layer, block: torch.zeros_like(block.weights)


def local_window(width: int) -> Override:
    """Keep the weights of keys less than `width` positions from the query, forget the rest.

    A row without weight on any of them gets equal weights on them.

    Raises
    ------
    UserError
        `width` is below 1; when it acts: a row has no key of its support so near.
    """
    if width < 1:
        raise UserError(f"local_window is {width} keys wide: choose at least 1")

    def override(layer: int, block: Block) -> Tensor:
        lag = block.query_positions[:, None] - block.key_positions
        near = block.support & (lag.abs() < width)
        kept = block.weights * near
        return torch.where(kept.sum(-1, keepdim=True) > 0, kept, near.to(kept.dtype))

    return override


def last_step() -> Override:
    """Put all weight on the newest key of the support, as a model without attention would."""

    def override(layer: int, block: Block) -> Tensor:
        keys = torch.arange(len(block.key_positions), device=block.support.device)
        newest = block.support.int() * (1 + keys)
        last = nn.functional.one_hot(newest.argmax(-1), len(block.key_positions))
        return last.to(block.weights.dtype).expand(block.weights.shape)

    return override


def value_norm() -> Override:
    """Weigh each key by its share of what is added up: weight times the norm of its value.

    Kobayashi et al. (2020), Attention is not only a weight, §2.3, before the projection.

    Raises
    ------
    UserError
        When it acts: the block carries no values.
    """

    def override(layer: int, block: Block) -> Tensor:
        if block.values is None:
            raise UserError(f"value_norm needs the values of layer {layer}, which are not given")
        norms = block.values.to(block.weights.dtype).norm(dim=-1)
        norms = norms.repeat_interleave(len(block.weights) // len(norms), dim=0)
        weighted: Tensor = block.weights * norms[:, :, None, :]
        nothing = weighted.sum(-1, keepdim=True) == 0  # values of zero add nothing anyway
        return torch.where(nothing, block.weights, weighted)

    return override


def in_layers(override: Override, layers: Collection[int]) -> Override:
    """Let an override act in some layers only."""
    return lambda layer, block: override(layer, block) if layer in layers else None


def permuted(shift: int = 1) -> Override:
    """Give each row the weights of another sample's row at the same position.

    The donor is the `shift`-th next sample of the batch, in a circle, whose row has the
    same support: weights stay on-manifold, content does not matter any more.

    Raises
    ------
    UserError
        `shift` is below 1; when it acts: a row has no such other sample.
    """
    if shift < 1:
        raise UserError(f"permuted shifts by {shift} samples: choose at least 1")

    def override(layer: int, block: Block) -> Tensor:
        n, queries = block.weights.shape[1:3]
        donor = _donors(block.support.expand(n, queries, -1), shift)
        real = block.support.any(-1).expand(n, queries)
        alone = real & (donor == torch.arange(n, device=donor.device)[:, None])
        if bool(alone.any()):
            sample, query = (int(i) for i in torch.nonzero(alone)[0])
            raise UserError(
                f"the row of sample {int(block.samples[sample])} at position "
                f"{int(block.query_positions[query])} has no other sample of the batch with the "
                "same support to be permuted with: batch texts of equal length"
            )
        permuted_rows: Tensor = block.weights[
            :, donor, torch.arange(queries, device=donor.device)[None, :]
        ]
        return permuted_rows

    return override


def _donors(support: Tensor, shift: int) -> Int64[Tensor, "sample query"]:
    """Return, per row, the `shift`-th next sample whose row has the same support."""
    n, queries, keys = support.shape
    donor = torch.arange(n, device=support.device)[:, None].repeat(1, queries)
    if bool((support == support[:1]).all()):
        return donor.roll(-shift, 0)
    flat = support.reshape(n * queries, keys)
    alike = torch.unique(flat, dim=0, return_inverse=True)[1].reshape(n, queries)
    for query in range(queries):
        for kind in alike[:, query].unique():
            members = torch.nonzero(alike[:, query] == kind)[:, 0]
            donor[members, query] = members.roll(-shift)
    return donor


def beta_override(weights: Mapping[int, Float[Tensor, "#head #sample query key"]]) -> Override:
    """Use given weights.

    Parameters
    ----------
    weights
        Layer → weights by absolute position of query and key and, where its axis is not 1,
        by index of the sample in the probe set. Other layers stay as they are.

    Raises
    ------
    UserError
        When it acts: a row, or a key of its support, lies outside the array.
    """

    def override(layer: int, block: Block) -> Tensor | None:
        given = weights.get(layer)
        if given is None:
            return None
        device = given.device
        samples = block.samples.to(device) * (given.shape[1] > 1)
        query, key = block.query_positions.to(device), block.key_positions.to(device)
        seen = block.support.any(0).to(device)
        outside = _outside(samples, given.shape[1]).any()
        outside |= (_outside(query, given.shape[2]) & seen.any(-1)).any()
        outside |= (_outside(key, given.shape[3]) & seen.any(0)).any()
        if bool(outside):
            raise UserError(
                f"beta_override of layer {layer} has shape {tuple(given.shape)} and the batch "
                f"reaches sample {int(samples.max())}, query {int(query.max())} and key "
                f"{int(key.max())}: give weights for all of them"
            )
        rows = given[:, samples][:, :, query.clamp(0, given.shape[2] - 1)]
        return rows[..., key.clamp(0, given.shape[3] - 1)].to(block.weights.device)

    return override


def position_mean(means: Mapping[int, Float[Tensor, "#head query key"]]) -> Override:
    """Use each layer's mean weights per query and key position, to see whether content matters.

    Parameters and errors are those of `beta_override`, without samples.
    """
    return beta_override({layer: mean[:, None] for layer, mean in means.items()})


def _outside(index: Int64[Tensor, " n"], size: int) -> Tensor:
    return (index < 0) | (index >= size)
