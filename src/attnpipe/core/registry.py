"""Lazy registries: a name stands for ``module:attribute`` until it is asked for."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from attnpipe.core.errors import UserError

NEAR = 0.65
"""Similarity from which a name may be a misspelling: `kind` is none of `window`."""


def nearest(name: str, known: list[str]) -> str:
    """Return a hint: the nearest known name, or one that begins so; else all of them."""
    close = get_close_matches(name, known, n=1, cutoff=NEAR)
    close = close or [other for other in known if name and other.startswith(name)][:1]
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


class Registry(Mapping[str, str]):
    """Names of one kind of thing and where each is defined.

    Looking at a registry imports nothing; `load` imports the one member's module.
    """

    def __init__(self, kind: str, members: Mapping[str, str]) -> None:
        self.kind = kind
        self._members = dict(members)

    def __getitem__(self, name: str) -> str:
        try:
            return self._members[name]
        except KeyError:
            hint = nearest(name, list(self._members))
            raise UserError(f"unknown {self.kind} '{name}': {hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def module(self, name: str) -> str:
        """Return the dotted module of a member, without importing it."""
        return self[name].partition(":")[0]

    def load(self, name: str) -> Any:
        """Import the member's module and return the member."""
        module, _, attribute = self[name].partition(":")
        return getattr(import_module(module), attribute)
