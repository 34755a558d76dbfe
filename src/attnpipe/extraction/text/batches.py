"""Texts of one length go through the model together: no padding, nothing to mask."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from attnpipe.text.reading import ModelText

BATCH = 32
TOKENS = 8192
"""Most tokens of a batch: logits of 50,000 words take as much as 1.6 GB then."""


def batches(
    texts: Sequence[ModelText], size: int = BATCH, tokens: int = TOKENS
) -> Iterator[list[ModelText]]:
    """Yield texts of one length together, short ones first.

    At most `size`, and so many that they have at most `tokens` tokens, if they are not one.
    """
    lengths: dict[int, list[ModelText]] = {}
    for text in texts:
        lengths.setdefault(len(text.tokens.ids), []).append(text)
    for length in sorted(lengths):
        alike = lengths[length]
        step = max(1, min(size, tokens // max(1, length)))
        for start in range(0, len(alike), step):
            yield alike[start : start + step]


def ids_of(texts: Sequence[ModelText]) -> torch.Tensor:
    """Return the token ids, int64 ``[text, token]``."""
    return torch.from_numpy(np.stack([text.tokens.ids for text in texts]))
