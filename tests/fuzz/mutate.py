"""Inputs that are nearly right: what a fuzzer feeds to a reader."""

import json
import random
import struct

EDGES = [0, 1, 255, 256, 65535, 10**6, 2**31 - 1, 2**32 - 1]
WIDE = [0, 1, 2**31, 2**40, 2**62, 2**63 - 1, 2**64 - 1]
ODD = [
    None, True, False, 0, -1, 1, 3, 10**9, 2**63, 10**400, 0.5, -0.0, 1e308, "", "a", "../../x",
    "\x00", "💥", "NaN", [], [[]], [0], {}, {"a": {}},
]  # fmt: skip
HEAD = 2048
"""Formats say at their beginning what follows: half of all changes are made there."""


def mutated(content: bytes, generator: random.Random, words: bytes = b"") -> bytes:
    """Return bytes with some of them flipped, cut, repeated or overwritten.

    Parameters
    ----------
    content
        A valid file.
    generator
        Decides everything.
    words
        Characters that mean something in the format.
    """
    data = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 4, 8])):
        _change(data, generator, words)
    return bytes(data)


def _change(data: bytearray, generator: random.Random, words: bytes) -> None:
    size = len(data) if generator.random() < 0.5 else min(len(data), HEAD)
    at = generator.randrange(size + 1)
    match generator.randrange(7):
        case 0 if data:
            data[at % len(data)] ^= 1 << generator.randrange(8)
        case 1:
            del data[at:]
        case 2:
            data[at:at] = data[generator.randrange(len(data) + 1) :][: generator.randrange(40)]
        case 3:
            data[at : at + 4] = struct.pack("<I", generator.choice(EDGES))
        case 4:
            data[at : at + 8] = struct.pack("<Q", generator.choice(WIDE))
        case 5:
            del data[at : at + generator.randrange(40)]
        case 6 if words:
            data[at : at + 1] = bytes([generator.choice(words)])


def other_values(document: dict, generator: random.Random) -> dict:
    """Return a JSON object in which some values are others, or gone."""
    document = json.loads(json.dumps(document))
    for _ in range(generator.choice([1, 1, 1, 2, 3])):
        places = list(_places(document))
        if not places:
            break
        holder, key = generator.choice(places)
        if generator.random() < 0.15:
            del holder[key]
        else:
            holder[key] = generator.choice(ODD)
    return document


def _places(document):
    """Yield every value of a document as its holder and key."""
    for key in list(document if isinstance(document, dict) else range(len(document))):
        yield document, key
        if isinstance(document[key], dict | list):
            yield from _places(document[key])
