"""How a run ended."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """End of a run; anything but ``ok`` is named in tables and report, the rest goes on.

    Attributes
    ----------
    outcome
        ``ok``; ``diverged``: the loss became NaN or infinite; ``failed``: the model could
        not be trained or looked at; ``refused``: saved weights were not valid.
    reason
        One sentence, unless ``ok``.
    parameters
        Trainable parameters, if known.
    best_epoch
        Epoch with the lowest validation loss, if any.
    checkpoints
        Names of the kept checkpoints, in their order; none where a run was not trained here.
    """

    outcome: Literal["ok", "diverged", "failed", "refused"]
    reason: str | None = None
    parameters: int | None = None
    best_epoch: int | None = None
    checkpoints: tuple[str, ...] = ()
