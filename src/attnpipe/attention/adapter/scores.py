"""What one attention module is about to do: enough to compute any of its rows again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attnpipe.core.block import Block

_HIDDEN = -1e9
"""An additive mask hides a key at or below this, or half its dtype's lowest value."""
_REAL_ROWS = 128
"""Query rows whose support is held at a time."""


@dataclass(frozen=True)
class Pattern:
    """Which keys a query is expected to see, by position.

    Attributes
    ----------
    causal
        None of the future.
    window
        Only keys less than this far from the query; None: however far.
    """

    causal: bool = False
    window: int | None = None


@dataclass(frozen=True)
class Scores:
    """Queries, keys and all that acts on their weights; nothing of size query × key is made.

    Row ``i`` acts as ``softmax(cap(q_i·k · scale) + bias_i + mask_i)``, Vaswani et al.
    (2017), eq. 1, with ``cap(x) = softcap · tanh(x / softcap)``, Gemma 2 (2024), §2.

    Attributes
    ----------
    q, k, v
        As the model computed them, in its own dtype; each key head serves
        ``head / kvhead`` neighbouring query heads.
    scale
        Factor of q·k.
    softcap
        Bound of the scaled logits; None: no bound.
    bias
        Added to the logits of visible keys.
    mask
        The model's own: True for visible keys, or additive. None: see `causal`.
    causal
        Without a mask: row i sees keys 0 … i (by index, as sdpa counts). Else all are seen.
    expected
        What the mask should be, as far as the model declares it.
    real_queries
        False for padding, as declared by the mask of tokens; None: not declared, then a
        query that sees nothing is padding.
    real_keys
        False for padding; None: all real.
    query_positions, key_positions
        Absolute; 0 is the first token that is no padding.
    samples
        Index of each sample in the probe set.
    """

    q: Float[Tensor, "sample head query dim"]
    k: Float[Tensor, "sample kvhead key dim"]
    v: Float[Tensor, "sample kvhead key vdim"]
    scale: float
    softcap: float | None
    bias: Float[Tensor, "#sample #head #query key"] | None
    mask: (
        Bool[Tensor, "#sample #head #query key"] | Float[Tensor, "#sample #head #query key"] | None
    )
    causal: bool
    expected: Pattern
    real_queries: Bool[Tensor, "#sample query"] | None
    real_keys: Bool[Tensor, "#sample key"] | None
    query_positions: Int64[Tensor, " query"]
    key_positions: Int64[Tensor, " key"]
    samples: Int64[Tensor, " sample"]

    @property
    def dtype(self) -> torch.dtype:
        """In what weights are computed: float64 for float64 models, else float32."""
        return torch.float64 if self.q.dtype == torch.float64 else torch.float32

    def weights(self, rows: slice) -> Float[Tensor, "sample head rows key"]:
        """Return the weights that act in some query rows.

        A row that sees nothing is 0, as sdpa treats it; with an additive mask of finite
        numbers it is what these numbers make of it.
        """
        logits = grouped_matmul(self.q[:, :, rows].to(self.dtype), self._keys) * self.scale
        if self.softcap is not None:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        if self.bias is not None:
            logits = logits + _rows(self.bias, rows)
        mask = self.acting_mask(rows)
        if mask is None:
            return logits.softmax(-1)
        if mask.dtype == torch.bool:
            logits = logits.masked_fill(~mask, -torch.inf)
        else:
            logits = logits + mask
        nothing = logits.amax(-1, keepdim=True) == -torch.inf
        return logits.softmax(-1).masked_fill(nothing, 0.0)

    def context(
        self, weights: Float[Tensor, "sample head rows key"]
    ) -> Float[Tensor, "sample head rows vdim"]:
        """Return the means of the values under some rows' weights."""
        return grouped_matmul(weights, self.v.to(weights.dtype))

    def acting_mask(self, rows: slice) -> Tensor | None:
        """Return the mask of some rows as it acts; None: they see every key."""
        if self.mask is not None:
            return _rows(self.mask, rows)
        if not self.causal:
            return None
        steps = torch.arange(max(self.q.shape[2], self.k.shape[2]), device=self.q.device)
        return (steps[: self.k.shape[2]] <= steps[: self.q.shape[2]][rows, None])[None, None]

    def visible(self, rows: slice) -> Bool[Tensor, "#sample rows key"]:
        """Return the keys that at least one head of a row sees."""
        mask = self.acting_mask(rows)
        if mask is None:
            mask = torch.ones(1, dtype=torch.bool, device=self.q.device)
            return mask.expand(1, len(self.query_positions[rows]), len(self.key_positions))
        if mask.dtype != torch.bool:
            mask = mask > max(_HIDDEN, torch.finfo(mask.dtype).min / 2)
        return mask.any(1).expand(-1, len(self.query_positions[rows]), -1)

    def expected_support(self, rows: slice) -> Bool[Tensor, "#sample rows key"]:
        """Return the keys that rows should see, by what the model declares; {} for padding."""
        lag = self.query_positions[rows, None] - self.key_positions
        expected = torch.ones_like(lag, dtype=torch.bool)
        if self.expected.causal:
            expected &= lag >= 0
        if self.expected.window is not None:
            expected &= lag.abs() < self.expected.window
        expected = expected[None]
        if self.real_keys is not None:
            expected = expected & self.real_keys[:, None, :]
        if self.real_queries is not None:
            expected = expected & self.real_queries[:, rows, None]
        return expected

    def support(self, rows: slice) -> Bool[Tensor, "#sample rows key"]:
        """Return what rows are measured on: what they see of what they should see.

        Weight on anything else is a violation. So is a declared query that sees nothing:
        its support is then all that it should see, on which its weights do not sum to 1.
        """
        expected = self.expected_support(rows)
        support = self.visible(rows) & expected
        if self.real_queries is None:
            return support
        return torch.where(support.any(-1, keepdim=True), support, expected)

    def real_rows(self) -> Bool[Tensor, "#sample query"]:
        """Return which queries are no padding: as declared, or those that see anything."""
        if self.real_queries is not None:
            return self.real_queries
        steps = row_blocks(len(self.query_positions), _REAL_ROWS)
        return torch.cat([self.support(rows).any(-1) for rows in steps], dim=1)

    def block(self, rows: slice) -> Block:
        """Return some rows as observers see them, without gradients."""
        return Block(
            self.weights(rows).detach().transpose(0, 1),
            self.support(rows),
            self.query_positions[rows],
            self.key_positions,
            self.samples,
        )

    def of_samples(self, index: Int64[Tensor, " chosen"]) -> "Scores":
        """Return the scores of some samples."""

        def choose(x: Tensor | None) -> Tensor | None:
            return x if x is None or len(x) == 1 < len(self.samples) else x[index]

        return replace(
            self,
            q=self.q[index],
            k=self.k[index],
            v=self.v[index],
            bias=choose(self.bias),
            mask=choose(self.mask),
            real_queries=choose(self.real_queries),
            real_keys=choose(self.real_keys),
            samples=self.samples[index],
        )

    @cached_property
    def _keys(self) -> Float[Tensor, "sample kvhead dim key"]:
        return self.k.to(self.dtype).transpose(-1, -2)


def grouped_matmul(
    a: Float[Tensor, "sample head row inner"], b: Float[Tensor, "sample kvhead inner column"]
) -> Float[Tensor, "sample head row column"]:
    """Return ``a @ b`` where each head of `b` serves ``head / kvhead`` neighbours of `a`."""
    samples, heads, rows, inner = a.shape
    product = a.reshape(samples, b.shape[1], -1, inner) @ b
    return product.reshape(samples, heads, rows, b.shape[-1])


def row_blocks(rows: int, step: int) -> Iterator[slice]:
    """Return slices of at most `step` rows."""
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _rows(x: Tensor, rows: slice) -> Tensor:
    return x if x.shape[2] == 1 else x[:, :, rows]
