"""Overrides that Hydra refuses in words of its own, or takes and does nothing sensible with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest
from attnpipe.figures.registry import FIGURES
from attnpipe.pipeline.explain_keys import elsewhere, may_be_added
from attnpipe.pipeline.explain_sections import NAMED, SHOWN, check_borrowed, check_whole

BESIDE = ("study", "overrides")
"""What is given beside overrides, and may be misspelt as one of them."""
OF_THE_DATA = ("name", "title", "analysis.contrast.accuracy_threshold")
"""What a study says of its own data outside their section."""


def key_of(override: Override) -> str:
    """Return the key or group of an override."""
    return override.key_or_group.lstrip("/")


def explain_overrides(
    folder: Path, original: Any, extended: Any, parsed: Sequence[Override]
) -> None:
    """Raise for the first override that does not fit the config.

    Parameters
    ----------
    folder
        The config folder.
    original
        The config without any override.
    extended
        The same with all that overrides add, where that can be composed.
    parsed
        The overrides.

    Raises
    ------
    UserError
        A key is not there, or what is added is there already.
    """
    added: set[str] = set()
    for override in parsed:
        line, place = override.input_line, override.package or key_of(override)
        if override.is_force_add():
            added.add(place)
        elif not override.is_add():
            swaps = override.package is not None and not override.is_delete()
            if swaps and not _has(original, place) and place not in added:
                raise UserError(
                    f"override '{line}': the study has no '{place}' to replace; to add it, write "
                    f"+{line}"
                )
            _walk(extended, place, override)
        elif (folder / key_of(override)).is_dir() and (place in added or _has(original, place)):
            raise UserError(
                f"override '{line}': the study has '{place}' already; write {str(line)[1:]} to "
                "replace it, or add it under another name"
            )
        else:
            added.add(place)


def _has(config: Any, place: str) -> bool:
    return OmegaConf.select(config, place) is not None


def _walk(config: Any, place: str, override: Override) -> None:
    """Raise unless the config has a place, and can be changed there."""
    node: Any = config
    walked: list[str] = []
    parts = place.split(".")
    for part in parts:
        where = ".".join(walked)
        if not isinstance(node, DictConfig):
            raise UserError(
                f"override '{override.input_line}': '{where}' is {_without_keys(node, where, part)}"
            )
        keys = [str(key) for key in node]  # `in` denies mandatory keys without a value
        if part not in keys and not keys and not override.is_delete():
            raise UserError(
                f"override '{override.input_line}': '{where}' is empty; to add '{part}', write "
                f"+{override.input_line}"
            )
        if part not in keys and not override.is_delete() and may_be_added(config, where, part):
            raise UserError(
                f"override '{override.input_line}': '{where}' does not give its key '{part}'; to "
                f"add it, write +{override.input_line}"
            )
        if part not in keys:
            inside = f" in '{where}'" if walked else ""
            other = None if walked else elsewhere(config, place)
            known = keys if walked else [*keys, *BESIDE]
            raise UserError(
                f"override '{override.input_line}': unknown key '{part}'{inside}: "
                + (f"did you mean '{other}'?" if other else nearest(part, known))
                + _to_add(override, where, part)
            )
        walked.append(part)
        rest = ".".join(parts[len(walked) :])
        if rest:
            check_borrowed(override, node, ".".join(walked), rest)
        node = None if OmegaConf.is_missing(node, part) else node[part]
    if not override.is_delete() and override.package is None:
        check_whole(override, place, node)


def _without_keys(node: Any, where: str, part: str) -> str:
    """Say what has no keys, and how a list is changed: as a whole."""
    if not isinstance(node, ListConfig):
        return f"a value, it has no key '{part}'"
    rest = ",".join(str(entry) for entry in node if str(entry) != part)
    return f"a list, it has no key '{part}'; write it as a whole, e.g. {where}=[{rest}]"


def _to_add(override: Override, where: str, part: str) -> str:
    """Say how an entry is added, where it may be: as it was given, if that is enough."""
    if where not in NAMED or override.is_delete() or (where == SHOWN and part not in [*FIGURES]):
        return ""
    return (
        f" (to add one, write {NAMED[where] if where == 'models' else f'+{override.input_line}'})"
    )


def check_merges(config: Any, parsed: Sequence[Override]) -> None:
    """Raise for an override with `{}`, which Hydra merges into what is there.

    Raises
    ------
    UserError
        The place has entries, so that the override changes nothing.
    """
    for override in parsed:
        if override.is_add() or override.is_delete() or override.value() != {}:
            continue
        place = key_of(override)
        node = OmegaConf.select(config, place)
        if isinstance(node, DictConfig) and len(node):
            first = str(next(iter(node)))
            raise UserError(
                f"override '{override.input_line}' changes nothing, as entries are merged; remove "
                f"each of them by its name, e.g. ~{place}.{first}"
            )


def check_source(folder: Path, study: str, original: Any, parsed: Sequence[Override]) -> None:
    """Raise for overrides that put other data into a study than it speaks of.

    Parameters
    ----------
    folder
        The config folder.
    study
        Name of the study's file.
    original
        Its config without any override.
    parsed
        The overrides.

    Raises
    ------
    UserError
        The kind of the data changes, but not all that goes with it.
    """
    own = OmegaConf.select(original, "data.kind")
    kinds = {path.stem: _read(path).get("kind") for path in (folder / "data").glob("*.yaml")}
    given = {key_of(override) for override in parsed}
    for override in parsed:
        key, value = key_of(override), str(override.value())
        if kinds.get(value, own) == own:
            continue  # the same kind, or an unknown one, of which others tell
        choice = f"study={_study_of(folder, value)} beside overrides"
        if key == "data.kind":
            raise UserError(
                f"override '{override.input_line}' leaves all other keys of data as they are; "
                f"choose {choice} instead"
            )
        absent = [name for name in OF_THE_DATA if name not in given]
        if key == "data" and absent:
            raise UserError(
                f"override '{override.input_line}' leaves {', '.join(absent)} as study '{study}' "
                f"has them for its own data; choose {choice}, or give these, too"
            )


def _study_of(folder: Path, source: str) -> str:
    """Return the study whose data are of this source."""
    for path in sorted((folder / "study").glob("*.yaml")):
        if {"/data": source} in _read(path).get("defaults", []):
            return path.stem
    return source


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8")) or {}
