"""Stacked LSTM, read out from its last hidden state or through attention."""

from jaxtyping import Float
from torch import Tensor, nn

from attnpipe.models.pooling import Pooling, PublishedRow
from attnpipe.models.registry import ATTENTIONS
from attnpipe.schema.model import LstmModel


class Lstm(nn.Module):
    """Stacked LSTM with a linear readout.

    A model with attention draws its LSTM and readout before its attention, so that it
    starts from the same weights as its baseline at the same seed.
    """

    def __init__(self, spec: LstmModel, n_features: int, window: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            n_features,
            spec.hidden,
            spec.layers,
            batch_first=True,
            dropout=spec.dropout if spec.layers > 1 else 0.0,
        )
        self.readout = nn.Linear(spec.hidden, 1)
        self.attention: Pooling | None = None
        if spec.attention is not None:
            pooling = ATTENTIONS.load(spec.attention.kind)
            self.attention = pooling(spec.attention, spec.hidden, layer=0, window=window)

    @property
    def published_row(self) -> PublishedRow:
        """Row that profiles by document 0's rules take."""
        return "only" if self.attention is None else self.attention.published_row

    def forward(self, windows: Float[Tensor, "sample step feature"]) -> Float[Tensor, " sample"]:
        """Return the forecast in scaled target units."""
        hidden, _ = self.lstm(windows)
        context = hidden[:, -1] if self.attention is None else self.attention(hidden)
        forecast: Tensor = self.readout(context).squeeze(-1)
        return forecast
