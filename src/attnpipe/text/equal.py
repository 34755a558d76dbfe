"""Questions of equal length in tokens, so that positions mean the same in all of them."""

from collections import Counter
from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from attnpipe.core.errors import UserError
from attnpipe.text.arithmetic import Question


def question_text(question: Question) -> str:
    """Return a question's own characters."""
    return question.text


def of_commonest_length(
    candidates: Sequence[Question],
    tokenizers: Sequence[Tokenizer],
    written: Callable[[Question], str] = question_text,
) -> list[Question]:
    """Return the candidates with the commonest token counts, in their order.

    Parameters
    ----------
    candidates
        Questions.
    tokenizers
        Of all models that read them. The counts of a candidate are one number for each of them;
        the combination that most candidates share is chosen, the first of equally common ones.
    written
        The text whose tokens are counted.
    """
    counts = _counts(candidates, tokenizers, written)
    commonest = Counter(counts).most_common(1)
    return [
        question
        for question, count in zip(candidates, counts, strict=True)
        if count == commonest[0][0]
    ]


def equal_token_counts(
    candidates: Sequence[Question],
    tokenizers: Sequence[Tokenizer],
    n: int,
    written: Callable[[Question], str] = question_text,
) -> list[Question]:
    """Return the candidates with the commonest token counts, of which `n` are needed.

    Parameters are those of `of_commonest_length`.

    Raises
    ------
    UserError
        When fewer candidates share the counts.
    """
    alike = of_commonest_length(candidates, tokenizers, written)
    if len(alike) < n:
        lengths = _counts(alike[:1], tokenizers, written)
        tokens = " and ".join(str(count) for counts in lengths for count in counts)
        raise UserError(
            f"only {len(alike)} of {len(candidates)} candidate questions share the commonest "
            f"length ({tokens or 'no'} tokens), {n} are needed; widen smallest to largest, or "
            "lower questions"
        )
    return alike


def _counts(
    questions: Sequence[Question],
    tokenizers: Sequence[Tokenizer],
    written: Callable[[Question], str],
) -> list[tuple[int, ...]]:
    """Return the token counts of each question, one per tokenizer, special tokens left out."""
    return [
        tuple(len(t.encode(written(question), add_special_tokens=False).ids) for t in tokenizers)
        for question in questions
    ]
