"""How every trainable model of a study is trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from attnpipe.schema.base import Section


class TrainingSpec(Section):
    """Optimiser, schedule and what is kept."""

    epochs: Annotated[int, Field(ge=1)]
    """Epochs; an epoch is `windows_per_epoch` windows."""
    windows_per_epoch: Annotated[int, Field(ge=1)] | None
    """Windows drawn (without replacement until all were seen) per epoch; null: all."""
    validation_windows: Annotated[int, Field(ge=1)] | None = None
    """Validation windows scored after each epoch, evenly spread; null: all."""
    batch_size: Annotated[int, Field(ge=1)]
    """Windows per optimiser step."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Optimiser."""
    learning_rate: Annotated[float, Field(gt=0)]
    """Initial learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay (decoupled for `adamw`)."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """Gradients are scaled to this norm when they exceed it; null: never."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """How the learning rate falls: `plateau` when the validation loss stalls, `cosine` from step to step, to 0."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """`cosine`: steps over which the learning rate first rises from 0, in proportion."""
    decay_steps: Annotated[int, Field(ge=1)] | None = None
    """`cosine`: step at which the learning rate is 0; null: the last one. Training may end before."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor on the learning rate when the validation loss stalls (ReduceLROnPlateau)."""
    plateau_patience: Annotated[int, Field(ge=0)] = 5
    """Epochs without improvement before that."""
    capture_every: Annotated[int, Field(ge=1)] = 1
    """Weights are kept every so many epochs, besides untrained, last and best."""

    @model_validator(mode="after")
    def _steps_belong_to_cosine(self) -> "TrainingSpec":
        if self.schedule == "plateau":
            for key, without in (("warmup_steps", 0), ("decay_steps", None)):
                if getattr(self, key) != without:
                    raise ValueError(
                        f"{key} is {getattr(self, key)}, which schedule 'plateau' has no use for; "
                        "choose schedule=cosine or remove it"
                    )
        elif self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise ValueError(
                f"decay_steps is {self.decay_steps}, but the learning rate rises for "
                f"{self.warmup_steps} steps (warmup_steps); let it end later"
            )
        return self
