"""What each diagnosis means, and what follows from it."""

from collections.abc import Callable, Collection, Mapping

from attnpipe.diagnosis.verdicts.table import ADVISED_BY_R2, Answer, Gates, Name

MEANS: Mapping[Name, str] = {
    "INVALID": "The captured weights are no attention: nothing can be said of them.",
    "NO-SKILL": "The model is no better than a trivial predictor.",
    "HARMFUL": "A model without this attention, trained in the same way, does better.",
    "SHARP-BUT-UNUSED": "Weights are sharp, but the trained model does as well without what they "
    "pick out.",
    "IDLE-UNIFORM": "Weights are practically uniform, and the trained model does as well without "
    "them.",
    "UNUSED": "The trained model does as well without what attention gives it.",
    "AVERAGING": "Attention is used, but equal weights would do: it averages.",
    "POSITIONAL": "Unequal weights are used, but they need not depend on the content.",
    "CONTENT-BENEFICIAL": "The model needs weights that depend on the content, and models without "
    "attention or with equal weights, trained in the same way, do worse.",
    "CONTENT-REDUNDANT": "This model needs weights that depend on the content, but a simpler "
    "model, trained in the same way, does as well.",
    "INCONCLUSIVE": "The evidence does not settle what attention is good for.",
}


RIVALS = {
    "R0": "without attention", "R1": "with equal weights", "R2": "with weights per position",
}  # fmt: skip
AGAINST: Mapping[Answer, str] = {
    "HARM": "better", "NO": "as good", "YES": "worse", "?": "undecided at δ",
}  # fmt: skip


def rivals(gates: Gates, trained: Collection[str]) -> str:
    """Say how models trained in other ways, those of `trained` codes, compare."""
    said = []
    known = {code: what for code, what in RIVALS.items() if code in trained}
    for answer, word in AGAINST.items():
        of = [f"{what} ({code})" for code, what in known.items() if getattr(gates, code) == answer]
        said += [f"{word}: {', '.join(of)}"] if of else []
    return f" Trained in its place — {'; '.join(said)}." if said else ""


def recommendation(
    name: Name,
    gates: Gates,
    *,
    short: bool = False,
    runnable: bool = True,
    conflict: bool = False,
) -> str:
    """Return what to do about a diagnosis: never what a model trained in that way speaks against.

    Parameters
    ----------
    name, gates
        The diagnosis, and what it rests on.
    short
        Longer training might change the model.
    runnable
        The model is there, and not only its weights.
    conflict
        E3 and E4 contradict each other.
    """
    if name == "INCONCLUSIVE" and not runnable:
        return "Conclude nothing: attention weights alone do not tell."
    if name == "INCONCLUSIVE" and conflict:
        return "Conclude nothing while E3 and E4 contradict each other."
    if name == "HARMFUL" and short:
        what = "drop attention" if gates.R0 == "HARM" else "take equal weights"
        return f"At this training budget, {what}; train longer before concluding that it does harm."
    if name in ADVISED_BY_R2 and gates.R2 == "HARM":
        return STATIC_BETTER
    if name in ADVICE:
        return ADVICE[name](gates)
    return {
        "INVALID": "Repair the capture.",
        "NO-SKILL": "Do not interpret its attention.",
        "CONTENT-REDUNDANT": "Take the simpler model; attention explains this model alone, not "
        "the task.",
        "INCONCLUSIVE": "Run what is missing before anything is concluded.",
    }[name]


NONE_DOES = "Take the model without attention: trained in its place, it does as well."
EQUAL_DO = "Take equal weights: trained in its place, they do as well."
STATIC_BETTER = "Take learned weights per position: trained in its place, they do better."


def _harmful(gates: Gates) -> str:
    if gates.R0 == "HARM":
        return "Drop attention."
    better = "Take equal weights: trained in its place, they do better"
    end = {
        "YES": "; without attention, the model does worse.",
        "NO": "; without attention, the model does as well as with it.",
    }.get(gates.R0, "; whether attention is needed at all is not known.")
    return better + end


def _unused(gates: Gates) -> str:
    """Return what to do with attention that a trained model does not need."""
    if gates.R0 == "NO":
        return "Drop attention."
    keep = "Keep attention in training alone: at test time it is not needed, but trained"
    if gates.R0 == "YES":
        return f"{keep} without it, the model does worse."
    if gates.R1 == "YES":
        return f"{keep} with equal weights, the model does worse."
    return (
        "Drop attention at test time; whether a model trained without it does as well is not known."
    )


def _sharp(gates: Gates) -> str:
    return f"{_unused(gates).removesuffix('.')}; its heatmaps are no evidence of anything."


def _averaging(gates: Gates) -> str:
    if gates.R1 == "NO":
        return "Mean pooling is enough" + {
            "YES": "; pooling itself is needed: without it, the model does worse.",
            "NO": ", and so is no pooling at all.",
        }.get(gates.R0, "; whether pooling is needed at all is not known.")
    if gates.R0 == "NO":
        return NONE_DOES
    if gates.R1 == "YES":
        return (
            "Keep attention in training: at test time equal weights are enough, but trained with "
            "them, the model does worse."
        )
    return (
        "At test time mean pooling is enough; whether a model trained with it does as well is not "
        "known."
    )


def _positional(gates: Gates) -> str:
    if gates.R0 == "NO":
        return NONE_DOES
    if gates.R1 == "NO":
        return EQUAL_DO
    return {
        "NO": "Learned weights per position, or a window, do as well.",
        "YES": "Keep attention: weights per position, trained in its place, do worse.",
    }.get(gates.R2, "Weights per position may do; whether they do as well is not known.")


def _beneficial(gates: Gates) -> str:
    return {
        "NO": "Take learned weights per position: trained in its place, they do as well.",
        "YES": "Keep attention.",
    }.get(gates.R2, "Keep attention; whether learned weights per position do as well is not known.")


ADVICE: Mapping[Name, Callable[[Gates], str]] = {
    "HARMFUL": _harmful,
    "SHARP-BUT-UNUSED": _sharp,
    "IDLE-UNIFORM": _unused,
    "UNUSED": _unused,
    "AVERAGING": _averaging,
    "POSITIONAL": _positional,
    "CONTENT-BENEFICIAL": _beneficial,
}
"""Diagnosis → what follows from it, by what models trained in other ways do."""
