"""How every trainable model of a study is trained."""

from typing import Annotated, Literal

from pydantic import Field

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
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor on the learning rate when the validation loss stalls (ReduceLROnPlateau)."""
    plateau_patience: Annotated[int, Field(ge=0)] = 5
    """Epochs without improvement before that."""
    capture_every: Annotated[int, Field(ge=1)] = 1
    """Weights are kept every so many epochs, besides untrained, last and best."""
