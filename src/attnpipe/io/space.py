"""Room on a disk, asked for before work starts."""

import shutil
from pathlib import Path

from attnpipe.core.errors import UserError

RESERVE = 64 * 1024**2


def check_space(folder: Path, need: int, use: str = "the model") -> None:
    """Raise a `UserError` unless the disk of a folder has room for so many bytes.

    Parameters
    ----------
    folder
        Exists already.
    need
        Bytes to be written; `RESERVE` bytes more must stay free.
    use
        What takes the room, for the message.
    """
    free = shutil.disk_usage(folder).free
    if free < need + RESERVE:
        raise UserError(
            f"the disk of '{folder}' has {_megabytes(free)} free, but {use} needs "
            f"{_megabytes(need + RESERVE)}; free space or choose another disk"
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
