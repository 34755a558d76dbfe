"""Ids of evidence: readable, stable, and fit for anchors of a page."""

import re
from collections.abc import Mapping
from typing import Any

from attnpipe.aggregation.text.names import PRETRAINED

UNIFORM = "uniform"
"""What attention to examples' answers is compared with, in `text_contrasts`."""

ODD = re.compile(r"[^\w.{}-]+")


def key(*parts: object) -> str:
    """Return parts joined by dots, None left out; blanks and signs become underscores.

    Names of models, variants, spans and metrics stay apart; words that users look for may
    be anything, and two that differ in signs alone would not.
    """
    return ".".join(ODD.sub("_", str(part)) for part in parts if part is not None)


def before(kind: str, row: Mapping[str, Any]) -> str:
    """Return kind and model, and the checkpoint unless it is the pretrained one."""
    checkpoint = None if row["checkpoint"] == PRETRAINED else row["checkpoint"]
    return key(kind, row["model"], checkpoint)
