"""A model that was trained on tokens, with some of them removed."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block
from attnpipe.data.tokens import TokenDataset
from attnpipe.interventions.compression.policies import Context, choices, typical_of
from attnpipe.interventions.compression.table import CONFIRMATION, SELECTION, LossTable
from attnpipe.schema.compression import CompressionSpec

SPLITS = {"validation": SELECTION, "test": CONFIRMATION}
BATCH = 256


class LastRow:
    """Observer: mean over layers and heads of the row of one query."""

    def __init__(self, query: int) -> None:
        self._query = query
        self._sum: Float[Tensor, "sample key"] | None = None
        self._layers = 0

    def observe(self, layer: int, block: Block) -> None:
        """Add a layer's row, if it is among those shown."""
        at = torch.nonzero(block.query_positions == self._query)
        if len(at):
            row = block.weights[:, :, int(at[0])].double().mean(0)
            self._sum = row if self._sum is None else self._sum + row
            self._layers += 1

    def mean(self) -> Float[np.ndarray, "sample key"]:
        """Return the mean over layers."""
        assert self._sum is not None  # some layer has been seen
        row: np.ndarray = (self._sum / self._layers).numpy()
        return row


def shorten_sequences(
    module: nn.Module, dataset: TokenDataset, spec: CompressionSpec, table: LossTable
) -> None:
    """Foretell the token behind each sequence from a part of it.

    Policies are chosen on validation sequences and tried on test sequences.

    Parameters
    ----------
    module
        Trained, in evaluation mode.
    dataset
        Sequences of tokens.
    spec
        What is kept.
    table
        Takes the losses, in nats.
    """
    nats = float(np.log(dataset.vocabulary))
    typical: Float[np.ndarray, "1 place"] | None = None
    for split, said in SPLITS.items():
        tokens = dataset.tokens[dataset.splits[split]].astype(np.int64)
        attention, intact = _whole(module, tokens)
        selecting = np.full(len(tokens), said == SELECTION)
        if said == SELECTION:
            typical = attention.mean(0, keepdims=True)
            own = typical_of(attention, selecting)
        items = [(i, f"sequence {i}", said) for i in range(len(tokens))]
        trivial = np.full(len(tokens), nats)
        context = Context(dataset.splits[split], attention, own if said == SELECTION else typical)
        for choice in choices(context, spec):
            for reindexed in (False, True):
                losses = intact
                if not choice.everything:
                    losses = _losses(module, tokens, choice.kept, keep_positions=not reindexed)
                table.add(
                    choice, items, losses, intact, trivial, places=context.places,
                    reindexed=reindexed,
                )  # fmt: skip


def _whole(
    module: nn.Module, tokens: Int64[np.ndarray, "item token"]
) -> tuple[Float[np.ndarray, "item before"], Float[np.ndarray, " item"]]:
    """Return the last token's attention to those before it, and its loss."""
    rows, losses, last = [], [], tokens.shape[1] - 2
    everything = np.arange(last)[None]
    for start in range(0, len(tokens), BATCH):
        look = LastRow(last)
        with observing(look):
            part = tokens[start : start + BATCH]
            losses.append(_losses(module, part, everything, keep_positions=True))
        rows.append(look.mean()[:, :last])
    return np.concatenate(rows), np.concatenate(losses)


def _losses(
    module: nn.Module,
    tokens: Int64[np.ndarray, "item token"],
    kept: Int64[np.ndarray, "#item kept"],
    *,
    keep_positions: bool,
) -> Float[np.ndarray, " item"]:
    """Return the loss of each sequence's last token, read from the kept ones and the one before."""
    last = np.full((len(kept), 1), tokens.shape[1] - 2)
    places = torch.from_numpy(np.concatenate([kept, last], axis=1)).expand(len(tokens), -1)
    found = []
    for start in range(0, len(tokens), BATCH):
        part = slice(start, start + BATCH)
        ids = torch.from_numpy(tokens[part])
        positions = places[part] if keep_positions else torch.arange(places.shape[1])[None]
        logits = module(ids.gather(1, places[part]), positions)[:, -1]
        found.append(cross_entropy(logits.double(), ids[:, -1], reduction="none").numpy())
    return np.concatenate(found)
