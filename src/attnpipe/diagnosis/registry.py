"""The predicates, in the order in which they are asked, and what each answers."""

from dataclasses import dataclass
from typing import Literal

from attnpipe.core.registry import Registry

Scope = Literal["model", "attention", "study"]


@dataclass(frozen=True)
class Question:
    """What a predicate answers, and about what: every model, those with attention, the study."""

    text: str
    scope: Scope


QUESTIONS: dict[str, Question] = {
    "runs": Question("Did every run end well?", "model"),
    "seeds": Question("Are there enough seeds to decide anything?", "model"),
    "skill": Question("Does the model forecast better than the best trivial predictor?", "model"),
    "duplicates": Question("Are all runs independent?", "attention"),
    "final_weights": Question(
        "Do all seeds' final weights come from the same kind of checkpoint?", "attention"
    ),
    "extraction": Question("Are the captured attention weights valid?", "attention"),
    "gain": Question(
        "Does the model with attention forecast better than its baseline?", "attention"
    ),
    "heterogeneity": Question("Do single seeds agree about the gain?", "attention"),
    "sharpness": Question(
        "Is attention, row by row, sharper than uniform and than before training?", "attention"
    ),
    "focus": Question("Where does attention look?", "attention"),
    "published_entropy": Question(
        "Does the published verdict on the averaged profile hold for its rows?", "attention"
    ),
    "stability": Question("Is attention the same for every seed?", "attention"),
    "published_stability": Question(
        "Does the published cosine tell trained from untrained attention?", "attention"
    ),
    "convergence": Question("Did attention settle before training ended?", "attention"),
    "used": Question("Does the model use its attention?", "attention"),
    "content": Question("Does it help because of what attention looks at?", "attention"),
    "verdict": Question("What is attention good for in this model?", "attention"),
    "answer": Question("Does attention help?", "study"),
    "gaps": Question("Is the study complete?", "study"),
}
"""Predicate → its question; later ones may rest on findings of earlier ones."""

PREDICATES = Registry(
    "predicate",
    {
        "runs": "attnpipe.diagnosis.predicates.runs:runs",
        "seeds": "attnpipe.diagnosis.predicates.runs:seeds",
        "duplicates": "attnpipe.diagnosis.predicates.runs:duplicates",
        "final_weights": "attnpipe.diagnosis.predicates.runs:final_weights",
        "extraction": "attnpipe.diagnosis.predicates.extraction:extraction",
        "skill": "attnpipe.diagnosis.predicates.skill:skill",
        "gain": "attnpipe.diagnosis.predicates.gain:gain",
        "heterogeneity": "attnpipe.diagnosis.predicates.gain:heterogeneity",
        "sharpness": "attnpipe.diagnosis.predicates.shape:sharpness",
        "focus": "attnpipe.diagnosis.predicates.shape:focus",
        "published_entropy": "attnpipe.diagnosis.predicates.published:published_entropy",
        "stability": "attnpipe.diagnosis.predicates.stability:stability",
        "published_stability": "attnpipe.diagnosis.predicates.stability:published_stability",
        "convergence": "attnpipe.diagnosis.predicates.convergence:convergence",
        "used": "attnpipe.diagnosis.predicates.causal:used",
        "content": "attnpipe.diagnosis.predicates.causal:content",
        "verdict": "attnpipe.diagnosis.predicates.causal:verdict",
        "answer": "attnpipe.diagnosis.predicates.study:answer",
        "gaps": "attnpipe.diagnosis.predicates.study:gaps",
    },
)
"""Predicate → ``function(case) -> Finding``."""
