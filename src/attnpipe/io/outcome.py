"""`outcome.json`: how a run ended."""

from dataclasses import asdict
from pathlib import Path

from attnpipe.core.outcome import Outcome
from attnpipe.io.json import read_json, write_json


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Write an outcome."""
    write_json(path, asdict(outcome))


def read_outcome(path: Path) -> Outcome:
    """Return a sealed outcome."""
    document = read_json(path)
    return Outcome(**document | {"checkpoints": tuple(document["checkpoints"])})
