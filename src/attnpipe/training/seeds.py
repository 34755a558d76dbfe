"""One seed per source of randomness of a run."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """Independent streams derived from a run's seed."""

    initialisation: int
    order: int
    noise: int
    """Dropout."""
    labels: int
    """The permutation of targets, where they are shuffled."""

    @classmethod
    def of(cls, seed: int) -> "Seeds":
        """Return the streams of a run's seed."""
        return cls(*np.random.SeedSequence(seed).generate_state(4).tolist())
