import pytest
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text.model import aggregate_text
from attnpipe.schema.analysis import MetricsSpec


@pytest.fixture(scope="session")
def made():
    """A study with planted effects."""
    return study()


@pytest.fixture(scope="session")
def aggregate():
    """The function that folds a study of the factory."""

    def fold(of, options=None):
        chosen = options or of.options
        return aggregate_text(MODEL, of.run, of.texts, of.spans, chosen, MetricsSpec(), of.outcome)

    return fold


@pytest.fixture(scope="session")
def tables(made, aggregate):
    return aggregate(made)
