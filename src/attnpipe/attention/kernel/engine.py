"""What turns scores into weights and statistics, and which of its kinds is used."""

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from attnpipe.attention.kernel.array_rows import ArrayRows
from attnpipe.attention.kernel.native import native
from attnpipe.attention.kernel.native_rows import NativeRows
from attnpipe.attention.kernel.sums import Rest, Sums
from attnpipe.attention.kernel.table import Layout
from attnpipe.core.errors import UserError

Kind = Literal["native", "array"]


@runtime_checkable
class Engine(Protocol):
    """Turns scores into weights, in place, and adds up what is asked of the rows.

    Attributes
    ----------
    name
        Its kind.
    block_rows
        Rows that it likes to be given at a time.
    """

    name: str
    block_rows: int

    def rows(
        self,
        scores: Float[Tensor, "row width"],
        first: Int32[np.ndarray, " row"],
        last: Int32[np.ndarray, " row"],
        counted: Bool[np.ndarray, " row"],
        *,
        low: int,
        query: int,
        sums: Sums,
        rest: Rest | None = None,
    ) -> None:
        """Take in neighbouring rows of one head.

        Parameters
        ----------
        scores
            Logits of the keys ``low … low + width − 1``; weights afterwards: 0 where a row
            does not see, NaN in a row that is no distribution.
        first, last
            Each row sees the keys ``first … last − 1``; none if these are no keys.
        counted
            Rows that are measured; the others only become weights.
        low
            Index of the first key of the scores.
        query
            Index of the first row.
        sums
            What is added to. Rows that are no distribution stay out of it.
        rest
            What is added to of the rows without some of their keys, which share one prefix.
        """

    def distances(
        self, weights: Float[Tensor, "head row width"], valid: Bool[np.ndarray, "head row"]
    ) -> Float[np.ndarray, "head head"]:
        """Return sums over rows of √(JSD/ln 2) between heads, as `metrics.tokens.distance`.

        Parameters
        ----------
        weights
            Rows that sum to 1.
        valid
            Rows that count, where they do in both heads.
        """

    def forget(self) -> None:
        """Let go of what is kept between blocks, so that the rest of the model has the room."""


def make_engine(layout: Layout, kind: Kind | None = None) -> Engine:
    """Return an engine; None: ``native`` where it is available, else ``array``.

    Raises
    ------
    UserError
        ``native`` is asked for and not available.
    """
    if kind == "array":
        return ArrayRows(layout)
    found = native()
    if found.library is not None:
        return NativeRows(layout, found)
    if kind == "native":
        raise UserError(
            f"the native attention engine is not available ({found.note}): install gcc, "
            "or attnpipe's extra 'compiler'"
        )
    return ArrayRows(layout)
