"""All texts of a study, as its models read them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from tokenizers import Tokenizer

from attnpipe.core.errors import UserError
from attnpipe.core.text import Span
from attnpipe.schema.text import PromptsData, SentencesData
from attnpipe.tables.text import SPANS, TEXTS
from attnpipe.text import names
from attnpipe.text.chat import load_chat_template
from attnpipe.text.choose import Chosen, choose
from attnpipe.text.conditions import most_new_tokens, variant_label
from attnpipe.text.prompts import PromptItem, prompt_items
from attnpipe.text.sentences import sentences, source
from attnpipe.text.tokens import answer_ids, around, load_tokenizer, tokenize

POSITIONS = ("max_position_embeddings", "n_positions")
OFFSET_MODELS = (
    "roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "xlm-roberta-xl", "xmod",
    "data2vec-text",
)  # fmt: skip
"""Models whose positions begin behind the padding index, so that two are lost."""

SENTENCES = "sentences"

Row = dict[str, object]
Item = tuple[Row, Sequence[Span], Sequence[str]]
"""A row of `TEXTS` without its model, its spans, and names of spans looked for in vain."""
Items = dict[str, list[Item]]
"""Model → its texts."""


@dataclass(frozen=True)
class StudyTexts:
    """Texts and spans of all models, and what is known of them.

    Attributes
    ----------
    texts, spans
        Tables `TEXTS` and `SPANS`.
    description
        ``kind``, ``questions``, ``variants``, ``source``, and as ``available`` how many
        questions could be asked, null of sentences.
    """

    texts: pl.DataFrame
    spans: pl.DataFrame
    description: dict[str, Any]


def study_texts(
    spec: PromptsData | SentencesData,
    folders: Mapping[str, Path],
    limits: Mapping[str, int | None],
) -> StudyTexts:
    """Return the texts of a study; every one of them, with its answer, fits every model.

    Parameters
    ----------
    spec
        The data section.
    folders
        Model → its folder, of which tokenizer and config are read.
    limits
        Model → most tokens of a text; None: as many as the model has positions.

    Raises
    ------
    UserError
        A text is too long, alone or with its answer, a span has no token, or there are too
        few questions.
    """
    tokenizers = {model: load_tokenizer(folder) for model, folder in folders.items()}
    texts: list[Row] = []
    spans: list[Row] = []
    if isinstance(spec, SentencesData):
        read = _sentences(spec, folders, next(iter(tokenizers.values())))
        about: dict[str, Any] = {"available": None, "source": source()}
    else:
        chosen = choose(spec, list(tokenizers.values()))
        read = _prompts(spec, folders, chosen)
        about = {"available": chosen.available, "source": {"seed": spec.seed}}
    for model, items in read.items():
        positions = _positions(folders[model])
        limit = _limit(model, limits[model], positions)
        for row, found, missed in items:
            tokens = tokenize(
                str(row["text"]), found, tokenizers[model],
                max_tokens=limit, add_special_tokens=bool(row["add_special_tokens"]),
            )  # fmt: skip
            if isinstance(spec, PromptsData) and positions is not None:
                _check_room(row, len(tokens.ids), tokenizers[model], positions)
            texts.append({"model": model} | row)
            spans += [{"model": model, "item": row["item"]} | r for r in _rows(found, missed)]
    return StudyTexts(
        TEXTS.frame(texts),
        SPANS.frame(spans),
        {
            "kind": spec.kind,
            "questions": len({row["question"] for row in texts}),
            "variants": list(dict.fromkeys(row["variant"] for row in texts)),
            **about,
        },
    )


def _sentences(spec: SentencesData, folders: Mapping[str, Path], tokenizer: Tokenizer) -> Items:
    plain: list[Item] = [
        ({"item": i, "question": i, "variant": SENTENCES, "shots": 0, "text": text,
          "add_special_tokens": True}, (), ())
        for i, text in enumerate(sentences(spec, tokenizer))
    ]  # fmt: skip
    return dict.fromkeys(folders, plain)


def _prompts(spec: PromptsData, folders: Mapping[str, Path], chosen: Chosen) -> Items:
    """Return the same questions for all models, each in its own chat template."""
    chats = {
        model: load_chat_template(folder) if spec.template == "chat" else None
        for model, folder in folders.items()
    }
    return {
        model: [_prompt(spec, item, chosen) for item in prompt_items(spec, chosen, chat)]
        for model, chat in chats.items()
    }


def _prompt(spec: PromptsData, item: PromptItem, chosen: Chosen) -> Item:
    question = chosen.questions[item.question]
    row: Row = {
        "item": item.item,
        "question": item.question,
        "variant": variant_label(item.variant, item.shots),
        "shots": item.shots,
        "text": item.text,
        "answer": str(item.answer),
        "first": question.first,
        "operation": question.operation,
        "second": question.second,
        "add_special_tokens": item.add_special_tokens,
        "min_new_tokens": spec.min_new_tokens,
        "max_new_tokens": most_new_tokens(spec, item.variant, item.shots),
    }
    missed = [names.keyword(word) for word, hits in item.keywords.items() if not hits]
    return row, item.spans, missed


def _rows(found: Sequence[Span], missed: Sequence[str]) -> list[Row]:
    rows: list[Row] = [
        {"span": s.name, "occurrence": s.occurrence, "start": s.start, "end": s.end} for s in found
    ]
    return rows + [{"span": name} for name in missed]


def spans_of(rows: pl.DataFrame) -> tuple[Sequence[Span], Sequence[str]]:
    """Return the spans of one text, and the names that were looked for and not found."""
    found, missed = [], []
    for row in rows.iter_rows(named=True):
        if row["start"] is None:
            missed.append(row["span"])
        else:
            found.append(Span(row["span"], row["start"], row["end"], row["occurrence"]))
    return found, missed


def _check_room(row: Row, tokens: int, tokenizer: Tokenizer, positions: int) -> None:
    """Refuse a prompt behind which its answer, given or right, has no positions left."""
    text = str(row["text"])
    right = len(answer_ids(text, row["answer"], tokenizer))
    answer = max(int(str(row["max_new_tokens"])), right)
    if tokens + answer > positions:
        raise UserError(
            f"the prompt {around(text, 0, 0)} has {tokens} tokens and its answer up to {answer}, "
            f"the model has {positions} positions; shorten the prompt, lower data.max_new_tokens "
            "or choose a model with more"
        )


def _positions(folder: Path) -> int | None:
    """Return how many tokens a model can read; None: no limit is known."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read '{path}' ({error}); obtain the model again") from None
    positions = next((config[key] for key in POSITIONS if isinstance(config.get(key), int)), None)
    if positions is not None and config.get("model_type") in OFFSET_MODELS:
        positions -= 2
    return positions


def _limit(model: str, limit: int | None, positions: int | None) -> int | None:
    """Return the most tokens of a text."""
    if limit is not None and positions is not None and limit > positions:
        raise UserError(
            f"models.{model}.max_length is {limit}, but the model has {positions} positions; "
            f"lower it to {positions} or less"
        )
    return limit if limit is not None else positions
