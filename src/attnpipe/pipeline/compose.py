"""Hydra composition: config groups and overrides → one plain container."""

import re
from collections.abc import Sequence
from itertools import takewhile
from os.path import relpath
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from yaml import MarkedYAMLError

from attnpipe.core.errors import UserError
from attnpipe.core.overrides import QUOTES
from attnpipe.core.registry import nearest
from attnpipe.pipeline.explain_overrides import (
    check_merges,
    check_source,
    explain_overrides,
    key_of,
)
from attnpipe.schema.study import StudySpec

COLOURED = """overrides='figure.show.entropy.color="#0072B2"'"""


def compose_container(
    folder: Path, study: str, scale: str, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the resolved config of a study as plain dicts, lists and values.

    Parameters
    ----------
    folder
        The config folder, with one folder per group.
    study, scale
        Members of these groups.
    overrides
        Overrides in Hydra's grammar.

    Raises
    ------
    UserError
        For an unknown group member, an unknown key, a grammar error, a file that is no YAML,
        or a mandatory value that is not given.
    """
    _check_member(folder, "study", study)
    _check_member(folder, "scale", scale)
    choices = [f"study={study}", f"scale={scale}"]
    with initialize_config_dir(str(folder.resolve()), version_base="1.3"):
        parsed = [_parse(overrides, place) for place in range(len(overrides))]
        _check_groups(folder, parsed)
        if any(key_of(override) in ("data", "data.kind") for override in parsed):
            check_source(folder, study, _as_filed(folder, choices), parsed)
        try:
            config = compose("config", [*choices, *overrides])
        except Exception as error:  # Hydra raises more than its own exceptions over odd values
            original = _as_filed(folder, choices)
            extended = _with_added(choices, parsed)
            explain_overrides(folder, original, extended, parsed)
            raise UserError(f"config: {_first_line(error)}") from None
    check_merges(config, parsed)
    try:
        _check_mandatory(config)
        container = OmegaConf.to_container(config, resolve=True)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"config: {_first_line(error)}") from None
    return dict(container)  # type: ignore[arg-type]


def _as_filed(folder: Path, choices: list[str]) -> Any:
    """Return the config without overrides, or say what is wrong with its files."""
    try:
        return compose("config", choices)
    except MarkedYAMLError as error:
        mark, problem = error.problem_mark, error.problem or error.context
        place = f"line {mark.line + 1} of '{relpath(mark.name, folder.parent)}'" if mark else "it"
        raise UserError(f"config: {place} is no YAML ({problem}); mend it") from None
    except MissingConfigException as error:
        wanted = (error.missing_cfg_file or "").rpartition("/")[2]
        known = f": {nearest(wanted, [*error.options])}" if error.options else ""
        raise UserError(f"config: {_first_line(error)}{known}") from None
    except Exception as error:
        raise UserError(f"config: {_first_line(error)}") from None


def _with_added(choices: list[str], parsed: Sequence[Override]) -> Any:
    """Return the config with the models that overrides add, where those can be composed."""
    added = [o.input_line for o in parsed if o.is_add() and o.input_line is not None]
    try:
        return compose("config", [*choices, *added])
    except Exception:  # what is wrong with them is told by whoever looks for it
        return compose("config", choices)


def members(folder: Path, group: str) -> list[str]:
    """Return the names of a config group."""
    return sorted(path.stem for path in (folder / group).glob("*.yaml"))


def _check_member(folder: Path, group: str, name: str) -> None:
    known = members(folder, group)
    if name not in known:
        raise UserError(f"unknown {group} '{name}': {nearest(name, known)}")


def _parse(overrides: Sequence[str], place: int) -> Override:
    """Return one of several overrides; those beside it show where a text lost its quotes."""
    text = overrides[place]
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        if joined := _joined(overrides, place):
            raise UserError(
                f"override '{text}' cannot be read: no blanks may stand around '='; write {joined}"
            ) from None
        raise UserError(
            f"override '{text}' is not in Hydra's grammar ({_first_line(error)}); "
            f"{_cure(overrides, place)}"
        ) from None
    if override.is_sweep_override():
        raise UserError(f"override '{text}' is a sweep; give one value, or add models to the study")
    return override


KEY = re.compile(r"[+~]{0,2}[A-Za-z_][\w.@/-]*")


def _joined(overrides: Sequence[str], place: int) -> str | None:
    """Return an override without the blanks around its `=`, if that is why it cannot be read."""
    before, text, after, last = [*[""] * (place == 0), *overrides[max(0, place - 1) :], "", ""][:4]
    if before.endswith("="):  # read by itself as an empty text
        key, joined = before[:-1], before + text
    elif after.startswith("="):
        key, joined = text, f"{text}{after}{last if after == '=' else ''}"
    else:
        return None
    known = place == 0 or "." in key or key in StudySpec.model_fields  # no word of a text
    return joined if known and KEY.fullmatch(key) else None


def _cure(overrides: Sequence[str], place: int) -> str:
    """Return what to write instead of an override that cannot be read."""
    text = overrides[place]
    if "#" in text:  # a shell takes the quotes that its own do not stand around
        return f"put a colour in double quotes, and all in single ones: {COLOURED}"
    parts = text.partition("=")[0].split(".") if "=" in text else []
    digits = next((part for part in parts if re.match(r"[0-9]\w*[A-Za-z_]", part)), None)
    if digits is not None:
        return f"no key begins with a digit: give '{digits}' another name"
    while place and "=" not in overrides[place]:  # a word of a text that began before it
        place -= 1
    key, _, value = overrides[place].partition("=")
    words = list(takewhile(lambda word: "=" not in word, overrides[place + 1 :]))
    if value and value[0] not in "[{" + QUOTES and KEY.fullmatch(key):
        written = " ".join([value, *words])
        return (
            "put a text with blanks or signs in double quotes, and all in single ones: "
            f"""overrides='{key}="{written}"'"""
        )
    return "write key=value, +key=value or ~key"


def _check_groups(folder: Path, parsed: Sequence[Override]) -> None:
    """Refuse overrides of groups that name no member, or that do not belong here."""
    groups = {path.name for path in folder.iterdir() if path.is_dir()}
    for override in parsed:
        group = key_of(override)
        if "@" in (override.input_line or "") and group not in groups:
            raise UserError(f"unknown config group '{group}': {nearest(group, sorted(groups))}")
        if group.partition(".")[0] == "hydra":
            raise UserError(
                f"override '{override.input_line}' is for Hydra's own runner, which is not used "
                "here; drop it"
            )
        if group in ("study", "scale"):
            raise UserError(
                f"override '{override.input_line}' chooses a {group}; "
                f"give it as {group}=… beside overrides, not inside"
            )
        value = override.value()
        if group in groups and isinstance(value, str) and not override.is_delete():
            _check_member(folder, group, value)


def _check_mandatory(config: Any) -> None:
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        names = " and ".join(f"'{name}'" for name in missing)
        example = " ".join(f"{name}=…" for name in missing)
        have = "has" if len(missing) == 1 else "have"
        raise UserError(f"{names} {have} no value; give it, e.g. overrides='{example}'")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
