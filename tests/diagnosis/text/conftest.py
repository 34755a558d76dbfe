"""The factory of synthetic studies of texts as a fixture."""

from types import ModuleType

import pytest
from tests.diagnosis.text import factory as studies_of_texts


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    return studies_of_texts
