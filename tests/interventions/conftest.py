"""Trained runs to intervene on."""

from tests.extraction.conftest import make_trained, trained_cache  # noqa: F401 (fixtures)
