"""Some attention rows of one layer, with what is needed to judge them."""

from dataclasses import dataclass
from typing import Any

Array = Any  # any array of the Python array API: numpy, torch, …


@dataclass(frozen=True)
class Block:
    """Rows of attention weights of one layer.

    Attributes
    ----------
    weights
        Real, ``[head, sample, query, key]``; each row a distribution over its support.
    support
        Boolean, ``[sample, query, key]``: the keys a query may see. The sample and
        query axes may have size 1, which stands for "the same for all". A query
        whose support is empty is padding.
    query_positions, key_positions
        Integer, ``[query]`` and ``[key]``: absolute positions, so that
        ``lag = query_position - key_position`` holds for any block.
    samples
        Integer, ``[sample]``: index of each sample in the probe set.
    values
        Real, ``[kvhead, sample, key, dim]``: what the weights average, where it is given;
        each value head serves ``head / kvhead`` neighbouring heads.
    """

    weights: Array
    support: Array
    query_positions: Array
    key_positions: Array
    samples: Array
    values: Array | None = None
