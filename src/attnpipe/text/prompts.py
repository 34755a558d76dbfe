"""Every prompt of a study: each question in every variant, with and without examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attnpipe.core.text import Span
from attnpipe.schema.text import ExampleSpec, PromptsData, VariantSpec
from attnpipe.text import names
from attnpipe.text.arithmetic import Question
from attnpipe.text.chat import ChatTemplate
from attnpipe.text.choose import Chosen
from attnpipe.text.compose import Composed, Composer
from attnpipe.text.conditions import conditions
from attnpipe.text.keywords import find_keywords


@dataclass(frozen=True)
class PromptItem:
    """One prompt.

    Attributes
    ----------
    item
        Zero-based number of the prompt.
    question
        Zero-based number of the question: prompts of the same question are paired.
    variant
        Name of the variant.
    shots
        Examples before the question.
    text
        What the model reads.
    spans
        Its named parts, operands and keywords, in the order of the text.
    answer
        The right answer.
    keywords
        Keyword → how often it occurs, also where it does not.
    add_special_tokens
        Whether the tokenizer shall add its own special tokens: not where a chat template has.
    """

    item: int
    question: int
    variant: str
    shots: int
    text: str
    spans: tuple[Span, ...]
    answer: int
    keywords: Mapping[str, int]
    add_special_tokens: bool


def prompt_items(
    spec: PromptsData, chosen: Chosen, chat: ChatTemplate | None = None
) -> list[PromptItem]:
    """Return all prompts, question by question.

    Parameters
    ----------
    spec
        Variants, examples and keywords.
    chosen
        The questions and their examples.
    chat
        The model's chat template; needed where ``template`` is ``chat``.
    """
    items: list[PromptItem] = []
    asked = zip(chosen.questions, chosen.examples, strict=True)
    for number, (question, examples) in enumerate(asked):
        for name, shots in conditions(spec):
            prompt = compose_prompt(spec, spec.variants[name], question, examples[:shots])
            text = _as_read(spec, prompt, chat)
            hits = find_keywords(text.text, keywords_of(spec, question), spec.match)
            items.append(
                PromptItem(
                    item=len(items),
                    question=number,
                    variant=name,
                    shots=shots,
                    text=text.text,
                    spans=(*text.spans, *(span for spans in hits.values() for span in spans)),
                    answer=question.answer,
                    keywords={keyword: len(spans) for keyword, spans in hits.items()},
                    add_special_tokens=spec.template == "raw",
                )
            )
    return items


def keywords_of(spec: PromptsData, question: Question) -> list[str]:
    """Return the keywords looked for in the prompts of a question, each once."""
    operands = [str(question.first), str(question.second)] if spec.operand_keywords else []
    return list(dict.fromkeys([*spec.keywords, *operands]))


def compose_prompt(
    spec: PromptsData,
    variant: VariantSpec,
    question: Question,
    examples: Sequence[Question] = (),
) -> Composed:
    """Return one prompt without system text and chat template, as a user would type it.

    Examples are written as the question is: with the variant's own prefix and suffix, where it
    has one, else with those of ``spec.example``. Without examples, a variant without prefix and
    suffix is the question alone.
    """
    form = _form(variant, spec.example) if examples else variant
    composer = Composer()
    if variant.instruction:
        composer.add_core(names.INSTRUCTION, variant.instruction).add(None, spec.separator)
    for shot, example in enumerate(examples, start=1):
        composer.add(None, form.prefix)
        composer.add(names.shot_question(shot), example.text)
        composer.add(None, form.suffix + spec.example.gap)
        composer.add(names.shot_answer(shot), str(example.answer))
        composer.add(None, spec.example.end)
    composer.add(None, form.prefix)
    composer.add(names.QUESTION, question.composed)
    composer.add_core(names.ANSWER_CUE, form.suffix)
    return composer.done()


def _form(variant: VariantSpec, example: ExampleSpec) -> VariantSpec | ExampleSpec:
    return variant if variant.prefix or variant.suffix else example


def _as_read(spec: PromptsData, prompt: Composed, chat: ChatTemplate | None) -> Composed:
    """Add the system text, or put both into the chat template."""
    if spec.template == "chat":
        if chat is None:
            raise ValueError("template 'chat' needs the model's chat template")
        return chat.place(prompt, spec.system)
    if not spec.system:
        return prompt
    composer = Composer().add_core(names.SYSTEM, spec.system).add(None, spec.separator)
    return composer.add(None, prompt).done()
