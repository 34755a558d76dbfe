"""Which texts a pretrained model reads."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from attnpipe.schema.base import Name, Section

Operation = Literal["plus", "minus", "times"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Keyword = Annotated[str, Field(pattern=r"\S", max_length=64)]
NewTokens = Annotated[int, Field(ge=1, le=512)]

_FIELD = re.compile(r"\{([^{}]*)\}")
_WITH_EXAMPLES = re.compile(r"_?[0-9]+_shot$")


class VariantSpec(Section):
    """One way of asking; an empty variant is the question alone."""

    instruction: str = ""
    """Paragraph before the question or the examples."""
    prefix: str = ""
    """Text right before the question."""
    suffix: str = ""
    """Text right behind the question; without white space at its ends it is the answer cue."""
    max_new_tokens: NewTokens | None = None
    """Most tokens that the model writes where no examples show how an answer looks; null: `max_new_tokens` of the data."""


class ExampleSpec(Section):
    """How examples, and the question behind them, are written in a variant without own prefix and suffix."""

    prefix: str = "Q: "
    """Text right before a question."""
    suffix: Annotated[str, Field(pattern=r"\S")] = "\nA:"
    """Text right behind a question."""
    gap: str = " "
    """Text between the suffix and an example's answer."""
    end: str = "\n\n"
    """Text behind an example's answer."""


def _variants() -> dict[str, VariantSpec]:
    return {
        "plain": VariantSpec(max_new_tokens=80),
        "cot": VariantSpec(instruction="Let's think step by step.", max_new_tokens=80),
        "expert": VariantSpec(instruction="You are an expert mathematician.", max_new_tokens=80),
        "structured": VariantSpec(prefix="Question: ", suffix="\nAnswer:"),
    }


class PromptsData(Section):
    """Arithmetic questions with known answers, each asked in several ways."""

    kind: Literal["prompts"]
    name: Name
    """Name of the prepared texts."""
    questions: Annotated[int, Field(ge=2, le=1024)] = 32
    """How many questions; each is a unit, asked in every variant."""
    seed: Seed = 0
    """Seed of the questions: part of the data, not of the runs."""
    question: str = "What is {first} {operation} {second}?"
    """How a question reads; `{first}`, `{operation}` and `{second}` each stand once."""
    operations: Annotated[list[Operation], Field(min_length=1)] = ["plus"]
    """What is asked for; with several, all operations are equally likely."""
    smallest: Annotated[int, Field(ge=0, le=10**6)] = 10
    """Smallest operand."""
    largest: Annotated[int, Field(ge=0, le=10**6)] = 99
    """Largest operand: the wider the range, the harder the questions."""
    negative: bool = False
    """Whether answers below zero may be asked for."""
    variants: Annotated[dict[Name, VariantSpec], Field(min_length=1)] = _variants()
    """Variant → its texts."""
    separator: str = "\n\n"
    """Text between an instruction, or a system text, and what follows it."""
    shots: Annotated[list[Annotated[int, Field(ge=0, le=16)]], Field(min_length=1)] = [0, 1, 2, 4]
    """Numbers of examples before the question, in the variants of `few_shot`; the others get none."""
    few_shot: list[Name] = ["plain"]
    """Variants that are also asked with examples."""
    shot_seed: Seed = 0
    """Seed of the examples."""
    example: ExampleSpec = ExampleSpec()
    """How examples are written."""
    system: str = ""
    """System text: first paragraph of a raw prompt, system message of a chat; empty: none."""
    template: Literal["raw", "chat"] = "raw"
    """`raw`: the model reads the prompt as it is; `chat`: as a message in its own chat template (what that adds by itself, such as a system text of its own, belongs to no span)."""
    keywords: list[Keyword] = ["plus", "step", "expert", "math", "Question", "Answer"]
    """Words whose attention is reported, whatever their case."""
    operand_keywords: bool = True
    """Whether each question's operands are keywords too."""
    match: Literal["word", "prefix", "substring"] = "prefix"
    """`word`: whole words and numbers; `prefix`: a word may go on (math in mathematician), numbers may not; `substring`: anywhere."""
    max_new_tokens: NewTokens = 16
    """Most tokens that the model writes to answer; `variants.<name>.max_new_tokens` overrides it."""
    min_new_tokens: Annotated[int, Field(ge=0, le=512)] = 1
    """Tokens before which the model may not end: behind a bare question, chat models end at once."""

    @model_validator(mode="after")
    def _question_has_its_fields(self) -> "PromptsData":
        found = sorted(_FIELD.findall(self.question))
        if found != ["first", "operation", "second"]:
            raise ValueError(
                f"question '{self.question}' must hold {{first}}, {{operation}} and {{second}}, "
                "each once, and no other braces"
            )
        return self

    @model_validator(mode="after")
    def _operands_have_a_range(self) -> "PromptsData":
        if self.smallest >= self.largest:
            raise ValueError(
                f"smallest is {self.smallest} and largest {self.largest}; raise largest"
            )
        return self

    @model_validator(mode="after")
    def _nothing_stands_twice(self) -> "PromptsData":
        for key in ("operations", "shots", "few_shot", "keywords"):
            values = [str(value).casefold() for value in getattr(self, key)]
            twice = [value for value in values if values.count(value) > 1]
            if twice:
                raise ValueError(f"{key}: '{twice[0]}' is listed twice; list it once")
        seen: dict[tuple[str, str, str], str] = {}
        for name, variant in self.variants.items():
            texts = (variant.instruction, variant.prefix, variant.suffix)
            if texts in seen:
                raise ValueError(
                    f"variants: '{seen[texts]}' and '{name}' are the same; change or drop one"
                )
            seen[texts] = name
        return self

    @model_validator(mode="after")
    def _names_tell_variants_from_examples(self) -> "PromptsData":
        for name in self.variants:
            if _WITH_EXAMPLES.search(name):
                raise ValueError(
                    f"variants: '{name}' is what a variant with examples is called; rename it"
                )
        return self

    @model_validator(mode="after")
    def _there_is_room_to_end(self) -> "PromptsData":
        most = {"max_new_tokens": self.max_new_tokens}
        for name, variant in self.variants.items():
            if variant.max_new_tokens is not None:
                most[f"variants.{name}.max_new_tokens"] = variant.max_new_tokens
        for key, tokens in most.items():
            if tokens < self.min_new_tokens:
                raise ValueError(
                    f"{key} is {tokens} and min_new_tokens {self.min_new_tokens}; raise {key}"
                )
        return self

    @model_validator(mode="after")
    def _few_shot_names_variants(self) -> "PromptsData":
        for name in self.few_shot:
            if name not in self.variants:
                raise ValueError(
                    f"few_shot: '{name}' is no variant; name one of {', '.join(self.variants)}"
                )
        return self


class SentencesData(Section):
    """Sentences of real English prose, from the manual that comes with Python."""

    kind: Literal["sentences"]
    name: Name
    """Name of the prepared texts."""
    count: Annotated[int, Field(ge=2)] = 256
    """How many sentences; each is a unit."""
    seed: Seed = 0
    """Seed of the choice: part of the data, not of the runs."""
    min_tokens: Annotated[int, Field(ge=1)] = 12
    """Fewest tokens of a sentence, special ones included."""
    max_tokens: Annotated[int, Field(ge=2)] = 48
    """Most tokens of a sentence, special ones included."""

    @model_validator(mode="after")
    def _lengths_have_a_range(self) -> "SentencesData":
        if self.min_tokens > self.max_tokens:
            raise ValueError(
                f"min_tokens is {self.min_tokens} and max_tokens {self.max_tokens}; raise max_tokens"
            )
        return self
