"""The composed config, kept from one invocation to the next.

Hydra takes a fiftieth of a second for each model of a study. What it made of the same files and
overrides is taken instead, where nothing else can have decided it: an interpolation of the
environment, `${oc.env:…}`, or of any other resolver is composed anew each time.
"""

import hashlib
import json
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
    try:
        parts = [study, scale, *overrides, *_read(folder)]
    except OSError:  # Hydra says what is wrong with a file, if it needs it
        cache = None
    if cache is None or any(RESOLVER.search(part) for part in parts):
        return compose.compose_container(folder, study, scale, overrides)
    file, key = cache / "composed.json", _digest([*parts, *_software()])
    known = read_kept(file)
    container = known.pop(key, None)
    if container is None:
        container = compose.compose_container(folder, study, scale, overrides)
        latest = dict([*known.items(), (key, container)][-KEPT:])
        if json.loads(json.dumps(latest[key])) == container:  # what JSON has no words for is not
            keep(file, latest)
    return container  # type: ignore[no-any-return]


def _read(folder: Path) -> Iterator[str]:
    """Yield all names below the folder, and the text of what a config may be composed of."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder))
        if path.suffix == ".yaml" and path.is_file():
            yield path.read_text("utf-8", errors="surrogateescape")


def _software() -> Iterator[str]:
    """Yield what composes and checks."""
    for name in ("hydra-core", "omegaconf", "PyYAML"):
        yield metadata.version(name)
    for module in (compose, explain_overrides, explain_sections):
        yield Path(str(module.__file__)).read_text("utf-8")


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
