"""Which files were found to hold what their job wrote although their time is another.

Snakemake gives the outputs of a job a new time when it has ended, and by its time alone each would
be read whole whenever it starts. What was read once is known by its name, its inode and its times,
of which one, that of the last change of anything about it, is the file system's own. So a fault of
the disk that changes no time is not seen here; whoever reads the file sees it (`io.seal.verify`).
"""

import hashlib
import os
import time
from pathlib import Path

from attnpipe.io.seal import Mark, is_intact, sha256
from attnpipe.pipeline.kept import CACHE, keep, read_kept

SETTLED_NS = 2 * 10**9
"""A file that changed less long ago may change again within a step of the file system's clock."""


class Checked:
    """Tells whether files are intact, and reads each once.

    Parameters
    ----------
    file
        Where what was found is kept for the next invocation; None: nowhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known = {*read_kept(file).get("intact", ())}
        self._used: set[int] = set()

    @classmethod
    def of(cls, root: Path, study: str) -> "Checked":
        """Return what is known of a study, below the project folder."""
        return cls(root / CACHE / f"intact-{study}.json")

    def is_intact(self, path: str, expected: Mark) -> bool:
        """Tell whether a file still holds the bytes of its mark."""
        return is_intact(path, expected, self._holds)

    def _holds(self, path: Path | str, stat: os.stat_result, digest: str) -> bool:
        number = _number(path, stat, digest)
        if number not in self._known and sha256(path) != digest:
            return False
        if time.time_ns() - stat.st_ctime_ns > SETTLED_NS:
            self._used.add(number)
        return True

    def keep(self, whole: bool) -> None:
        """Keep what was found; drop the rest if all files of the study were asked for."""
        if self._used <= self._known and not (whole and len(self._known) > 2 * len(self._used)):
            return
        self._known = self._used if whole else self._known | self._used
        keep(self._file, {"intact": sorted(self._known)})


def _number(path: Path | str, stat: os.stat_result, digest: str) -> int:
    """Return eight bytes that stand for a file at a time, and what it held then."""
    text = f"{path}\0{stat.st_dev}\0{stat.st_ino}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0{digest}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
