"""Learning rate from step to step."""

import math

from attnpipe.schema.training import TrainingSpec


def learning_rate(training: TrainingSpec, step: int, steps: int) -> float:
    """Return the learning rate of a cosine schedule (Loshchilov and Hutter 2017, SGDR, eq. 5).

    Parameters
    ----------
    training
        Rises over `warmup_steps`, then falls as half a cosine to 0 at `decay_steps`.
    step
        From 0.
    steps
        Of the whole training, where `decay_steps` is not given.
    """
    rising = (step + 1) / training.warmup_steps if training.warmup_steps else 1.0
    if rising < 1:
        return training.learning_rate * rising
    end = training.decay_steps or steps
    done = (step - training.warmup_steps) / max(1, end - training.warmup_steps)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, done))))
