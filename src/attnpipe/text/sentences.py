"""Real English sentences that are on every machine: the manual inside the standard library.

The text of `pydoc_data.topics` differs between versions of Python, and the sentences with it;
`source` says which text it was.
"""

import hashlib
import platform
import re
from collections.abc import Mapping

import numpy as np
from tokenizers import Tokenizer

from attnpipe.core.errors import UserError
from attnpipe.schema.text import SentencesData

FEWEST_WORDS = 6
MOST_CHARACTERS = 400
_PARAGRAPHS = re.compile(r"\n\s*\n")
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][A-Za-z ,;:'()-]*\.")
"""A sentence in plain letters: no code, no markup, no abbreviation with inner full stops."""


def topics() -> Mapping[str, str]:
    """Return the chapters of the manual by name.

    Raises
    ------
    UserError
        When this Python came without its manual.
    """
    try:
        from pydoc_data.topics import topics as found
    except ImportError:
        raise UserError(
            "this Python has no module pydoc_data, whose text the sentences are taken from; "
            "install the complete standard library, or use data of another kind"
        ) from None
    return dict(found)


def prose(chapters: Mapping[str, str]) -> list[str]:
    """Return all different sentences of plain prose, in the order of the chapters' names.

    A paragraph is prose where all its lines have the same indent; a sentence of at least six
    words and at most 400 characters counts if it consists of letters and ordinary marks only.
    """
    found: dict[str, None] = {}
    for name in sorted(chapters):
        for paragraph in _PARAGRAPHS.split(chapters[name]):
            lines = [line for line in paragraph.splitlines() if line.strip()]
            if len({len(line) - len(line.lstrip()) for line in lines}) != 1:
                continue
            for sentence in _ENDS.split(" ".join(line.strip() for line in lines)):
                long = len(sentence) <= MOST_CHARACTERS and len(sentence.split()) >= FEWEST_WORDS
                if long and _PROSE.fullmatch(sentence):
                    found[sentence] = None
    return list(found)


def sentences(spec: SentencesData, tokenizer: Tokenizer) -> list[str]:
    """Return `spec.count` sentences within the limits of length, in random order.

    Raises
    ------
    UserError
        When there are not enough.
    """
    fitting = [
        sentence
        for sentence in prose(topics())
        if spec.min_tokens <= len(tokenizer.encode(sentence).ids) <= spec.max_tokens
    ]
    if len(fitting) < spec.count:
        raise UserError(
            f"only {len(fitting)} sentences have {spec.min_tokens} to {spec.max_tokens} tokens, "
            f"{spec.count} are asked for; lower count or widen the limits"
        )
    order = np.random.default_rng(spec.seed).permutation(len(fitting))
    return [fitting[place] for place in order[: spec.count].tolist()]


def source() -> dict[str, str]:
    """Return where the sentences come from: module, version of Python, SHA-256 of the text."""
    chapters = topics()
    text = "\0".join(f"{name}\0{chapters[name]}" for name in sorted(chapters))
    return {
        "module": "pydoc_data.topics",
        "python": platform.python_version(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
