"""The study as a whole."""

from dataclasses import replace

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.schema import Finding, Status
from attnpipe.diagnosis.text.needed import most_questions
from attnpipe.diagnosis.text.predicates.heads import above_chance, in_short
from attnpipe.diagnosis.text.predicates.layers import most_sensitive
from attnpipe.diagnosis.text.predicates.steps import over_uniform
from attnpipe.diagnosis.words import number

ASKED = ("steps", "examples", "sensitive_layers")
"""Document 3's three questions."""
SAYS: dict[str, dict[Status, str]] = {
    "steps": {
        "YES": "“think step by step” changes attention to the question’s tokens",
        "NO": "“think step by step” makes no practical difference to attention to the question",
    },
    "examples": {
        "YES": "examples draw attention to their answers",
        "NO": "examples do not draw attention to their answers",
        "DESCRIPTIVE": "whether examples draw attention to their answers depends on their number",
    },
    "sensitive_layers": {"YES": "prompts change {layers}"},
}
OPEN = {
    "steps": "whether “think step by step” changes attention",
    "examples": "whether examples draw attention to their answers",
    "sensitive_layers": "which layers are most sensitive to the prompt",
}


def answer(case: Case) -> Finding:
    """Say in one sentence per model what its three questions came to, or what its heads do."""
    models = {m: case.context.labels[m] for m in case.context.attention_models}
    asked = [f for f in case.found.values() if f.predicate in ASKED]
    if not asked:
        return _heads(case)
    told = []
    for model, label in models.items():
        own = {f.predicate: f for f in asked if f.model == model}
        invalid = case.found.get(f"capture.{model}")
        if invalid is not None and invalid.status == "NO":
            told.append(f"{label}: the captured weights are invalid.")
            continue
        said = {p: _said(replace(case, model=model), own[p]) for p in ASKED if p in own}
        shown = [text for text in said.values() if text]
        rest = [OPEN[p] for p, text in said.items() if not text]
        parts = ["; ".join(shown)] if shown else []
        if rest:
            parts.append(f"not settled: {', '.join(rest)}")
        told.append(f"{label}: {'; '.join(parts)}.")
    cited = [case.book[i] for f in asked for i in f.evidence]
    undecided = all(f.status in ("INCONCLUSIVE", "DESCRIPTIVE") for f in asked)
    return case.answer(
        "INCONCLUSIVE" if undecided else "DESCRIPTIVE",
        " ".join(told),
        cited,
        missing=list(dict.fromkeys(line for f in asked for line in f.missing)),
        next_overrides=most_questions(o for f in asked for o in f.next_overrides),
    )


def _said(case: Case, finding: Finding) -> str:
    """Return what a finding about a model came to with its size; empty if it is not settled."""
    says = SAYS[finding.predicate].get(finding.status, "")
    if finding.status == "DESCRIPTIVE" and finding.missing:  # too few to test it
        return ""
    if "{layers}" in says:
        return says.format(layers=most_sensitive(case))
    if not says or finding.effect is None:
        return says
    interval = ""
    if finding.lo95 is not None and finding.hi95 is not None:
        ends = (number(end, sign=True) for end in (finding.lo95, finding.hi95))
        interval = f" [{', '.join(ends)}]"
    size = f"{number(finding.effect, sign=True)}{interval} {finding.unit}"
    return f"{says} ({size}{_relative(case, finding)})"


def _relative(case: Case, finding: Finding) -> str:
    """Say what the length of the longer prompt hides: a loss of mass may be a gain over uniform."""
    told = over_uniform(case) if finding.predicate == "steps" else ""
    return f"; {told}" if told else ""


def _heads(case: Case) -> Finding:
    """Name the heads of known kinds: no prompts were compared."""
    told, cited = [], []
    for model, label in case.context.labels.items():
        known = above_chance(replace(case, model=model))
        cited += known
        if known:
            told.append(f"{label}: {'; '.join(map(in_short, known))}.")
    if not told:
        heads = [f for f in case.found.values() if f.predicate == "heads"]
        missing = list(dict.fromkeys(line for f in heads for line in f.missing))
        sentence = "No head is shown to do what heads are known for."
        return case.lacking(sentence, missing or ["heads above chance"], cited)
    sentence = f"The best heads of each kind, by their attention — {' '.join(told)}"
    return case.answer("DESCRIPTIVE", sentence, cited)
