"""What every script shares: its spec, its files, one sentence for an error, its seal."""

import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from attnpipe.core.errors import UserError
from attnpipe.core.failing import reason_of_failure
from attnpipe.io.seal import Inputs, producer, relying_on, verify, write_seal

T = TypeVar("T")
WATCH_SECONDS = 0.5
SENTENCES = "ATTNPIPE_SENTENCES"
"""Variable with the path of the file that collects what went wrong in jobs."""


@dataclass(frozen=True)
class Files:
    """Named paths of a job."""

    named: dict[str, list[Path]]

    def __getattr__(self, name: str) -> Path:
        """Return the one path of that name."""
        try:
            (path,) = self.named[name]
        except (KeyError, ValueError):
            raise AttributeError(name) from None
        return path

    def all(self, name: str) -> list[Path]:
        """Return the paths of that name."""
        return self.named.get(name, [])

    def __iter__(self) -> Iterator[Path]:
        return (path for paths in self.named.values() for path in paths)

    def __contains__(self, name: str) -> bool:
        return name in self.named


@dataclass(frozen=True)
class Context:
    """A running job: its config, its inputs, its outputs."""

    spec: dict[str, Any]
    read: Files
    write: Files
    _failures: list[str] = field(default_factory=list)

    def attempt(self, work: Callable[[], T], otherwise: T) -> T:
        """Return what a model makes of some work; `otherwise` if its code fails: others go on.

        The job's seal says why.
        """
        try:
            return work()
        except Exception as error:  # a model is a program: it can fail in any way
            run = f"model '{self.spec['model']}', seed {self.spec['seed']}"
            self._failures.append(reason_of_failure(error, run))
            return otherwise

    @property
    def failure(self) -> str | None:
        """Why an attempt of this job failed."""
        return "; ".join(self._failures) or None

    def failures_of(self, name: str) -> list[str]:
        """Return which jobs that wrote these inputs failed, and why."""
        seals = [producer(path) for path in self.read.all(name)]
        return [f"{seal.rule} failed: {seal.failure}" for seal in seals if seal and seal.failure]

    def verify(self, *names: str) -> None:
        """Check inputs against their seals whose readers do not."""
        for name in names:
            for path in self.read.all(name):
                verify(path)


@contextmanager
def job(snakemake: Any, seal: str | None = None) -> Iterator[Context]:
    """Run a script's body; seal its outputs, or end with one sentence on a user's error.

    Parameters
    ----------
    snakemake
        The object that Snakemake gives to scripts.
    seal
        Name of the seal; by default the rule.
    """
    context = Context(
        json.loads(snakemake.params.spec), _files(snakemake.input), _files(snakemake.output)
    )
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # see `uninterrupted.py`
        inputs = Inputs.of(context.read)
        gc.freeze()  # what was imported and noted stays: not to be looked through again and again
        with relying_on(inputs):
            yield context
        inputs.check_unchanged()
        name = seal or snakemake.rule
        written = list(context.write)
        param = snakemake.params.spec
        write_seal(name, snakemake.rule, param, written, inputs, context.failure)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done
    except UserError as error:
        _say(f"attnpipe: {_label(snakemake)}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        _say(f"attnpipe: {_label(snakemake)}: stopped; run the same command again to go on")
        sys.exit(130)


def interrupt_once() -> None:
    """Let the first Ctrl-C end Snakemake as it likes to end: a second must not cut that short."""
    import polars  # noqa: F401 - when it is first imported it takes the signal: so now, not later

    def first(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, first)


def _end_with(parent: int) -> None:
    """End this process soon after its parent: an orphan would write beside its successor."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _label(snakemake: Any) -> str:
    return " ".join([snakemake.rule, *(str(value) for value in snakemake.wildcards)])


def _say(sentence: str) -> None:
    """Print a sentence now, and leave it for the end of Snakemake's own output."""
    print(sentence, file=sys.stderr)
    if path := os.environ.get(SENTENCES):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(sentence + "\n")


def _files(named: Any) -> Files:
    return Files(
        {
            name: [Path(value)] if isinstance(value, str) else [Path(v) for v in value]
            for name, value in named.items()
        }
    )
