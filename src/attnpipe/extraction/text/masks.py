"""Whether a model's masks hide what the model declares visible, before it reads all texts."""

from collections.abc import Sequence
from typing import Any

from attnpipe.attention.adapter.checks import check_masks
from attnpipe.core.errors import UserError
from attnpipe.extraction.text.batches import ids_of
from attnpipe.text.reading import ModelText

TOKENS = 16
"""Tokens that are tried: fewer than any window or chunk that a model may have undeclared.

Of a model that declares a window so many more that its edge is among them.
"""


def check_visible(model: Any, texts: Sequence[ModelText]) -> None:
    """Raise a `UserError` if a model hides keys that, as it declares itself, a query sees.

    Keys that are seen and should not be are measured in every row that is read. Hidden ones
    are no part of a row's support: they would be missed.
    """
    longest = max(texts, key=lambda text: len(text.tokens.ids))
    window = getattr(model.config, "sliding_window", None) or 0
    ids = ids_of([longest])[:, : max(TOKENS, window + 2)]
    for check in check_masks(model, {"input_ids": ids, "use_cache": False}):
        if check.hidden:
            raise UserError(
                f"'{check.site.name}' of {type(model).__name__} hides {check.hidden} of "
                f"{check.expected} pairs of query and key that the model declares visible: its "
                "mask is broken; choose another model, or another version of transformers"
            )
