"""Texts as a model reads them; spans of characters become tokens through offsets."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64
from tokenizers import Encoding, Tokenizer

from attnpipe.core.errors import UserError
from attnpipe.core.text import Span, TokenSpan, TokenText

TOKENIZER_FILE = "tokenizer.json"
CONTEXT = 20
"""Characters shown before and after a place in a text."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a local model folder.

    Stored settings that would cut or pad texts are dropped, and tokens keep the white space
    that belongs to them (`` plus`` covers its space), whatever the file says.

    Raises
    ------
    UserError
        When the folder has no ``tokenizer.json``, or an unreadable one.
    """
    path = folder / TOKENIZER_FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        document["truncation"] = document["padding"] = None
        _keep_space(document.get("post_processor"))
        return Tokenizer.from_str(json.dumps(document))
    except FileNotFoundError:
        raise UserError(
            f"'{folder}' has no {TOKENIZER_FILE}: spans of characters are mapped to tokens by the "
            "offsets that only a fast tokenizer gives; save the model's fast tokenizer there"
        ) from None
    except Exception as error:  # the tokenizers library raises plain Exception
        raise UserError(
            f"cannot read the tokenizer '{path}' ({error}); obtain the model again"
        ) from None


def _keep_space(node: Any) -> None:
    """Turn off ``trim_offsets`` in a post-processor and in those inside it."""
    if isinstance(node, dict):
        if "trim_offsets" in node:
            node["trim_offsets"] = False
        for inner in node.get("processors", ()):
            _keep_space(inner)


def tokenize(
    text: str,
    spans: Iterable[Span],
    tokenizer: Tokenizer,
    *,
    max_tokens: int | None = None,
    add_special_tokens: bool = True,
) -> TokenText:
    """Return the tokens of a text and those that share a character with each span.

    A character that several tokens share, as an emoji in a byte-level vocabulary, counts to
    all of them. Special tokens are those that the tokenizer adds, which have no characters,
    and those that the text spells out, such as ``<|im_start|>`` of a chat template.

    Parameters
    ----------
    text
        The characters.
    spans
        Named ranges of characters, each of which must be covered by a token.
    tokenizer
        Neither cutting nor padding.
    max_tokens
        Positions of the model; None: no limit.
    add_special_tokens
        Whether the tokenizer adds its own BOS, CLS, SEP; a chat template has written them.

    Raises
    ------
    UserError
        When the text is empty or too long, a span lies outside of it or no token covers it, or
        the tokenizer would cut or pad, or is of another kind.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise UserError(
            f"a tokenizer of transformers ({type(tokenizer).__name__}) cannot be used here; read "
            "the model's with attnpipe.text.tokens.load_tokenizer(folder)"
        )
    if tokenizer.truncation is not None or tokenizer.padding is not None:
        raise UserError(
            "the tokenizer is set to cut or pad texts, which would move or hide tokens; "
            "call its no_truncation() and no_padding(), or read it with load_tokenizer"
        )
    encoding = tokenizer.encode(text, add_special_tokens=add_special_tokens)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    if not text.strip() or not (offsets[:, 0] < offsets[:, 1]).any():
        raise UserError(f"the prompt {text[:CONTEXT]!r} is empty; write at least one word")
    if max_tokens is not None and len(offsets) > max_tokens:
        raise UserError(
            f"the prompt {around(text, 0, 0)} has {len(offsets)} tokens, the model has "
            f"{max_tokens} positions; shorten the prompt or choose a model with more"
        )
    return TokenText(
        text=text,
        ids=np.array(encoding.ids, dtype=np.int64),
        offsets=offsets,
        special=_special(text, encoding, tokenizer),
        spans=tuple(TokenSpan(span, _covering(span, text, offsets)) for span in spans),
    )


def answer_ids(text: str, answer: object, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of an answer written behind a text, after a space if it ends in none."""
    gap = "" if text[-1:].isspace() else " "
    ids: list[int] = tokenizer.encode(f"{gap}{answer}", add_special_tokens=False).ids
    return ids


def around(text: str, start: int, end: int) -> str:
    """Return a range of characters and some beside it, quoted; an ellipsis where cut."""
    left, right = max(start - CONTEXT, 0), end + CONTEXT
    head, tail = "…" if left else "", "…" if right < len(text) else ""
    return repr(head + text[left:right] + tail)


def _covering(span: Span, text: str, offsets: Int64[np.ndarray, "token 2"]) -> np.ndarray:
    """Return the indices of the tokens that share a character with the span."""
    if not 0 <= span.start <= span.end <= len(text):
        raise UserError(
            f"span '{span.name}' runs from character {span.start} to {span.end}, the text has "
            f"{len(text)}; correct the span"
        )
    first = np.maximum(offsets[:, 0], span.start)
    behind = np.minimum(offsets[:, 1], span.end)
    tokens = np.flatnonzero(first < behind)
    if len(tokens) == 0:
        raise UserError(
            f"no token covers span '{span.name}' at characters {span.start} to {span.end} of "
            f"{around(text, span.start, span.end)}; declare a span with characters that the "
            "tokenizer keeps"
        )
    return tokens


def _special(text: str, encoding: Encoding, tokenizer: Tokenizer) -> Bool[np.ndarray, " token"]:
    """Tell special tokens, but not an unknown word, which stands for some of the text."""
    added = tokenizer.get_added_tokens_decoder()
    spelled = {index: token.content for index, token in added.items() if token.special}
    return np.array(
        [
            bool(inserted) or (index in spelled and spelled[index] in text[start:end])
            for index, inserted, (start, end) in zip(
                encoding.ids, encoding.special_tokens_mask, encoding.offsets, strict=True
            )
        ],
        dtype=bool,
    )


def readable(tokens: TokenText, tokenizer: Tokenizer) -> list[str]:
    """Return each token as an axis can show it.

    The characters it covers, with ``⏎`` for a newline, ``·`` for a leading space and code points
    for control characters; pieces of one character are numbered (``😀 2/4``); a token without
    characters has its name in the vocabulary (``<s>``, ``[CLS]``).
    """
    ranges = [(int(start), int(end)) for start, end in tokens.offsets]
    shown = []
    for place, (start, end) in enumerate(ranges):
        if start == end:
            shown.append(tokenizer.id_to_token(int(tokens.ids[place])) or "")
            continue
        shown.append(_visible(tokens.text[start:end]) + _piece(ranges, place))
    return shown


def _piece(ranges: Sequence[tuple[int, int]], place: int) -> str:
    """Say which of several tokens with the very same characters this one is."""
    first = last = place
    while first > 0 and ranges[first - 1] == ranges[place]:
        first -= 1
    while last + 1 < len(ranges) and ranges[last + 1] == ranges[place]:
        last += 1
    return f" {place - first + 1}/{last - first + 1}" if last > first else ""


def _visible(text: str) -> str:
    spaces = len(text) - len(text.lstrip(" "))
    text = "·" * spaces + text[spaces:].replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)
