"""What source code a stage runs, as one hash.

The fingerprint covers the import closure of a stage's script and of the registry members
its config names: the AST of every project module without docstrings (so that comments,
layout and documentation do not count), Python's version, and the version of every
third-party distribution imported in the closure. `attnpipe.schema` is left out: it only
checks values, and the values themselves are in the job's param.
"""

import ast
import hashlib
import platform
import sys
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import grimp

from attnpipe.pipeline.distributions import Distributions
from attnpipe.pipeline.sources import SourceHashes

PACKAGE = "attnpipe"
IGNORED = (f"{PACKAGE}.schema",)


def imported_modules(source: str) -> set[str]:
    """Return the absolute names that a script imports, `from a import b` as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


class Fingerprints:
    """Fingerprints of stages, sharing one import graph."""

    def __init__(self, scripts: Path, cache: Path | None = None) -> None:
        self._scripts = scripts
        self._cache = cache
        self._sources = SourceHashes(cache)
        self._hashes: dict[str, str] = {}
        self._distributions = Distributions(cache)
        self._closures: dict[str, frozenset[str]] = {}
        self._done: dict[tuple[str, tuple[str, ...]], str] = {}

    def of(self, script: str, members: Iterable[str] = ()) -> str:
        """Return the fingerprint of a stage.

        Parameters
        ----------
        script
            File name below the scripts folder.
        members
            Dotted modules of the registry entries that the stage's config names.
        """
        key = (script, tuple(sorted(members)))
        if key not in self._done:
            self._done[key] = self._compute(*key)
        return self._done[key]

    def _compute(self, script: str, members: tuple[str, ...]) -> str:
        source = (self._scripts / script).read_text("utf-8")
        imports = imported_modules(source)
        entries = {name for name in imports if name in self._graph.modules} | set(members)
        closure = frozenset().union(*(self._closure(entry) for entry in entries))
        external = {name.partition(".")[0] for name in imports} - {PACKAGE}
        parts = [f"python {platform.python_version()}", f"script {self._sources.of(source)}"]
        for module in sorted(closure):
            if module.partition(".")[0] != PACKAGE:
                external.add(module)
            elif not module.startswith(IGNORED):
                parts.append(f"{module} {self._hash(module)}")
        self._sources.keep()
        parts += sorted(self._distributions.versions(external - sys.stdlib_module_names))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def _closure(self, module: str) -> frozenset[str]:
        if module not in self._closures:
            upstream = self._graph.find_upstream_modules(module)
            self._closures[module] = frozenset({module, *upstream})
        return self._closures[module]

    def _hash(self, module: str) -> str:
        if module not in self._hashes:
            path = self._root.joinpath(*module.split(".")[1:])
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            self._hashes[module] = self._sources.of(file.read_text("utf-8"))
            templates = file.parent / "templates"
            if templates.is_dir():  # text that the package's code renders is code too
                content = b"".join(t.read_bytes() for t in sorted(templates.iterdir()))
                self._hashes[module] += hashlib.sha256(content).hexdigest()
        return self._hashes[module]

    @cached_property
    def _root(self) -> Path:
        spec = find_spec(PACKAGE)
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent

    @cached_property
    def _graph(self) -> grimp.ImportGraph:
        return grimp.build_graph(
            PACKAGE,
            include_external_packages=True,
            exclude_type_checking_imports=True,
            cache_dir=str(self._cache) if self._cache else None,
        )
