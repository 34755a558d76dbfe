"""Stored attention: one layer of a run at one checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from attnpipe.core.fold import State

SHUFFLED = "shuffled_inputs"
"""Checkpoint of final weights on probe inputs whose steps or tokens are in random order."""


@dataclass(frozen=True)
class LayerRecord:
    """Attention of one layer at one checkpoint on the probe set.

    Attributes
    ----------
    checkpoint
        ``untrained``, ``epoch_NNN``, ``best`` or ``test``; `SHUFFLED`: the final one once
        more, on shuffled inputs.
    layer
        Zero-based.
    weights
        float32 ``[head, sample, query, key]``: all probe samples, or as many as fit
        the size limit of a run. May be memory-mapped.
    support
        bool ``[sample|1, query|1, key]``.
    query_positions, key_positions
        int64 ``[query]``, ``[key]``.
    samples
        int64 ``[sample]``: which probe samples `weights` holds.
    states
        Fold name → state over *all* probe samples; empty when `weights` holds all.
    """

    checkpoint: str
    layer: int
    weights: np.ndarray
    support: np.ndarray
    query_positions: np.ndarray
    key_positions: np.ndarray
    samples: np.ndarray
    states: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """The fixed inputs on which attention is captured, as far as analyses need them.

    Attributes
    ----------
    halves
        int64 ``[sample]``: 0 for half A, 1 for half B.
    final
        Checkpoint that counts as final.
    averaged_over
        Axes over which the stored weights were averaged before they were saved
        (``()`` for attention captured here). Per-row metrics are then unknowable.
    published_row
        Which row document-0 style profiles take: ``only``, ``last_query`` or
        ``mean_query``.
    tokens
        int64 ``[sample, token]``: what was read, where inputs are tokens; else None.
    null_shares
        Layer → head → share of its rows at the final checkpoint that the values cannot tell;
        None where rows are uniform; empty where values are not known.
    failure
        Why the model could not be looked at; then nothing was captured.
    has_seeds
        Whether runs are replicates under different seeds; if not, statistics over
        seeds are unknowable.
    """

    halves: np.ndarray
    final: str = "best"
    averaged_over: tuple[str, ...] = ()
    published_row: str = "only"
    has_seeds: bool = True
    tokens: np.ndarray | None = None
    null_shares: Mapping[int, Sequence[float | None]] = field(default_factory=dict)
    failure: str | None = None
