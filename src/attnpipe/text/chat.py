"""Prompts inside a model's own chat template, with every character still known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.text import names
from attnpipe.text.compose import Composed, Composer
from attnpipe.text.rendering import RenderError, renderer

Message = Mapping[str, str]


@dataclass(frozen=True)
class ChatTemplate:
    """How a model wants messages to be written.

    Attributes
    ----------
    source
        The template in Jinja's language.
    tokens
        Names of special tokens and their texts: ``bos_token`` → ``<s>``.
    """

    source: str
    tokens: Mapping[str, str]

    def render(self, messages: Sequence[Message]) -> str:
        """Return messages as the model reads them, up to where its answer begins.

        Raises
        ------
        UserError
            When the template refuses the messages, does what the sandbox forbids, or takes more
            time or room than a template has.
        """
        variables = {
            **self.tokens,
            "messages": [dict(message) for message in messages],
            "tools": None,
            "documents": None,
            "add_generation_prompt": True,
        }
        try:
            return renderer().render(self.source, variables)
        except RenderError as error:
            raise UserError(
                f"the model's chat template cannot write the prompt ({error}); set template to "
                "raw, or choose another model"
            ) from None

    def place(self, prompt: Composed, system: str = "") -> Composed:
        """Return the prompt as the user's message, after a system message if there is one.

        The messages are found by rendering placeholders in their stead, never by searching for
        their text; the result is checked to be what the template makes of the messages.

        Raises
        ------
        UserError
            When the template changes a message, leaves it out or repeats it.
        """
        pieces = {"user": prompt}
        if system:
            pieces = {"system": Composer().add_core(names.SYSTEM, system).done()} | pieces
        wanted = self.render([_message(role, piece.text) for role, piece in pieces.items()])
        marks = {role: _unused(f"{role}placeholder", wanted) for role in pieces}
        marked = self.render([_message(role, mark) for role, mark in marks.items()])
        composer, rest = Composer(), marked
        for role, piece in pieces.items():
            before, mark, rest = rest.partition(marks[role])
            if not mark:
                break
            composer.add(None, before).add(None, piece)
        placed = composer.add(None, rest).done()
        if placed.text != wanted:
            raise UserError(
                "the model's chat template does not write messages as they are, so that places in "
                f"them are unknown (wanted {prompt.text[:40]!r}…); remove white space at the ends "
                "of the prompt, drop the system text, or set template to raw"
            )
        return placed


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _unused(stem: str, text: str) -> str:
    """Return a word that begins with `stem` and does not stand in the text."""
    while stem in text:
        stem += "x"
    return stem


def load_chat_template(folder: Path) -> ChatTemplate:
    """Return the chat template of a local model folder.

    It stands in ``chat_template.jinja`` or, in older folders, in ``tokenizer_config.json``; of
    several the one named ``default``.

    Raises
    ------
    UserError
        When there is none, or a file is unreadable.
    """
    config = _read(folder / "tokenizer_config.json")
    tokens = {name: _token_text(value) for name, value in config.items() if _is_token(name, value)}
    source: Any
    path = folder / "chat_template.jinja"
    try:
        source = path.read_text("utf-8")
    except FileNotFoundError:
        source = config.get("chat_template")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read '{path}' ({error}); obtain the model again") from None
    if isinstance(source, list):
        named = [entry for entry in source if isinstance(entry, dict)]
        defaults = [entry.get("template") for entry in named if entry.get("name") == "default"]
        source = defaults[0] if defaults else None
    if not isinstance(source, str):
        raise UserError(f"'{folder}' has no chat template; set template to raw")
    return ChatTemplate(source, tokens)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read '{path}' ({error}); obtain the model again") from None
    return document if isinstance(document, dict) else {}


def _is_token(name: str, value: Any) -> bool:
    return name.endswith("_token") and isinstance(value, str | dict)


def _token_text(value: str | dict[str, Any]) -> str:
    return value if isinstance(value, str) else str(value.get("content", ""))
