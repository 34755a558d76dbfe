"""Sizes that a scale gives to the models; the models' own keys refer to them."""

from typing import Annotated

from pydantic import Field

from attnpipe.schema.base import Section
from attnpipe.schema.pretrained import PretrainedModel

Units = Annotated[int, Field(ge=1)]


class Layers(Section):
    """Widths of fully connected layers."""

    hidden: list[Units]
    """Width of each hidden layer."""


class Stack(Section):
    """A stack of recurrent layers."""

    hidden: Units
    """Hidden units per layer."""
    layers: Units
    """Stacked layers."""


class SizesSpec(Section):
    """What `scale` decides about the models."""

    mlp_last: Layers
    """MLP on the last step."""
    mlp_flat: Layers
    """MLP on the whole window."""
    small: Stack
    """Small LSTMs."""
    medium: Stack
    """Medium LSTMs."""
    additive: Units
    """Width of the additive scoring layer."""
    chat: PretrainedModel
    """The chat model of study `prompts`."""
