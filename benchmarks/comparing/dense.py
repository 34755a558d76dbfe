"""What studies of texts compute of stored weights, against the same of eager or exact ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch
from benchmarks.architectures import build, in_decoder
from benchmarks.comparing.folds import Batteries, battery_of, filled
from benchmarks.comparing.observed import eager_weights, exact_softmax, output
from benchmarks.comparing.precision import exact_weights
from benchmarks.comparing.reading import Reading
from benchmarks.comparing.rows import OPTIONS, difference

from attnpipe.aggregation.text.distances import head_clusters, model_distances
from attnpipe.aggregation.text.maps import maps
from attnpipe.aggregation.text.sinks import CONDITIONS, sinks_by_condition
from attnpipe.aggregation.text.split import COLUMNS, last_row_splits
from attnpipe.attention.adapter.context import adapted, sites
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block
from attnpipe.extraction.text.observers import WeightStore
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.tokens.data_sinks import data_sinks
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.texts import Texts

VIEWS = ("last_layer", "mean", "max", "rollout", "l1", "l0h2")
THRESHOLDS = (1.1, 1.5, 4.0)
"""Of sinks that weights show: those of random models hardly reach the usual 4."""
SINK = 1.5
"""The one of them whose sinks are taken out."""
CLUSTERS = 3


@dataclass
class StackStore:
    """Stores the weights of the layers of one stack as a study does, and keeps their scores."""

    store: WeightStore
    layers: tuple[int, ...]
    scores: dict[int, Scores] = field(default_factory=dict)

    def observe(self, layer: int, block: Block) -> None:
        """Store rows."""
        if layer in self.layers:
            self.store.observe(layer, block)

    def attend(self, layer: int, scores: Scores) -> None:
        """Store rows; no others are computed."""
        if layer in self.layers:
            self.scores[layer] = scores
            self.store.attend(layer, scores)


@dataclass(frozen=True)
class Stored:
    """Weights ``[layer, head, query, key]`` by text, where `aggregation.text` looks for them."""

    weights: Mapping[int, np.ndarray]

    def last(self, checkpoint: str, item: int) -> np.ndarray:
        """Return the last token's row of a text."""
        rows: np.ndarray = self.weights[item][:, :, -1]
        return rows

    def full(self, checkpoint: str, item: int) -> np.ndarray:
        """Return all rows of a text."""
        return self.weights[item]


def of_dense(reading: Reading, dtype: torch.dtype = torch.float64) -> float:
    """Return the largest difference of any number of `numbers`, at self-attention.

    For a model in float64 to eager weights, else to float64 weights of the same q and k.
    Captured weights are stored in float32, as those of a study are.
    """
    model, worst = build(reading.name, dtype), 0.0
    for stack in stacks(reading, sites(model)):
        texts = reading.texts(stack[0])
        lengths = {sample: len(text.ids) for sample, text in texts.tokens.items()}
        store = StackStore(WeightStore(lengths, list(lengths)), tuple(s.index for s in stack))
        seen = Batteries({site.index: battery_of(reading, site) for site in stack})
        with exact_softmax(), adapted(model), observing(store, seen):
            output(model, reading.inputs)
        if dtype == torch.float64:
            wanted = eager_weights(reading.name, dtype, reading.inputs, stack)
        else:
            wanted = [exact_weights(store.scores[s.index], reading.support(s)) for s in stack]
        want = torch.stack(wanted, dim=1).double().numpy()
        folds = [filled(reading, *of) for of in zip(stack, wanted, strict=True)]
        got = {sample: store.store.full(sample) for sample in lengths}
        both = (
            numbers(texts, Stored(weights), [b.views["all", None].incoming for b in batteries])
            for weights, batteries in ((got, seen.folds.values()), (dict(enumerate(want)), folds))
        )
        worst = max(worst, difference(*both))
    return worst


def stacks(reading: Reading, found: Sequence[Site]) -> list[list[Site]]:
    """Return the layers of self-attention that read the same texts, stack by stack."""
    own = [site for site in found if site.kind == "self"]
    both = ([s for s in own if in_decoder(reading.name, s) == which] for which in (False, True))
    return [stack for stack in both if stack]


def numbers(texts: Texts, stored: Stored, incoming: Sequence[Incoming]) -> dict[str, np.ndarray]:
    """Return split, views, distances, clusters of heads and found sinks, all as floats.

    Parameters
    ----------
    texts
        What was read: questions of one variant.
    stored
        All their weights.
    incoming
        Of each layer, over the texts.
    """
    samples = sorted(texts.tokens)
    sinks = {sample: texts[sample].sinks for sample in samples}
    items = pl.DataFrame({"item": samples}).with_columns(
        variant=pl.lit("plain"), texts=pl.lit(len(samples)), even=pl.lit(True)
    )
    shown = [(layer, int(key)) for layer, of in enumerate(incoming) for key in data_sinks(of, SINK)]
    places = np.array(shown, np.int64).reshape(-1, 2)
    by_weights = FoundSinks({("", sample): places for sample in samples})
    splits = last_row_splits([""], items, stored, OPTIONS, sinks, by_weights)
    found = {column: splits[column].cast(pl.Float64).to_numpy() for column in COLUMNS}
    full = [stored.full("", sample) for sample in samples]
    layers = len(full[0])
    removed = [
        {
            condition: gone[0]
            for condition, gone in sinks_by_condition(
                "", [sample], layers, sinks, by_weights
            ).items()
        }
        for sample in samples
    ]
    for condition in CONDITIONS:
        anywhere = [of[condition].any(axis=0) for of in removed]
        far = model_distances(full, anywhere if condition else None)
        found[f"distances {condition}"] = far
        found[f"clusters {condition}"] = head_clusters(far, CLUSTERS).astype(float)
    for sample, weights, gone in zip(samples, full, removed, strict=True):
        views = maps("", "", "", sample, weights, VIEWS, gone)
        found[f"maps {sample}"] = views["value"].to_numpy()
    for layer, of in enumerate(incoming):
        for threshold in THRESHOLDS:
            is_sink = np.zeros(len(full[0][0, 0]))
            is_sink[data_sinks(of, threshold)] = 1.0
            found[f"sinks {layer} {threshold}"] = is_sink
    return found
