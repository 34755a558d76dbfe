"""The factory of synthetic studies as a fixture."""

from types import ModuleType

import pytest
from tests.figures import factory as studies


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    return studies
