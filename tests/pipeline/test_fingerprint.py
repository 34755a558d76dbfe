"""What counts as a change of source, on a package made for the purpose."""

import textwrap

import pytest

from attnpipe.pipeline.fingerprint import Fingerprints, imported_modules
from attnpipe.pipeline.sources import source_hash

SOURCE = '''
"""Module."""
class A:
    """Class."""
    x: int = 1
    """Attribute."""
    def f(self, a):
        """Method."""
        return a + 1  # comment
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""', '"""Another text."""'),
        ('    """Class."""\n', ""),
        ('"""Attribute."""', '"""Other."""'),
        ('        """Method."""\n', ""),
        ("  # comment", ""),
        ("a + 1", "(a +\n                1)"),
    ],
)
def test_documentation_and_layout_do_not_count(old, new):
    assert old in SOURCE
    assert source_hash(SOURCE) == source_hash(SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("a + 1", "a + 2"), ("x: int = 1", "x: int = 2"), ("def f", "def g")]
)
def test_what_runs_counts(old, new):
    assert old in SOURCE
    assert source_hash(SOURCE) != source_hash(SOURCE.replace(old, new))


def test_imports_of_a_script_are_all_found():
    source = "import numpy as np\nfrom a.b import c, d\ndef f():\n    from e import g\n"
    assert imported_modules(source) == {"numpy", "a.b", "a.b.c", "a.b.d", "e", "e.g"}


@pytest.fixture
def scripts(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    script = "from attnpipe.core.errors import UserError\nprint(UserError)\n"
    (folder / "a.py").write_text(script)
    (folder / "b.py").write_text(textwrap.dedent(script) + "import polars\n")
    return folder


def test_scripts_members_and_libraries_all_count(scripts):
    prints = Fingerprints(scripts)
    plain = prints.of("a.py")
    assert plain == Fingerprints(scripts).of("a.py")
    assert len({plain, prints.of("b.py"), prints.of("a.py", ["attnpipe.core.registry"])}) == 3


def test_a_library_version_counts_where_it_is_imported(scripts, monkeypatch):
    before = {name: Fingerprints(scripts).of(name) for name in ("a.py", "b.py")}
    from importlib import metadata

    true_version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "0.0" if name == "polars" else true_version(name)
    )
    after = {name: Fingerprints(scripts).of(name) for name in ("a.py", "b.py")}
    assert before["a.py"] == after["a.py"]
    assert before["b.py"] != after["b.py"]


def test_the_python_version_counts(scripts, monkeypatch):
    before = Fingerprints(scripts).of("a.py")
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert Fingerprints(scripts).of("a.py") != before


def test_an_unused_module_does_not_count(scripts):
    """The closure of core.errors holds itself and nothing above it."""
    prints = Fingerprints(scripts)
    assert prints._closure("attnpipe.core.errors") == {"attnpipe.core.errors"}
    assert "attnpipe.core.errors" in prints._closure("attnpipe.io.seal")
