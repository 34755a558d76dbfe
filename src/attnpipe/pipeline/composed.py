"""The composed config, kept from one invocation to the next.

Hydra takes a fiftieth of a second for each model of a study. What it made of the same files and
overrides is taken instead, where nothing else can have decided it: an interpolation of the
environment, `${oc.env:…}`, or of any other resolver is composed anew each time.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from attnpipe.pipeline import compose, explain_overrides, explain_sections
from attnpipe.pipeline.kept import keep, read_kept

KEPT = 8
"""How many configs are kept, those that were asked for last."""
RESOLVER = re.compile(r"\$\{[^}]*:")


def composed(
    folder: Path, study: str, scale: str, overrides: Sequence[str], cache: Path | None
) -> dict[str, Any]:
    """Return `compose.compose_container`, of these arguments.

    Parameters
    ----------
    folder, study, scale, overrides
        As there.
    cache
        Where it is kept; None: nowhere.

    Raises
    ------
    UserError
        As there.
    """
    key = None if cache is None else _key(folder, study, scale, overrides)
    if cache is None or key is None:
        return compose.compose_container(folder, study, scale, overrides)
    file = cache / "composed.json"
    known = read_kept(file)
    latest = next(reversed(known), None)
    container = known.pop(key, None) or compose.compose_container(folder, study, scale, overrides)
    # not of files that were edited meanwhile, nor what JSON has no words for
    if latest != key and _key(folder, study, scale, overrides) == key and _is_json(container):
        keep(file, dict([*known.items(), (key, container)][-KEPT:]))
    return container


def _key(folder: Path, study: str, scale: str, overrides: Sequence[str]) -> str | None:
    """Return a hash of all that decides a config; None where it cannot be told."""
    try:
        parts = [study, scale, *overrides, *_read(folder)]
    except OSError:  # Hydra says what is wrong with a file, if it needs it
        return None
    if any(RESOLVER.search(part) or "searchpath" in part for part in parts):
        return None
    return hashlib.sha256(json.dumps([*parts, *_software()]).encode()).hexdigest()


def _read(folder: Path) -> Iterator[str]:
    """Yield all names below the folder, and the text of what a config may be composed of."""
    for place, folders, names in os.walk(folder, followlinks=True):
        if Path(place).is_symlink() and Path(place).resolve() in Path(place).absolute().parents:
            raise OSError(f"'{place}' is inside itself")
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            yield str(path.relative_to(folder))
            if path.suffix == ".yaml" and path.is_file():
                yield path.read_text("utf-8", errors="surrogateescape")


def _is_json(container: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(json.dumps(container)) == container)
    except (TypeError, ValueError):
        return False


def _software() -> Iterator[str]:
    """Yield what composes and checks."""
    for name in ("hydra-core", "omegaconf", "PyYAML"):
        yield metadata.version(name)
    for module in (compose, explain_overrides, explain_sections):
        yield Path(str(module.__file__)).read_text("utf-8")
