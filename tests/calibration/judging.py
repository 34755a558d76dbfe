"""Which code judges: a hash beside every stored verdict; ``python -m tests.calibration.judging``.

Where what is stored differs from what this prints, a rule or a sentence has changed since.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import grimp

import attnpipe
from attnpipe.pipeline.fingerprint import IGNORED, PACKAGE, imported_modules
from attnpipe.pipeline.sources import source_hash

HERE, ROOT = Path(__file__).parent, Path(str(attnpipe.__file__)).parent
OWN = (HERE / "verdicts.py", HERE / "tabulate.py")
"""What stands between stored losses and the pipeline's functions."""


@cache
def judging() -> str:
    """Return a hash of all that decides a verdict on given losses: 16 hexadecimal digits.

    Covers `OWN` and the package's modules behind it, but configs' schemas; neither comments and
    docstrings nor versions of other software. It may differ where verdicts would be the same.
    """
    return hash_of(file.read_text("utf-8") for file in (*OWN, *map(_file, modules())))


def modules() -> list[str]:
    """Return the package's modules that `OWN` imports, directly or not."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    named = set().union(*(imported_modules(file.read_text("utf-8")) for file in OWN))
    entries = named & graph.modules
    behind = entries.union(*map(graph.find_upstream_modules, entries))
    return sorted(module for module in behind if not module.startswith(IGNORED))


def hash_of(sources: Iterable[str]) -> str:
    """Return a hash of what sources do."""
    return hashlib.sha256("\n".join(map(source_hash, sources)).encode()).hexdigest()[:16]


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


if __name__ == "__main__":
    print(judging())
