"""What a module does, as a hash: its AST without docstrings."""

import ast
import hashlib
import platform
from pathlib import Path

from attnpipe.pipeline.kept import keep, read_kept


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes every statement that is only a string: docstrings and attribute docs."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [statement for statement in body if not _is_text(statement)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def source_hash(source: str) -> str:
    """Return the hash of what a module does."""
    tree = _WithoutDocstrings().visit(ast.parse(source))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


class SourceHashes:
    """Hashes of sources, kept from one invocation to the next.

    Parsing the whole package costs a CPU-second, reading it almost nothing. What is kept
    goes by the source's own bytes and by Python's version, never by a file's name or time.

    Parameters
    ----------
    folder
        Where they are kept; None: nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder and folder / f"sources-{platform.python_version()}.json"
        self._known: dict[str, str] = read_kept(self._file)
        self._used: dict[str, str] = {}

    def of(self, source: str) -> str:
        """Return `source_hash`."""
        key = hashlib.sha256(source.encode()).hexdigest()
        if key not in self._used:
            self._used[key] = self._known.get(key) or source_hash(source)
        return self._used[key]

    def keep(self) -> None:
        """Write down what was used, if anything is new."""
        if not self._used.keys() <= self._known.keys():
            self._known |= self._used
            keep(self._file, self._known)
