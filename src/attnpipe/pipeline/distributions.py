"""Which installed distribution brings a package, and in which version."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from pathlib import Path

from attnpipe.pipeline.kept import keep, read_kept


class Distributions:
    """What is installed, kept from one invocation to the next.

    To find out reads the lists of files of all distributions, which costs a fifth of a second.
    What is kept goes by the names and versions that their folders bear.

    Parameters
    ----------
    folder
        Where it is kept; None: nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder and folder / "distributions.json"
        self._versions: dict[str, str] = {}

    @cached_property
    def _of_package(self) -> Mapping[str, list[str]]:
        installed = sorted(_folders())
        known = read_kept(self._file)
        if known.get("installed") != installed:
            known = {"installed": installed, "packages": metadata.packages_distributions()}
            keep(self._file, known)
        packages: Mapping[str, list[str]] = known["packages"]
        return packages

    def versions(self, packages: Iterable[str]) -> set[str]:
        """Return `name version` of the distributions that bring packages."""
        brought = {name for package in packages for name in self._of_package.get(package, [])}
        for name in brought - self._versions.keys():
            self._versions[name] = metadata.version(name)  # which parses a file
        return {f"{name} {self._versions[name]}" for name in brought}


def _folders() -> Iterator[str]:
    """Yield the names of folders that installers leave: `<name>-<version>.dist-info`."""
    for place in filter(os.path.isdir, sys.path):
        with suppress(OSError):  # of another user: nothing is imported from there either
            names = os.listdir(place)
            yield from (name for name in names if name.endswith(("dist-info", "egg-info")))
