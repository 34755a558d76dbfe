import pytest
from tests.aggregation.text.factory import MODEL, study

from attnpipe.aggregation.text.model import aggregate_text


@pytest.fixture(scope="session")
def made():
    """A study with planted effects."""
    return study()


@pytest.fixture(scope="session")
def aggregate():
    """The function that folds a study of the factory."""

    def fold(of, options=None):
        return aggregate_text(MODEL, of.run, of.texts, of.spans, options or of.options, of.outcome)

    return fold


@pytest.fixture(scope="session")
def tables(made, aggregate):
    return aggregate(made)
