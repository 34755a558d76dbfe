"""The predicates, in the order in which they are asked, and what each answers.

They are imported outright, not lazily: every diagnosis asks all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.predicates.causal import benefit, content, used
from attnpipe.diagnosis.predicates.compression import compression
from attnpipe.diagnosis.predicates.convergence import convergence, training
from attnpipe.diagnosis.predicates.extraction import extraction
from attnpipe.diagnosis.predicates.gain import gain, heterogeneity
from attnpipe.diagnosis.predicates.heads import single_heads
from attnpipe.diagnosis.predicates.induction import induction
from attnpipe.diagnosis.predicates.published import published_entropy, published_numbers
from attnpipe.diagnosis.predicates.runs import duplicates, final_weights, runs, seeds
from attnpipe.diagnosis.predicates.shape import focus, sharpness
from attnpipe.diagnosis.predicates.skill import skill
from attnpipe.diagnosis.predicates.stability import published_stability, stability
from attnpipe.diagnosis.predicates.study import answer, gaps
from attnpipe.diagnosis.predicates.verdict import verdict
from attnpipe.diagnosis.schema import Finding

Scope = Literal["model", "attention", "study"]


@dataclass(frozen=True)
class Predicate:
    """A question, what it is about, and the function that answers it: None if it does not arise.

    What is asked `over_seeds` is unknowable where runs are no replicates.
    """

    question: str
    scope: Scope
    ask: Callable[[Case], Finding | None]
    over_seeds: bool = False


PREDICATES: dict[str, Predicate] = {
    "runs": Predicate("Did every run end well?", "model", runs),
    "seeds": Predicate("Are there enough seeds to decide anything?", "model", seeds, True),
    "skill": Predicate(
        "Does the model forecast better than the best trivial predictor?", "model", skill
    ),
    "training": Predicate("Had the loss stopped falling when training ended?", "model", training),
    "duplicates": Predicate("Are all runs independent?", "attention", duplicates, True),
    "final_weights": Predicate(
        "Do all seeds' final weights come from the same kind of checkpoint?",
        "attention",
        final_weights,
        True,
    ),
    "extraction": Predicate("Are the captured attention weights valid?", "attention", extraction),
    "gain": Predicate(
        "Does the model with attention forecast better than its baseline?", "attention", gain
    ),
    "heterogeneity": Predicate(
        "Do single seeds agree about the gain?", "attention", heterogeneity, True
    ),
    "sharpness": Predicate(
        "Is attention, row by row, sharper than uniform and than before training?",
        "attention",
        sharpness,
    ),
    "focus": Predicate("Where does attention look?", "attention", focus),
    "induction": Predicate("Does a head repeat what followed before?", "attention", induction),
    "published_entropy": Predicate(
        "Does the published verdict on the averaged profile hold for its rows?",
        "attention",
        published_entropy,
    ),
    "published_numbers": Predicate(
        "Do the published numbers of the averaged profile hold for its rows?",
        "attention",
        published_numbers,
    ),
    "stability": Predicate("Is attention the same for every seed?", "attention", stability, True),
    "published_stability": Predicate(
        "Does the published cosine tell trained from untrained attention?",
        "attention",
        published_stability,
        True,
    ),
    "convergence": Predicate(
        "Did attention settle before training ended?", "attention", convergence
    ),
    "used": Predicate("Does the model use its attention?", "attention", used),
    "single_heads": Predicate(
        "Is any head missed when it alone is removed?", "attention", single_heads
    ),
    "content": Predicate("Does it matter what attention looks at?", "attention", content),
    "benefit": Predicate(
        "Is the model better than ones trained without this attention?", "attention", benefit
    ),
    "compression": Predicate("Would a part of the input do?", "attention", compression),
    "verdict": Predicate("What is attention good for in this model?", "attention", verdict),
    "answer": Predicate("Does attention help?", "study", answer),
    "gaps": Predicate("Is the study complete?", "study", gaps),
}
"""Name → predicate; later ones may rest on findings of earlier ones."""
