"""What each diagnosis means, and what follows from it."""

from collections.abc import Collection, Mapping

from attnpipe.diagnosis.verdicts.table import Answer, Gates, Name

MEANS: Mapping[Name, str] = {
    "INVALID": "The captured weights are no attention: nothing can be said of them.",
    "NO-SKILL": "The model is no better than a trivial predictor.",
    "HARMFUL": "A model without this attention, trained in the same way, does better.",
    "SHARP-BUT-UNUSED": "Weights are sharp, but the model does as well without what they pick out.",
    "IDLE-UNIFORM": "Weights are practically uniform, and the model does as well without them.",
    "UNUSED": "The model does as well without what attention gives it.",
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
    "HARM": "better", "NO": "as good", "YES": "worse", "?": "not told apart",
}  # fmt: skip


def rivals(gates: Gates, trained: Collection[str]) -> str:
    """Say how models trained in other ways, those of `trained` codes, compare."""
    said = []
    known = {code: what for code, what in RIVALS.items() if code in trained}
    for answer, word in AGAINST.items():
        of = [f"{what} ({code})" for code, what in known.items() if getattr(gates, code) == answer]
        said += [f"{word}: {', '.join(of)}"] if of else []
    return f" Trained in its place — {'; '.join(said)}." if said else ""


def recommendation(name: Name, gates: Gates, *, short: bool = False, runnable: bool = True) -> str:
    """Return what to do about a diagnosis.

    Parameters
    ----------
    name, gates
        The diagnosis, and what it rests on.
    short
        Longer training might change the model.
    runnable
        The model is there, and not only its weights.
    """
    if name == "INCONCLUSIVE" and not runnable:
        return "Conclude nothing: attention weights alone do not tell."
    if name == "HARMFUL" and short:
        return (
            "At this training budget, drop attention; train longer before concluding that it "
            "does harm."
        )
    if name == "AVERAGING":
        return "Mean pooling is enough" + _pooling(gates.R0)
    if name == "POSITIONAL":
        return _positional(gates.R2)
    if name == "CONTENT-BENEFICIAL":
        return _beneficial(gates.R2)
    return {
        "INVALID": "Repair the capture.",
        "NO-SKILL": "Do not interpret its attention.",
        "HARMFUL": "Drop attention.",
        "SHARP-BUT-UNUSED": "Drop attention; its heatmaps are no evidence of anything.",
        "IDLE-UNIFORM": "Drop attention.",
        "UNUSED": "Drop attention.",
        "CONTENT-REDUNDANT": "Take the simpler model; attention explains this model alone, not "
        "the task.",
        "INCONCLUSIVE": "Run what is missing before anything is concluded.",
    }[name]


def _pooling(without: Answer) -> str:
    return {
        "YES": "; pooling itself is needed: without it, the model does worse.",
        "NO": ", and so is no pooling at all.",
    }.get(without, "; whether pooling is needed at all is not known.")


def _beneficial(static: Answer) -> str:
    return {
        "NO": "Take learned weights per position: trained in its place, they do as well.",
        "HARM": "Take learned weights per position: trained in its place, they do better.",
    }.get(static, "Keep attention.")


def _positional(static: Answer) -> str:
    return {
        "NO": "Learned weights per position, or a window, do as well.",
        "YES": "Keep attention: weights per position, trained in its place, do worse.",
        "HARM": "Take learned weights per position: they do better.",
    }.get(static, "Weights per position may do; whether they do as well is not known.")
