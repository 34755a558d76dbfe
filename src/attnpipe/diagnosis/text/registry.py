"""What is asked of a study of texts, in this order; as `attnpipe.diagnosis.registry`."""

from attnpipe.diagnosis.predicates.compression import compression
from attnpipe.diagnosis.predicates.runs import runs
from attnpipe.diagnosis.predicates.study import gaps
from attnpipe.diagnosis.registry import Predicate
from attnpipe.diagnosis.text.predicates.answers import answers, correctness
from attnpipe.diagnosis.text.predicates.capture import capture
from attnpipe.diagnosis.text.predicates.causal import content, used, verdict
from attnpipe.diagnosis.text.predicates.examples import examples, shots
from attnpipe.diagnosis.text.predicates.heads import heads
from attnpipe.diagnosis.text.predicates.layers import sensitive_layers
from attnpipe.diagnosis.text.predicates.published import published
from attnpipe.diagnosis.text.predicates.rows import sinks, untrained
from attnpipe.diagnosis.text.predicates.steps import steps
from attnpipe.diagnosis.text.predicates.study import answer

PREDICATES: dict[str, Predicate] = {
    "runs": Predicate("Did every run end well?", "model", runs),
    "capture": Predicate("Are the captured attention weights valid?", "attention", capture),
    "steps": Predicate(
        "Does “think step by step” change attention to the question’s tokens?",
        "attention",
        steps,
    ),
    "examples": Predicate(
        "Do few-shot examples draw attention to their answers?", "attention", examples
    ),
    "shots": Predicate(
        "Do more examples change the attention to their answers?", "attention", shots
    ),
    "sensitive_layers": Predicate(
        "Which layers are most sensitive to the prompt?", "attention", sensitive_layers
    ),
    "answers": Predicate("How often is the answer right?", "attention", answers),
    "correctness": Predicate(
        "Does attention differ between right and wrong answers?", "attention", correctness
    ),
    "heads": Predicate("Which heads are specialised?", "attention", heads),
    "sinks": Predicate("How much attention goes to sinks?", "attention", sinks),
    "untrained": Predicate(
        "Does attention differ from that of the untrained model?", "attention", untrained
    ),
    "published": Predicate(
        "Do the published numbers hold for single heads and for characters?",
        "attention",
        published,
    ),
    "used": Predicate("Does the model use its attention?", "attention", used),
    "content": Predicate("Does it matter what attention looks at?", "attention", content),
    "compression": Predicate("Would a part of the input do?", "attention", compression),
    "verdict": Predicate("What is attention good for in this model?", "attention", verdict),
    "answer": Predicate(
        "What does the model attend to, and does the prompt change it?", "study", answer
    ),
    "gaps": Predicate("Is the study complete?", "study", gaps),
}
"""Name → predicate; later ones may rest on findings of earlier ones."""
