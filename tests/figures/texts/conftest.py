"""One way to draw for all tests of this folder."""

from collections.abc import Callable
from types import ModuleType

import polars as pl
import pytest
from matplotlib.figure import Figure

from attnpipe.figures.registry import FIGURES, NEEDS
from attnpipe.schema.figure import FigureOptions

Draw = Callable[..., Figure]


@pytest.fixture(scope="session")
def draw(text_factory: ModuleType) -> Draw:
    """Draw a figure of a plan's study, or of other tables."""

    def drawn(
        name: str,
        plan: object | None = None,
        tables: dict[str, pl.DataFrame] | None = None,
        **options: object,
    ) -> Figure:
        plan = plan or text_factory.Plan()
        tables = tables or text_factory.study(plan)
        needed = {table: tables[table] for table in NEEDS[name]}
        context = text_factory.figure_context(plan)
        figure = FIGURES.load(name)(needed, context, FigureOptions(**options))
        assert isinstance(figure, Figure)
        return figure

    return drawn
