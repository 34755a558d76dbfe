"""Heads of one layer matched across seeds, beside what independent heads would reach."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attnpipe.stats.against_null import AgainstNull
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.rotation import rotated_likeness
from attnpipe.stats.rows import Support

MOST_PHASES = 32

Heads = Float[np.ndarray, "head sample query key"]
Samples = Int[np.ndarray, " _"]
Pairs = Float[np.ndarray, "seed seed"]
Likeness = Float[np.ndarray, "seed head seed head"]
Partners = Int[np.ndarray, "seed seed head"]
ByHead = Float[np.ndarray, "seed seed head"]


@dataclass(frozen=True)
class Matching:
    """Heads matched on one half of the probe samples and compared on the other.

    Attributes
    ----------
    partner
        Head of the second seed that matches a head of the first.
    by_head
        Centred cosine S_row of each head with its partner, on half B; NaN where a head
        has no pattern.
    matched
        Its mean over heads, for every pair of seeds; NaN on the diagonal.
    by_index
        The same without matching: head h with head h.
    null
        Mean of `matched` over pairs when heads are rotated along keys at random, each
        by itself: what matching finds among independent heads of the same smoothness.
    """

    partner: Partners
    by_head: ByHead
    matched: Pairs
    by_index: Pairs
    null: Float[np.ndarray, " draw"]

    @property
    def likeness(self) -> Estimate:
        """Mean of `matched` over pairs, with the delete-one-seed jackknife."""
        return pairwise_mean(self.matched)

    @property
    def against(self) -> AgainstNull:
        """The likeness beside its null."""
        return AgainstNull(self.likeness.value, self.null)


def match_heads(
    weights: Sequence[Heads],
    support: Support,
    half_a: Samples,
    half_b: Samples,
    draws: int = 199,
    seed: int = 0,
) -> Matching:
    """Match the heads of one layer between all pairs of seeds.

    The order of heads is arbitrary: a seed's head 0 may do what another's head 3 does.
    Partners maximise the sum of centred cosines on half A (Hungarian method: Kuhn 1955,
    *Naval Res. Logist. Quart.* 2) and are judged on half B. Matching always finds
    something: eight independent smooth heads reach about .5, which the null tells.

    Parameters
    ----------
    weights
        One array per seed, of the same samples; weights off the support are ignored.
    support
        Keys that a query may see, axes of size 1 standing for "the same for all".
    half_a, half_b
        Indices of the samples to match on and to score on, without a common one.
    draws, seed
        Number and seed of the rotations of the null. The smallest p is 1/(1 + draws),
        but with two seeds of one head there are only as many rotations as keys.

    Raises
    ------
    ValueError
        If a sample is in both halves, or seeds have different numbers of heads.
    """
    if np.intersect1d(half_a, half_b).size:
        raise ValueError("halves overlap: partners must be judged on samples of their own")
    count = {len(heads) for heads in weights}
    if len(count) != 1:
        raise ValueError(f"seeds have different numbers of heads: {sorted(count)}")
    phases = int(np.clip(support.sum(axis=-1).max(), 1, MOST_PHASES))
    a, b = (_likeness(weights, support, half, phases) for half in (half_a, half_b))

    # Heads without a pattern on half A are unlike all: they are left for each other.
    a = np.where(np.isnan(a), -1.0, a)
    partner = _partners(a[0])
    by_head = _scores(b[0], partner)
    same = _scores(b[0], np.broadcast_to(np.arange(partner.shape[-1]), partner.shape))
    rng = np.random.default_rng(seed)
    seeds, _, heads = partner.shape
    null = np.empty(draws)
    for draw in range(draws):
        turned = rng.integers(phases, size=(seeds, heads))
        phase = (turned[None, None] - turned[:, :, None, None]) % phases
        one, other = (np.take_along_axis(x, phase[None], axis=0)[0] for x in (a, b))
        null[draw] = pairwise_mean(_mean(_scores(other, _partners(one)))).value
    return Matching(partner, by_head, _mean(by_head), _mean(same), null)


def _likeness(
    weights: Sequence[Heads], support: Support, half: Samples, phases: int
) -> Float[np.ndarray, "phase seed head seed head"]:
    """Return the likeness of all heads of all seeds on some samples, at every phase."""
    visible = support[half] if len(support) > 1 else support
    flat = [head[half] for heads in weights for head in heads]
    shape = len(weights), len(weights[0])
    return rotated_likeness(flat, visible, phases).reshape(phases, *shape, *shape)


def _partners(likeness: Likeness) -> Partners:
    """Return the best partners of all pairs of seeds; −1 on the diagonal."""
    seeds, heads = likeness.shape[:2]
    if heads == 1:  # nothing to choose, and the import costs a quarter of a CPU-second
        return np.where(np.eye(seeds, dtype=bool)[..., None], -1, 0)
    from scipy.optimize import linear_sum_assignment

    partner = np.full((seeds, seeds, heads), -1)
    for i in range(seeds):
        for j in range(i + 1, seeds):
            _, partner[i, j] = linear_sum_assignment(likeness[i, :, j], maximize=True)
            partner[j, i, partner[i, j]] = np.arange(heads)
    return partner


def _scores(likeness: Likeness, partner: Partners) -> ByHead:
    """Return the likeness of partners; that of [j, i] is that of [i, j]; NaN on the diagonal."""
    seeds, heads = likeness.shape[:2]
    score = np.full(partner.shape, np.nan)
    i, j = np.triu_indices(seeds, 1)
    to = partner[i, j]
    score[i, j] = likeness[i[:, None], np.arange(heads), j[:, None], to]
    score[j[:, None], i[:, None], to] = score[i, j]
    return score


def _mean(by_head: ByHead) -> Pairs:
    """Return the mean over heads that have a value; NaN on the diagonal and where none has."""
    known = ~np.isnan(by_head)
    known[np.diag_indices(len(by_head))] = False
    total = np.where(known, by_head, 0.0).sum(axis=-1)
    count = known.sum(axis=-1)
    mean = np.full_like(total, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return np.asarray(mean)
