"""Which spans the prompts of a study have."""

from attnpipe.schema.text import PromptsData
from attnpipe.text import names
from attnpipe.text.conditions import conditions


def span_names(spec: PromptsData) -> list[str]:
    """Return the names of all spans that some prompt of the study has, keywords left out."""
    found = [names.SYSTEM] if spec.system else []
    if any(variant.instruction.strip() for variant in spec.variants.values()):
        found.append(names.INSTRUCTION)
    for shot in range(1, max(shots for _, shots in conditions(spec)) + 1):
        found += [names.shot_question(shot), names.shot_answer(shot)]
    found += [names.QUESTION, *names.OPERANDS]
    cued = any(variant.suffix.strip() for variant in spec.variants.values())
    few = any(shots for _, shots in conditions(spec))
    return [*found, names.ANSWER_CUE] if cued or few else found
