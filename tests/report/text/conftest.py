"""The factory of synthetic studies of texts as a fixture: test folders are no packages."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

FACTORY = Path(__file__).parents[2] / "diagnosis" / "text" / "factory.py"


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    name = "attnpipe_text_factory"
    if name not in sys.modules:
        spec = spec_from_file_location(name, FACTORY)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
