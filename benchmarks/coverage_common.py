"""What simulations of coverage share: kinds of data, and a share that is simulated."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attnpipe.stats.estimate import Estimate

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
SEEDS = (3, 5, 10)
UNITS = 24


@dataclass(frozen=True)
class Quantity:
    """A share that is simulated.

    Attributes
    ----------
    nominal
        What it should be: at least, for an interval; at most, for an error.
    rate
        From generator, draws, number of seeds (or other replicates) and repetitions to the
        share.
    sizes
        Numbers of replicates that are simulated.
    """

    nominal: float
    rate: Callable[[np.random.Generator, Draw, int, int], float]
    sizes: tuple[int, ...] = SEEDS


def covers(estimates: list[Estimate], truth: float, confidence: float) -> float:
    """Return the share of intervals that hold the truth."""
    ends = np.array([estimate.interval(confidence) for estimate in estimates])
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def crossed(rng: np.random.Generator, draw: Draw, n: int, times: int) -> np.ndarray:
    """Return values of seeds × units with effects of seeds, units and both."""
    seed, unit = draw(rng, (times, n, 1)), draw(rng, (times, 1, UNITS))
    return np.asarray(0.3 * seed + 0.5 * unit + 0.5 * draw(rng, (times, n, UNITS)))
