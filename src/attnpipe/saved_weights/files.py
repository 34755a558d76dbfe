"""Which files make up a run, and the names found in a folder."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest

NAME_LENGTH = 64
TEST = "test"


@dataclass(frozen=True)
class StoredFile:
    """A file of a run.

    Attributes
    ----------
    checkpoint
        ``epoch_NNN`` or ``test``; None when its name says neither.
    name
        Path below the data folder, with ``/``.
    """

    checkpoint: str | None
    name: str


@dataclass(frozen=True)
class RunFiles:
    """All that is known of a run before its weights are read.

    Attributes
    ----------
    root
        The data folder.
    folder
        The run's folder below it, or ``.``; messages use this.
    label
        What the model is called where it comes from: its prefix, or its name.
    seed
        Seed of the run; 0 stands in where there is none.
    files
        In the order of the checkpoints; files of one checkpoint are its samples in order.
    shape
        Stored shape that most runs of the model announce (the newest file of each speaks
        for it), against which the run is checked, so that seeds fit each other. It counts
        among what a run depends on beside its files. Without the sample axis where files
        are joined along it; None if no file could be read.
    """

    root: Path
    folder: str
    label: str
    seed: int
    files: tuple[StoredFile, ...]
    shape: tuple[int, ...] | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that decides what is imported, odd ones included."""
        return tuple(self.root / file.name for file in self.files)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The checkpoints there are, once each, epochs first."""
        return tuple(dict.fromkeys(f.checkpoint for f in self.files if f.checkpoint is not None))


def entries(folder: Path, shown: str, key: str = "data.path") -> list[Path]:
    """Return what lies in a folder, sorted by name; `key` is where the config names it.

    Raises
    ------
    UserError
        When it is no folder or may not be read.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"'{shown}' is no folder; check {key}") from None
    except PermissionError:
        raise UserError(f"folder '{shown}' may not be read; change its permissions") from None


def below(root: Path, relative: str, key: str) -> str:
    """Return `relative` as a plain path below `root`, or say that it leads elsewhere."""
    path = PurePosixPath(relative)
    if not relative or path.is_absolute() or ".." in path.parts or not relative.isprintable():
        raise UserError(f"{key} is '{relative}'; give a path below data.path, without '..'")
    return str(path)


def safe_names(prefixes: Iterable[str]) -> dict[str, str]:
    """Return model name → prefix, the name being fit for a path.

    Runs of other characters than letters, digits, ``_`` and ``-`` become one ``-``.

    Raises
    ------
    UserError
        When nothing is left of a prefix or two prefixes would get one name (names that
        differ only in case would share a folder on some disks).
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for prefix in prefixes:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", prefix).strip("-_")[:NAME_LENGTH]
        cure = "name the models in data.prefixes (model: prefix)"
        if not name or not prefix.isprintable():
            raise UserError(f"no model name can be made from the prefix {prefix!a}; {cure}")
        if name.casefold() in taken:
            other = taken[name.casefold()]
            raise UserError(f"prefixes '{other}' and '{prefix}' both become '{name}'; {cure}")
        taken[name.casefold()] = prefix
        names[name] = prefix
    return names


def known(name: str, names: Iterable[str], key: str, what: str) -> None:
    """Raise unless `name` is one of `names`."""
    listed = list(names)
    if name not in listed:
        hint = nearest(name, listed[:20]) if listed else "there is none"
        raise UserError(f"{key}: there is no {what} '{name}': {hint}")
