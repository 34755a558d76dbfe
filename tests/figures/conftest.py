"""Modules that tests of figures share, as fixtures."""

from types import ModuleType

import pytest
from tests.figures import factory as studies
from tests.figures import readable as judged
from tests.figures.texts import factory as studies_of_texts


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    return studies


@pytest.fixture(scope="session")
def text_factory() -> ModuleType:
    return studies_of_texts


@pytest.fixture(scope="session")
def readable() -> ModuleType:
    return judged
