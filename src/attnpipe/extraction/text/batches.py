"""Texts of one length go through the model together: no padding, nothing to mask."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from attnpipe.text.reading import ModelText

BATCH = 32


def batches(texts: Sequence[ModelText], size: int = BATCH) -> Iterator[list[ModelText]]:
    """Yield texts with the same number of tokens, at most `size` at a time, short ones first."""
    lengths: dict[int, list[ModelText]] = {}
    for text in texts:
        lengths.setdefault(len(text.tokens.ids), []).append(text)
    for length in sorted(lengths):
        alike = lengths[length]
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def ids_of(texts: Sequence[ModelText]) -> torch.Tensor:
    """Return the token ids, int64 ``[text, token]``."""
    return torch.from_numpy(np.stack([text.tokens.ids for text in texts]))
