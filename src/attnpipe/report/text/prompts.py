"""The prompts of the representative question, one by one: tokens, answer, segments, heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from attnpipe.diagnosis.schema import Diagnosis
from attnpipe.diagnosis.text.readable import visible
from attnpipe.diagnosis.text.words import over_limit
from attnpipe.report.listing import Listing
from attnpipe.report.preface import unit_of
from attnpipe.report.text.heads import head_listings, shape
from attnpipe.report.text.keywords import keyword_listing
from attnpipe.report.text.segments import segment_listing
from attnpipe.report.text.tokens import token_listing

Tables = Mapping[str, pl.DataFrame]

VERDICTS = {
    "right": ("right", "YES"),
    "wrong": ("wrong", "NO"),
    "none": ("no answer found", "INCONCLUSIVE"),
    "unfinished": ("cut off before an answer", "INCONCLUSIVE"),
    "empty": ("nothing written", "INCONCLUSIVE"),
}
"""Reading of an answer → what is said of it, and how it is marked."""


@dataclass(frozen=True)
class Prompt:
    """One variant.

    Attributes
    ----------
    anchor, variant
        Where it is on the page, and its name.
    text
        What the model read; None if it is not known.
    facts
        Name and value of what there is to say of it in short.
    verdict
        What is to be said of the answer; None if nothing was asked.
    chip
        ``YES``, ``NO`` or ``INCONCLUSIVE``: how it is marked.
    generated
        What the model wrote; None if nothing.
    listings
        Tokens, segments, keywords, heads.
    """

    anchor: str
    variant: str
    text: str | None
    facts: Sequence[tuple[str, str]]
    verdict: str | None
    chip: str
    generated: str | None
    listings: Sequence[Listing]


@dataclass(frozen=True)
class PromptChapter:
    """The prompts of one model."""

    anchor: str
    title: str
    prompts: Sequence[Prompt]


def prompts(
    diagnosis: Diagnosis,
    tables: Tables,
    provenance: Mapping[str, Any],
    texts: pl.DataFrame | None,
) -> list[PromptChapter]:
    """Return the prompts of the representative question, model by model; none if unknown."""
    config = provenance.get("config") or {}
    options = (config.get("analysis") or {}).get("text") or {}
    question = options.get("representative_question", 0)
    unit = unit_of(provenance)
    found = []
    for model in diagnosis.models:
        own = {
            name: frame.filter(pl.col("model") == model.name)
            for name, frame in tables.items()
            if "model" in frame.columns
        }
        if "answers" not in own or "tokens" not in own:
            continue
        asked = own["answers"].filter(pl.col("question") == question).sort("item")
        written = _written(texts, model.name)
        shown = [
            _prompt(f"prompt-{model.name}", row, own, written)
            for row in asked.iter_rows(named=True)
        ]
        if shown:
            title = f"{model.label}: {unit} {question}"
            found.append(PromptChapter(f"prompts-{model.name}", title, shown))
    return found


def _written(texts: pl.DataFrame | None, model: str) -> Mapping[int, str]:
    """Return item → its text."""
    if texts is None:
        return {}
    own = texts.filter(pl.col("model") == model)
    return {item: visible(text) for item, text in own.select("item", "text").iter_rows()}


def _prompt(
    anchor: str, row: Mapping[str, Any], tables: Tables, written: Mapping[int, str]
) -> Prompt:
    item, variant = row["item"], row["variant"]
    facts = [("tokens", str(row["tokens"])), ("shape", shape(tables, row["tokens"]))]
    if row["answer"] is not None:
        given = row["given"] or VERDICTS[row["reading"]][0]
        facts += [("right answer", row["answer"]), ("given", given)]
    if row["over_limit"] is not None:
        facts.append(("left out of maps and distances between heads", over_limit(row)))
    for name, column in (("loss", "loss"), ("loss of the right answer", "answer_loss")):
        if row[column] is not None:
            facts.append((name, f"{row[column]:.3f} nats per token"))
    listings = [
        token_listing(tables, item),
        segment_listing(tables, variant),
        keyword_listing(tables, variant),
        *head_listings(tables, variant),
    ]
    verdict, chip = VERDICTS.get(row["reading"], (None, ""))
    return Prompt(
        anchor=f"{anchor}-{variant}",
        variant=variant,
        text=written.get(item),
        facts=[(name, visible(value)) for name, value in facts if value],
        verdict=verdict,
        chip=chip,
        generated=None if row["generated"] is None else visible(row["generated"]),
        listings=[listing for listing in listings if listing is not None],
    )
