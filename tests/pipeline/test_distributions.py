"""What is installed is looked up once, and again when something else is installed."""

import sys
from importlib import metadata

import pytest

from attnpipe.pipeline.distributions import Distributions


@pytest.fixture
def looked(monkeypatch):
    """Times that the lists of files of all distributions were read."""
    times = []
    look = metadata.packages_distributions
    monkeypatch.setattr(metadata, "packages_distributions", lambda: times.append(1) or look())
    return times


def test_a_second_invocation_knows_what_the_first_found(tmp_path, looked):
    found = Distributions(tmp_path).versions({"numpy", "yaml", "json"})
    assert found == {f"{name} {metadata.version(name)}" for name in ("numpy", "PyYAML")}
    assert Distributions(tmp_path).versions({"numpy", "yaml", "json"}) == found
    assert len(looked) == 1


def test_what_was_installed_meanwhile_is_seen(tmp_path, looked, monkeypatch):
    assert Distributions(tmp_path).versions({"newcomer"}) == set()
    place = tmp_path / "site"
    folder = place / "new_comer-1.5.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: new-comer\nVersion: 1.5\n")
    (folder / "top_level.txt").write_text("newcomer\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(place)])
    assert Distributions(tmp_path).versions({"newcomer"}) == {"new-comer 1.5"}
    assert len(looked) == 2


@pytest.mark.parametrize(
    "content", ["", "[1]", "{", "\x00", "{}", '{"content": {"installed": []}, "sha256": ""}']
)
def test_what_was_kept_and_cannot_be_read_costs_time_only(tmp_path, content, looked):
    (tmp_path / "distributions.json").write_text(content)
    assert Distributions(tmp_path).versions({"numpy"}) == {f"numpy {metadata.version('numpy')}"}
    assert len(looked) == 1


def test_nothing_is_kept_where_no_folder_is_given(looked):
    for _ in range(2):
        assert Distributions(None).versions({"numpy"}) == {f"numpy {metadata.version('numpy')}"}
    assert len(looked) == 2
