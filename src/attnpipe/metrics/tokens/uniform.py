"""What uniform attention would have in the same rows: the chance level of all sums over rows."""

from typing import Any

from jaxtyping import Float

from attnpipe.metrics.rows import Rows


def share(rows: Rows) -> Float[Any, "_ sample query"]:
    """Return 1/n of each valid row, 0 in others; the head axis is 1 where heads agree."""
    xp = rows.xp
    valid = xp.astype(rows.valid, xp.float64)
    if bool(xp.all(rows.valid == rows.valid[:1, ...])):
        valid = valid[:1, ...]
    return valid / xp.where(rows.n > 0, rows.n, 1.0)


def weights(rows: Rows) -> Float[Any, "_ sample query key"]:
    """Return M/n of each valid row, 0 in others; the head axis is 1 where heads agree."""
    return rows.mask * share(rows)[..., None]
