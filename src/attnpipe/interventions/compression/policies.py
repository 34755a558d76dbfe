"""Which tokens are kept."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from attnpipe.schema.compression import CompressionSpec, Policy

Kept = Int64[np.ndarray, "#item kept"]


@dataclass(frozen=True)
class Context:
    """The tokens before the last one, which is always kept.

    Attributes
    ----------
    items
        Number of each item, which draws its random places, whoever else is read with it.
    attention
        ``[item, place]``: what the last token gives each of them, mean over layers and heads.
    typical
        ``[item | 1, place]``: its mean over *other* items on which policies are chosen; None
        where there is none.
    """

    items: Int64[np.ndarray, " item"]
    attention: Float[np.ndarray, "item place"]
    typical: Float[np.ndarray, "#item place"] | None

    @property
    def places(self) -> int:
        """Number of tokens that may be removed."""
        return int(self.attention.shape[1])


@dataclass(frozen=True)
class Choice:
    """One way of keeping tokens.

    Attributes
    ----------
    policy, budget
        As in the config.
    kept
        Places, ascending, of each item or of all; the last token is not among them.
    draw
        Which one of several random draws.
    """

    policy: Policy
    budget: float
    kept: Kept
    draw: int = 0

    @property
    def everything(self) -> bool:
        """Whether nothing is left out, so that nothing need be read again."""
        return self.budget == 1


def choices(context: Context, spec: CompressionSpec) -> Iterator[Choice]:
    """Yield every policy at every budget, in the config's order.

    A budget below 1 that is too large for so few tokens to leave any out is no choice.
    """
    for policy in spec.policies:
        if policy == "static_top" and context.typical is None:
            continue
        for budget in spec.budgets:
            k = kept_of(budget, context.places)
            if k >= context.places and budget < 1:
                continue
            for draw in range(spec.draws if policy == "random" and budget < 1 else 1):
                yield Choice(policy, budget, keep(policy, context, k, draw), draw)


def kept_of(budget: float, places: int) -> int:
    """Return how many of so many tokens a budget keeps: at least one."""
    return max(1, round(budget * places))


def keep(policy: Policy, context: Context, k: int, draw: int = 0) -> Kept:
    """Return the k places that a policy keeps, ascending."""
    n = context.places
    newest = np.arange(n - k, n)
    match policy:
        case "recent":
            return newest[None]
        case "sink_recent":  # its only token at k = 1 is the sink
            return np.concatenate([[0], newest[1:]])[None].astype(np.int64)
        case "uniform":  # the last of every k-th part, so that the newest is among them
            return (np.floor((np.arange(k) + 1) * n / k).astype(np.int64) - 1)[None]
        case "static_top":
            assert context.typical is not None  # else it is no choice
            return _largest(context.typical, k)
        case "top_attention":
            return _largest(context.attention, k)
        case "random":
            drawn = [np.random.default_rng([draw, int(item)]).random(n) for item in context.items]
            return _largest(np.stack(drawn), k)


def typical_of(
    attention: Float[np.ndarray, "item place"], chosen_on: Bool[np.ndarray, " item"]
) -> Float[np.ndarray, "item place"] | None:
    """Return, for each item, the mean attention over the *other* items that are chosen on.

    None if an item has no such other: an item must not tell what of itself is kept.
    """
    others = chosen_on.sum() - chosen_on
    if not (others > 0).all():
        return None
    total = attention[chosen_on].sum(axis=0)
    own = np.where(chosen_on[:, None], attention, 0.0)
    return np.asarray((total - own) / others[:, None])


def _largest(values: Float[np.ndarray, "item place"], k: int) -> Kept:
    """Return the places of the k largest values of each row; of equal ones the newer."""
    order = values.shape[1] - 1 - np.argsort(-values[:, ::-1], axis=1, kind="stable")
    return np.sort(order[:, :k], axis=1).astype(np.int64)
