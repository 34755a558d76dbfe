"""The order of checkpoints, and which of them form the trajectory over training."""

import re
from collections.abc import Iterable, Sequence

from attnpipe.core.errors import UserError
from attnpipe.core.record import SHUFFLED, LayerRecord

EPOCH = re.compile(r"epoch_(\d+)")
OUTSIDE = ("best", "test", SHUFFLED)
"""Checkpoints that are no point of the trajectory."""


def place(checkpoint: str) -> tuple[int, int]:
    """Return a sort key: ``untrained``, epochs by number, ``best``, ``test``, `SHUFFLED`.

    Raises
    ------
    UserError
        For any other name.
    """
    if checkpoint == "untrained":
        return 0, 0
    if match := EPOCH.fullmatch(checkpoint):
        return 1, int(match[1])
    if checkpoint in OUTSIDE:
        return 2, OUTSIDE.index(checkpoint)
    raise UserError(
        f"unknown checkpoint '{checkpoint}': name it untrained, epoch_NNN, best or test"
    )


def by_layer(records: Iterable[LayerRecord]) -> dict[int, list[LayerRecord]]:
    """Return layer → its records in checkpoint order.

    Raises
    ------
    UserError
        If a layer occurs twice at a checkpoint.
    """
    layers: dict[int, list[LayerRecord]] = {}
    for record in sorted(records, key=lambda r: (r.layer, place(r.checkpoint))):
        own = layers.setdefault(record.layer, [])
        if own and place(own[-1].checkpoint) == place(record.checkpoint):
            raise UserError(
                f"layer {record.layer} has checkpoint '{record.checkpoint}' twice: keep one"
            )
        own.append(record)
    return layers


def references(records: Sequence[LayerRecord], index: int) -> dict[str, LayerRecord]:
    """Return the records that record `index` is compared with: ``previous`` and ``final``.

    Both are points of the trajectory (``untrained`` and epochs); ``final`` is its last
    epoch. Those `OUTSIDE` of it are compared with none.
    """
    if records[index].checkpoint in OUTSIDE:
        return {}
    epochs = [r for r in records if EPOCH.fullmatch(r.checkpoint)]
    previous = {"previous": records[index - 1]} if index else {}
    return previous | ({"final": epochs[-1]} if epochs else {})
