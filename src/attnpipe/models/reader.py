"""Steps embedded one by one, and attention as the only way between them."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.models.pooling import Pooling, PublishedRow
from attnpipe.models.registry import ATTENTIONS
from attnpipe.schema.model import ReaderModel


class Reader(nn.Module):
    """A residual layer per step with learned positions; the last step and the context are read out.

    Without attention only the last step is read: then nothing else can be known. A model
    with attention draws its scores last, so that it starts from the other weights of its arms.
    """

    def __init__(self, spec: ReaderModel, n_features: int, window: int) -> None:
        super().__init__()
        self.mask = spec.mask
        self.enter = nn.Linear(n_features, spec.width)
        self.position = nn.Parameter(torch.randn(window, spec.width) / spec.width**0.5)
        self.embed = nn.Linear(spec.width, spec.width)
        self.skip = nn.Linear(spec.width, spec.width)
        self.readout = nn.Linear(spec.width, 1)
        self.bring = None if spec.attention is None else nn.Linear(spec.width, spec.width)
        self.attention: Pooling | None = None
        if spec.attention is not None:
            pooling = ATTENTIONS.load(spec.attention.kind)
            self.attention = pooling(spec.attention, spec.width, layer=0, window=window)

    @property
    def published_row(self) -> PublishedRow:
        """Row that profiles by document 0's rules take."""
        return "only" if self.attention is None else self.attention.published_row

    def forward(
        self,
        windows: Float[Tensor, "sample step feature"],
        places: Int64[Tensor, "#sample step"] | None = None,
    ) -> Float[Tensor, " sample"]:
        """Return the forecast in scaled target units.

        Parameters
        ----------
        windows
            What is read, oldest step first.
        places
            Where each step stands in the whole window; None: 0, 1, 2, …
        """
        position = self.position[: windows.shape[1]] if places is None else self.position[places]
        entered = self.enter(windows) + position
        hidden = entered + self.embed(torch.relu(entered))
        state = self.skip(hidden[:, -1])
        if self.attention is not None and self.bring is not None:
            exists = None if self.mask is None else windows[..., self.mask] > 0
            # Projecting after the mean is the same as averaging projected values.
            state = state + self.bring(self.attention(hidden, exists))
        forecast: Tensor = self.readout(torch.relu(state)).squeeze(-1)
        return forecast
