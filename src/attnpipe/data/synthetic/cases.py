"""Synthetic tasks whose right diagnosis is known, because the generator says what is needed.

Each case draws windows of T steps and one target. Inputs are standard normal unless said
otherwise, and the target carries noise of sd 0.1. The answer was written down before any
model was trained on the case, but for `alone`, whose answer was widened afterwards:
`docs/calibration.md` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

NOISE = 0.1
PAIRS = 4
"""Dimensions of the keys of `recall`."""
MARGIN = 0.02
"""Share of what can be known that `margin` needs attention for."""

Windows = Float[np.ndarray, "window step feature"]
Targets = Float[np.ndarray, " window"]


@dataclass(frozen=True)
class Case:
    """A generator and the diagnosis that is right for it.

    Attributes
    ----------
    draw
        ``(rng, windows, steps) → inputs, targets``.
    features
        Inputs per step.
    answer
        Name of the diagnosis of a model that can attend (`diagnosis.verdicts.table`).
    why
        Why it is right.
    mask
        Feature that is 1 for steps that exist, where windows have padding.
    """

    draw: Callable[[np.random.Generator, int, int], tuple[Windows, Targets]]
    features: int
    answer: str
    why: str
    mask: int | None = None


def _noise(rng: np.random.Generator, n: int) -> Targets:
    return NOISE * rng.standard_normal(n)


def lag(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = x[T − 6, 0]."""
    x = rng.standard_normal((n, steps, 2))
    return x, x[:, steps - 6, 0] + _noise(rng, n)


def last(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = x[T − 1, 0]."""
    x = rng.standard_normal((n, steps, 2))
    return x, x[:, -1, 0] + _noise(rng, n)


def mean(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = √T · mean of x[:, 0]."""
    x = rng.standard_normal((n, steps, 2))
    return x, np.sqrt(steps) * x[:, :, 0].mean(1) + _noise(rng, n)


def selcopy(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = value of the one step that is marked."""
    x = np.zeros((n, steps, 2))
    x[..., 0] = rng.standard_normal((n, steps))
    marked = rng.integers(0, steps, n)
    x[np.arange(n), marked, 1] = 1.0
    return x, x[np.arange(n), marked, 0] + _noise(rng, n)


def _question(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Return keys and values, the last step with the key of one of them, and that one's value."""
    x = np.zeros((n, steps, PAIRS + 1))
    keys = rng.standard_normal((n, steps, PAIRS))
    x[..., :PAIRS] = keys / np.linalg.norm(keys, axis=-1, keepdims=True)
    x[..., PAIRS] = rng.standard_normal((n, steps))
    asked = rng.integers(0, steps - 1, n)
    x[:, -1] = 0.0
    x[:, -1, :PAIRS] = x[np.arange(n), asked, :PAIRS]
    return x, x[np.arange(n), asked, PAIRS]


def recall(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = value of the step whose key the last step repeats: unit keys in R⁴, then the value."""
    x, value = _question(rng, n, steps)
    return x, value + _noise(rng, n)


def random(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y has nothing to do with x."""
    return rng.standard_normal((n, steps, 2)), rng.standard_normal(n)


def sink(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """As `recall`, behind a first step that holds nothing; half of the questions have no answer.

    The asked key is then no step's, and y = 0: attention has somewhere to go for nothing.
    """
    x, _ = recall(rng, n, steps)
    x = np.concatenate([x, np.zeros((n, steps, 1))], axis=-1)
    x[:, 0], x[:, 0, -1] = 0.0, 1.0
    asked = rng.integers(1, steps - 1, n)
    strange = rng.standard_normal((n, PAIRS))
    strange /= np.linalg.norm(strange, axis=-1, keepdims=True)
    answered = rng.random(n) < 0.5
    held = x[np.arange(n), asked]
    x[:, -1, :PAIRS] = np.where(answered[:, None], held[:, :PAIRS], strange)
    return x, np.where(answered, held[:, PAIRS], 0.0) + _noise(rng, n)


def lengths(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """As `recall`, with 2 to T steps that exist, the others being padding at the old end."""
    x, _ = recall(rng, n, steps)
    first = rng.integers(0, steps - 1, n)
    asked = first + (rng.random(n) * (steps - 1 - first)).astype(np.int64)
    x[:, -1, :PAIRS] = x[np.arange(n), asked, :PAIRS]
    exists = np.arange(steps)[None, :] >= first[:, None]
    y = x[np.arange(n), asked, PAIRS] + _noise(rng, n)
    return np.concatenate([x * exists[..., None], exists[..., None]], axis=-1), y


def alone(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = x[T − 1, 0], and only the last step exists: rows have one key, n = 1."""
    x, y = last(rng, n, steps)
    exists = np.zeros((n, steps, 1))
    exists[:, -1] = 1.0
    return np.concatenate([x * exists, exists], axis=-1), y


def margin(rng: np.random.Generator, n: int, steps: int) -> tuple[Windows, Targets]:
    """Y = √.98 · own value of the last step + √.02 · value that `recall` asks for.

    Who cannot recall loses exactly 2 % of what can be known, the default margin.
    """
    x, recalled = _question(rng, n, steps)
    x[:, -1, PAIRS] = rng.standard_normal(n)
    own = x[:, -1, PAIRS]
    return x, np.sqrt(1 - MARGIN) * own + np.sqrt(MARGIN) * recalled + _noise(rng, n)


CASES: dict[str, Case] = {
    "lag": Case(lag, 2, "POSITIONAL", "the step that is needed is always the same"),
    "last": Case(last, 2, "UNUSED", "the last step is read without attention"),
    "mean": Case(mean, 2, "AVERAGING", "all steps count alike"),
    "selcopy": Case(
        selcopy, 2, "CONTENT-REDUNDANT", "a gate on the marker, then a mean, does the same"
    ),
    "recall": Case(recall, PAIRS + 1, "CONTENT-BENEFICIAL", "which step is needed, the query says"),
    "random": Case(random, 2, "NO-SKILL", "there is nothing to learn"),
    "sink": Case(sink, PAIRS + 2, "CONTENT-BENEFICIAL", "as recall; the first step is a sink"),
    "lengths": Case(
        lengths, PAIRS + 2, "CONTENT-BENEFICIAL", "as recall, with padding", mask=PAIRS + 1
    ),
    "alone": Case(
        alone, 3, "AVERAGING", "one key per row: weights are 1, whatever is done to them", mask=2
    ),
    "margin": Case(
        margin, PAIRS + 1, "INCONCLUSIVE", "attention is worth exactly what counts as nothing"
    ),
}
"""Case → generator and right diagnosis of the model `reader`."""
