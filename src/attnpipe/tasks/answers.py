"""How likely a language model finds the right answer to each question it is asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from tokenizers import Tokenizer

from attnpipe.text.reading import ModelText
from attnpipe.text.tokens import answer_ids

BATCH = 32
TOKENS = 8192
"""Most tokens of a batch of more than `FEWEST` texts."""
FEWEST = 4
"""Texts that stay together however long they are: one replaces the other's attention."""


@dataclass(frozen=True)
class AnswerBatch:
    """Texts of one variant and length, each with the right answer written behind it.

    Attributes
    ----------
    texts
        Each asks a question.
    ids
        Tokens of text and answer.
    length
        Tokens of the answer: the last ones.
    """

    texts: tuple[ModelText, ...]
    ids: Int64[np.ndarray, "text token"]
    length: int

    def part(self, chosen: Int64[np.ndarray, " chosen"]) -> "AnswerBatch":
        """Return some of the texts."""
        return AnswerBatch(tuple(self.texts[i] for i in chosen), self.ids[chosen], self.length)

    def others(self) -> tuple["AnswerBatch", Bool[np.ndarray, " text"]]:
        """Return the texts with the next answer of the batch that is another, and who has one."""
        answers = self.ids[:, -self.length :]
        count, donor = len(answers), np.arange(len(answers))
        for text in range(count):
            following = [(text + step) % count for step in range(1, count)]
            other = (d for d in following if not np.array_equal(answers[d], answers[text]))
            donor[text] = next(other, text)
        ids = self.ids.copy()
        ids[:, -self.length :] = answers[donor]
        return AnswerBatch(self.texts, ids, self.length), donor != np.arange(count)


def answer_batches(
    texts: Sequence[ModelText],
    tokenizer: Tokenizer,
    size: int = BATCH,
    variants: Sequence[str] | None = None,
) -> Iterator[AnswerBatch]:
    """Yield all texts that ask something, short ones first; answers stand behind a space.

    Only those of some `variants`, if they are named.

    Those that are alike in length, variant and length of the answer come together, in
    batches of nearly equal size: at most `size`, and fewer of long ones (`TOKENS`).
    """
    alike: dict[tuple[int, str, int], list[tuple[ModelText, np.ndarray]]] = {}
    for text in texts:
        if text.asked is None or (variants is not None and text.variant not in variants):
            continue
        answer = answer_ids(text.tokens.text, text.asked.answer, tokenizer)
        ids = np.concatenate([text.tokens.ids, np.array(answer, dtype=np.int64)])
        key = (len(text.tokens.ids), text.variant, len(answer))
        alike.setdefault(key, []).append((text, ids))
    for (tokens, _, length), members in sorted(alike.items()):
        most = min(size, max(FEWEST, TOKENS // (tokens + length)))
        for places in np.array_split(np.arange(len(members)), -(-len(members) // most)):
            group = [members[place] for place in places]
            yield AnswerBatch(
                tuple(text for text, _ in group), np.stack([ids for _, ids in group]), length
            )


def answer_losses(
    model: Any,
    batch: AnswerBatch,
    kept: Int64[np.ndarray, "#text kept"] | None = None,
    *,
    keep_positions: bool = True,
) -> Float64[np.ndarray, " text"]:
    """Return the mean loss of the answer's tokens, in nats.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode.
    batch
        What it reads.
    kept
        Places of the tokens that it reads, ascending, the last text token and the answer
        among them; None: all. The others are not there at all.
    keep_positions
        Whether tokens that are left stand where they stood; else they move together.
    """
    ids = torch.from_numpy(batch.ids)
    options: dict[str, torch.Tensor] = {}
    if kept is not None:
        places = torch.from_numpy(kept).expand(len(ids), -1)
        ids = ids.gather(1, places)
        if keep_positions:
            options["position_ids"] = places
            # Without a mask, transformers takes gaps between positions for packed sequences.
            options["attention_mask"] = torch.ones_like(ids)
    with torch.inference_mode():
        found = model(ids, use_cache=False, logits_to_keep=batch.length + 1, **options)
        log_p = found.logits[:, :-1].double().log_softmax(-1)
        nll = -log_p.gather(-1, ids[:, -batch.length :, None])[..., 0]
    losses: np.ndarray = nll.mean(1).numpy()
    return losses


def other_answer_losses(model: Any, batch: AnswerBatch) -> Float64[np.ndarray, " text"]:
    """Return the mean loss of another question's answer; NaN where no other answer is there."""
    others, known = batch.others()
    return np.where(known, answer_losses(model, others), np.nan)
