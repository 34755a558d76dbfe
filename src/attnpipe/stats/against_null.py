"""A likeness beside what it would be by chance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attnpipe.stats.confidence import NAN

EXCESS = 0.15
"""Likeness above the mean of the null that counts, whatever p: see `AgainstNull.above`."""
LEVEL = 0.05


@dataclass(frozen=True)
class AgainstNull:
    """A likeness, and draws of what it is where there is nothing to be found.

    Attributes
    ----------
    value
        The likeness; NaN where nothing could be compared.
    null
        The same under the null, draw by draw; NaN draws do not count.
    """

    value: float
    null: Float[np.ndarray, " draw"]

    @property
    def known(self) -> Float[np.ndarray, " known"]:
        """Draws that count."""
        return np.asarray(self.null[~np.isnan(self.null)])

    @property
    def mean(self) -> float:
        """Mean of the null."""
        return float(self.known.mean()) if len(self.known) else NAN

    @property
    def hi95(self) -> float:
        """What 95 % of the null stay below."""
        return float(np.quantile(self.known, 1 - LEVEL)) if len(self.known) else NAN

    @property
    def p(self) -> float:
        """One-sided p, (1 + hits)/(1 + draws); NaN where nothing could be compared."""
        if np.isnan(self.value) or not len(self.known):
            return NAN
        hits = np.count_nonzero(self.known >= self.value - 1e-12)
        return float((1 + hits) / (1 + len(self.known)))

    @property
    def excess(self) -> float:
        """Likeness above the mean of the null."""
        return self.value - self.mean

    @property
    def above(self) -> bool:
        """Whether the likeness is more than chance: p ≤ .05 and excess ≥ 0.15.

        p alone is right for rough or periodic profiles. Profiles that are smooth over a
        quarter of the keys or more lose likeness at the seam of a rotation
        (`stats.rotation`): by up to 0.07 if many heads are matched on few keys, where p is
        too small up to every second time; random logits (`stats.random_likeness`) are rough
        whatever the profile. `docs/statistics.md` has the figures.
        """
        return self.p <= LEVEL and self.excess >= EXCESS
