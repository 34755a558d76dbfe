"""Attention rows made ready for metrics: checked, renormalised, with their own support."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.core.block import Array, Block

REASONS = ("padding", "not_finite", "negative", "off_support", "sum")
"""Why a row is invalid, in the order in which the reasons are looked for."""


@dataclass(frozen=True)
class Rows:
    """Rows of one block, the form in which every row metric sees them.

    Keys ascend by position. Support and everything derived from it alone keep size-1
    sample and query axes where the block had them, and broadcast against the weights.

    Attributes
    ----------
    weights
        Renormalised to sum 1 on the support, exactly 0 off it; all 0 in an invalid row.
    support
        The keys a query may see.
    reason
        0 for a valid row, else 1 + index into `REASONS`.
    query_positions, key_positions
        Absolute positions, in the order of the axes; keys ascending.
    samples
        Index of each sample in the probe set.
    """

    weights: Float[Any, "head sample query key"]
    support: Bool[Any, "_ _ key"]
    reason: Int[Any, "head sample query"]
    query_positions: Int[np.ndarray, " query"]
    key_positions: Int[np.ndarray, " key"]
    samples: Int[np.ndarray, " sample"]

    @classmethod
    def from_block(cls, block: Block, tolerance: float) -> "Rows":
        """Check the rows of a block; the block's arrays are not changed.

        A row is valid iff its query is no padding (n ≥ 1), all weights are finite and
        ≥ −tolerance, the mass off the support is ≤ tolerance, and the mass on it is
        within tolerance of 1. Only then is it renormalised.

        Parameters
        ----------
        block
            Any real dtype; computation is in float64 on the array's own device.
        tolerance
            Largest ``|Σ_k A − 1|``: 1e-5 for float32, 5e-3 for half precision.

        Raises
        ------
        ValueError
            If the support does not broadcast against the weights.
        """
        xp = array_api_compat.array_namespace(block.weights)
        weights = xp.astype(block.weights, xp.float64, copy=False)
        device = array_api_compat.device(weights)
        support = xp.asarray(block.support, dtype=xp.bool, device=device)
        if any(s not in (1, w) for s, w in zip(support.shape, weights.shape[1:], strict=True)):
            raise ValueError(
                f"support {tuple(support.shape)} does not fit weights {tuple(weights.shape)}"
            )
        key_positions = to_numpy(block.key_positions)
        if np.any(np.diff(key_positions) < 0):
            order = np.argsort(key_positions, kind="stable")
            key_positions = key_positions[order]
            order = xp.asarray(order, device=device)
            weights = xp.take(weights, order, axis=-1)
            support = xp.take(support, order, axis=-1)
        kept, reason = _judge(xp, weights, support, tolerance)
        total = xp.sum(kept, axis=-1, keepdims=True)
        valid = (reason == 0)[..., None]
        weights = kept * xp.where(valid, 1.0 / xp.where(valid, total, 1.0), 0.0)
        return cls(
            weights=weights,
            support=support,
            reason=reason,
            query_positions=to_numpy(block.query_positions),
            key_positions=key_positions,
            samples=to_numpy(block.samples),
        )

    @cached_property
    def xp(self) -> Any:
        """The array namespace of the weights."""
        return array_api_compat.array_namespace(self.weights)

    @cached_property
    def valid(self) -> Bool[Any, "head sample query"]:
        """Rows that count."""
        return self.reason == 0

    @cached_property
    def mask(self) -> Float[Any, "1 _ _ key"]:
        """The support as 0 and 1, with a head axis of size 1."""
        return self.xp.astype(self.support, self.xp.float64)[None, ...]

    @cached_property
    def n(self) -> Float[Any, "1 _ _"]:
        """Size of each row's support; 0 for padding."""
        return self.xp.sum(self.mask, axis=-1)

    @cached_property
    def age(self) -> Float[Any, "1 _ _ key"]:
        """Rank of each supported key by recency: 1 is the newest, n the oldest, off support n + 1.

        Keys are counted, positions only order them, so gaps in the support do not matter.
        """
        xp = self.xp
        older = xp.cumulative_sum(self.mask, axis=-1)
        n = self.n[..., None]
        return xp.where(self.mask > 0, n - older + 1.0, n + 1.0)

    @cached_property
    def lag(self) -> Float[Any, "query key"]:
        """Query position − key position: positive for the past."""
        xp = self.xp
        lag = (self.query_positions[:, None] - self.key_positions[None, :]).astype(np.float64)
        return xp.asarray(lag, device=array_api_compat.device(self.weights))

    @cached_property
    def ascending(self) -> Float[Any, "head sample query key"]:
        """Each row sorted; the keys off the support are zeros at the front."""
        return self.xp.sort(self.weights, axis=-1)

    @cached_property
    def square_sum(self) -> Float[Any, "head sample query"]:
        """Σ p²."""
        return self.xp.vecdot(self.weights, self.weights)

    @cached_property
    def entropy(self) -> Float[Any, "head sample query"]:
        """Shannon entropy −Σ p ln p in nats, 0 ln 0 = 0; rounding is kept inside [0, ln n]."""
        xp = self.xp
        h = plogp(xp, self.weights)
        bound = xp.log(xp.where(self.n > 0, self.n, 1.0))
        h = xp.where(h > 0, h, 0.0)
        return xp.where(h < bound, h, bound)


def _judge(
    xp: Any,
    weights: Float[Any, "head sample query key"],
    support: Bool[Any, "_ _ key"],
    tolerance: float,
) -> tuple[Float[Any, "head sample query key"], Int[Any, "head sample query"]]:
    """Return the weights that may count (on the support, > 0) and each row's reason code."""
    finite = xp.all(xp.isfinite(weights), axis=-1)
    if not bool(xp.all(finite)):
        weights = xp.where(finite[..., None], weights, 0.0)  # ∞ − ∞ must not spoil sums
    on = support[None, ...]
    kept = xp.where(on & (weights > 0), weights, 0.0)
    off = xp.sum(xp.where(on, 0.0, weights), axis=-1)
    code = xp.where(xp.abs(xp.sum(weights, axis=-1) - 1.0) <= tolerance, 0, 5)
    code = xp.where(off > tolerance, 4, code)
    code = xp.where(xp.min(weights, axis=-1) < -tolerance, 3, code)
    code = xp.where(finite, code, 2)
    return kept, xp.where(xp.any(on, axis=-1), code, 1)


def plogp(xp: Any, p: Float[Any, "*rows key"]) -> Float[Any, "*rows"]:
    """Return −Σ p ln p over the last axis, with 0 ln 0 = 0."""
    return -xp.vecdot(p, xp.log(xp.where(p > 0, p, 1.0)))


def to_numpy(array: Array) -> np.ndarray:
    """Return any array-API array as numpy, from whatever device."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array_api_compat.to_device(array, "cpu"))
