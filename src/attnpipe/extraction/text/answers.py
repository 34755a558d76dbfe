"""What a language model makes of each text: its likelihood, its answer."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from tokenizers import Tokenizer

from attnpipe.core.progress import Progress, silent
from attnpipe.extraction.text.batches import batches, ids_of
from attnpipe.tables.text import ANSWERS
from attnpipe.tasks.answers import answer_batches, answer_losses
from attnpipe.text.reading import ModelText
from attnpipe.text.scoring import extract_answer, reading

SCORED = 256
"""Tokens whose likelihood is computed at a time."""


def answers(
    model: Any,
    name: str,
    texts: Sequence[ModelText],
    tokenizer: Tokenizer,
    dense_limit: int,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Return table `ANSWERS`; likelihoods and answers are null for encoders.

    Parameters
    ----------
    model
        In evaluation mode; a causal language model, or None for an encoder.
    name
        Of the model.
    texts
        All texts.
    tokenizer
        Decodes what was generated: greedily, where a question is asked.
    dense_limit
        Most tokens of a text whose weights are looked at one by one.
    progress
        Is told how many texts were answered.
    """
    rows: list[dict[str, object]] = []
    for group in batches(texts):
        found = [{} for _ in group] if model is None else _scored(model, group)
        asked = [text for text in group if text.asked is not None]
        if model is not None and asked:
            written = _continued(model, asked, tokenizer)
            losses = _answer_losses(model, asked, tokenizer)
            for text, facts in zip(group, found, strict=True):
                if text.asked is not None:
                    facts |= _judged(text, *written[text.item])
                    facts["answer_loss"] = losses[text.item]
        for text, facts in zip(group, found, strict=True):
            rows.append(
                {
                    "model": name,
                    "item": text.item,
                    "question": text.question,
                    "variant": text.variant,
                    "tokens": len(text.tokens.ids),
                    "over_limit": dense_limit if len(text.tokens.ids) > dense_limit else None,
                    "answer": None if text.asked is None else str(text.asked.answer),
                }
                | facts
            )
        progress("answering", len(rows), len(texts))
    return ANSWERS.frame(sorted(rows, key=lambda row: int(str(row["item"]))))


def losses(
    logits: Float[torch.Tensor, "text token word"], ids: Int64[torch.Tensor, "text token"]
) -> Float[np.ndarray, "text next"]:
    """Return the negative log-likelihood of each token but the first, in nats.

    Some tokens at a time: of a long text, logits are held once, not three times.
    """
    parts = []
    for start in range(0, ids.shape[1] - 1, SCORED):
        part = logits[:, start : min(start + SCORED, ids.shape[1] - 1)].float()
        said = ids[:, start + 1 : start + 1 + part.shape[1], None]
        parts.append(part.logsumexp(-1) - part.gather(-1, said)[..., 0])
    nll = torch.cat(parts, dim=1) if parts else logits.new_zeros(len(ids), 0)
    array: np.ndarray = nll.double().cpu().numpy()
    return array


def _scored(model: Any, group: list[ModelText]) -> list[dict[str, object]]:
    ids = ids_of(group)
    with torch.inference_mode():
        nll = losses(model(ids, use_cache=False).logits, ids)
    return [{"loss": float(row.mean()) if row.size else None} for row in nll]


def _continued(
    model: Any, group: list[ModelText], tokenizer: Tokenizer
) -> dict[int, tuple[str, bool]]:
    """Return item → the greedy continuation, and whether the model ended it."""
    lengths: dict[tuple[int, int], list[ModelText]] = {}
    for text in group:
        lengths.setdefault((text.least, text.most), []).append(text)
    found, ends = {}, _ends(model)
    for (least, most), alike in lengths.items():
        for text, tokens in zip(alike, _generated(model, alike, least, most), strict=True):
            written = list(takewhile(lambda token: token not in ends, tokens))
            said = tokenizer.decode(written, skip_special_tokens=True)
            found[text.item] = said, len(written) < len(tokens)
    return found


def _generated(model: Any, group: list[ModelText], least: int, most: int) -> list[list[int]]:
    """Return the new tokens of each text; shorter ones are padded with the end."""
    ids, ends = ids_of(group), sorted(_ends(model))
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=most,
            min_new_tokens=least if ends else None,
            do_sample=False,
            num_beams=1,
            pad_token_id=ends[0] if ends else 0,
        )
    new: list[list[int]] = out[:, ids.shape[1] :].tolist()
    return new


def _ends(model: Any) -> set[int]:
    """Return the tokens that end a text; none, if the model does not know any."""
    end = model.generation_config.eos_token_id
    return set() if end is None else set(end) if isinstance(end, list) else {end}


def _judged(text: ModelText, written: str, finished: bool) -> dict[str, object]:
    assert text.asked is not None  # only such texts are continued
    given = extract_answer(written, text.asked, finished=finished)
    return {
        "generated": written,
        "finished": finished,
        "given": None if given is None else str(given),
        "correct": given == text.asked.answer,
        "reading": reading(written, text.asked, finished=finished),
    }


def _answer_losses(model: Any, group: list[ModelText], tokenizer: Tokenizer) -> dict[int, float]:
    """Return item → mean loss of the right answer's tokens, written behind a space."""
    return {
        text.item: float(loss)
        for batch in answer_batches(group, tokenizer)
        for text, loss in zip(batch.texts, answer_losses(model, batch), strict=True)
    }
