"""Modules that tests of figures share, as fixtures: test folders are no packages."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def load(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    return load("attnpipe_study_factory", HERE / "factory.py")


@pytest.fixture(scope="session")
def text_factory() -> ModuleType:
    return load("attnpipe_text_factory", HERE / "texts" / "factory.py")


@pytest.fixture(scope="session")
def readable() -> ModuleType:
    return load("attnpipe_readable", HERE / "readable.py")
