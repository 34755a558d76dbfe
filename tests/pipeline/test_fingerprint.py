"""What counts as a change of source, on a package made for the purpose."""

import ast
import textwrap
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import get_origin

import pytest
from pydantic import BaseModel

from attnpipe.pipeline.fingerprint import Fingerprints, imported_modules
from attnpipe.pipeline.sources import source_hash

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "attnpipe"

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


# Fingerprints leave `attnpipe.schema` out, because all it does is in the jobs' params: values,
# checked and completed. So nothing else of it may reach a stage.
PARSERS = {"parse_model", "parse_model_source", "parse_source"}


def readers_of_the_schema():
    """Every module that stages may run, with what it imports from the schema."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "workflow" / "scripts").glob("*.py")]
    for file in files:
        if not {"schema", "pipeline"} & {*file.relative_to(ROOT).parts}:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and "attnpipe.schema" in (node.module or ""):
                    yield file, node.module, [alias.name for alias in node.names]


def is_a_type(value):
    return get_origin(value) is not None or (
        isinstance(value, type) and issubclass(value, BaseModel)
    )


def test_stages_take_types_from_the_schema_and_neither_functions_nor_constants():
    found = list(readers_of_the_schema())
    assert len(found) > 50
    for file, module, names in found:
        for name in names:
            value = getattr(import_module(module), name)
            parser = isinstance(value, FunctionType) and name in PARSERS
            assert parser or is_a_type(value), f"{file.name} takes {name} from {module}"


def test_sections_of_the_config_have_no_methods_but_validators():
    seen = 0
    for file in (PACKAGE / "schema").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            # A class without bases is no section of the config: only the pipeline has it.
            section = isinstance(node, ast.ClassDef) and node.bases
            for part in node.body if section else []:
                if isinstance(part, ast.FunctionDef):
                    decorators = " ".join(map(ast.unparse, part.decorator_list))
                    assert "_validator(" in decorators, f"{file.name}: {node.name}.{part.name}"
                    seen += 1
    assert seen > 10
