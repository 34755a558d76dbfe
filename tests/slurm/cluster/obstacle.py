"""Why a machine cannot have a test cluster: no fault of the project."""

import fcntl
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path("/run/lock/attnpipe-cluster")
"""One cluster at a time, whoever's: its ports and its configuration are those of the host."""


class ObstacleError(Exception):
    """There can be no test cluster here, or not now."""


@contextmanager
def alone() -> Iterator[None]:
    """Be the only one on this host who has a test cluster.

    Raises
    ------
    ObstacleError
        Another process has one.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ObstacleError(
                f"another process of this host has one ('{LOCK}' is locked)"
            ) from None
        yield


def address() -> str:
    """Return what the host's name stands for, which is where SLURM's daemons listen.

    Raises
    ------
    ObstacleError
        It stands for nothing.
    """
    name = socket.gethostname()
    try:
        return socket.gethostbyname(name)
    except OSError:
        raise ObstacleError(f"the host's own name, '{name}', has no address") from None


def check_free(ports: Iterable[int]) -> None:
    """Raise unless nobody listens on these ports.

    Raises
    ------
    ObstacleError
        The first of them that is taken.
    """
    for port in ports:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("", port))
            except OSError as error:
                raise ObstacleError(f"port {port} is taken ({error.strerror})") from None
