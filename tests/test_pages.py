from pathlib import Path

import pytest

from attnpipe.pipeline.pages import pages

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["configuration.md", "results.md", "diagnosis.schema.json"])
def test_generated_pages_are_current(name):
    assert (ROOT / "docs" / name).read_text() == pages(ROOT / "config")[name], "run `make docs`"
