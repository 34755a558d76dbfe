"""Fully connected forecaster."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from attnpipe.schema.model import MlpModel


class Mlp(nn.Module):
    """ReLU layers over the last step (`last`) or the flattened window (`flat`)."""

    def __init__(self, spec: MlpModel, n_features: int, window: int) -> None:
        super().__init__()
        self.last_only = spec.input == "last"
        widths = [n_features if self.last_only else n_features * window, *spec.hidden]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, windows: Float[Tensor, "sample step feature"]) -> Float[Tensor, " sample"]:
        """Return the forecast in scaled target units."""
        inputs = windows[:, -1] if self.last_only else windows.flatten(1)
        forecast: Tensor = self.layers(inputs).squeeze(-1)
        return forecast
