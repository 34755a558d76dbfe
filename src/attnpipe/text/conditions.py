"""In which ways each question of a prompt study is asked, and what they are called."""

from attnpipe.schema.text import PromptsData


def conditions(spec: PromptsData) -> list[tuple[str, int]]:
    """Return variant and number of examples of each way in which a question is asked."""
    return [
        (variant, shots)
        for variant in spec.variants
        for shots in (spec.shots if variant in spec.few_shot else [0])
    ]


def most_new_tokens(spec: PromptsData, variant: str, shots: int) -> int:
    """Return how many tokens a model may write: examples show how short an answer is."""
    own = spec.variants[variant].max_new_tokens if shots == 0 else None
    return spec.max_new_tokens if own is None else own


def variant_label(variant: str, shots: int) -> str:
    """Return the name of a variant with examples: ``2_shot``, or ``cot_2_shot``."""
    if shots == 0:
        return variant
    return f"{shots}_shot" if variant == "plain" else f"{variant}_{shots}_shot"
