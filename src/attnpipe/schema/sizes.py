"""Sizes that a scale gives to the models; the models' own keys refer to them."""

from attnpipe.schema.base import Depth, Section, Width
from attnpipe.schema.pretrained import PretrainedModel


class Layers(Section):
    """Widths of fully connected layers."""

    hidden: list[Width]
    """Width of each hidden layer."""


class Stack(Section):
    """A stack of recurrent layers."""

    hidden: Width
    """Hidden units per layer."""
    layers: Depth
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
    additive: Width
    """Width of the additive scoring layer."""
    chat: PretrainedModel
    """The chat model of study `prompts`."""
