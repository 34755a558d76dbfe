"""What a reader must know beside a diagnosis."""

from collections.abc import Mapping

from attnpipe.diagnosis.book import Case
from attnpipe.diagnosis.verdicts.table import Gates, decide
from attnpipe.diagnosis.words import count, listed, percent

COLLAPSED = 0.05
"""Normalised entropy of rows below which attention looks at one key only."""
SINK = 0.3
"""Mean weight on the first key above which a head has a sink there."""
GROWN = 2.0
"""Times the weight before training: first keys get more than others where rows are causal."""
UNTOLD = 0.5
"""Share of rows that their values cannot tell above which descriptions of them are flagged."""
NO_CONTENT = 0.01
"""Share of content below which nothing that E3 could take away varies."""


def flags(case: Case, by_seed: Mapping[str, Gates]) -> dict[str, str]:
    """Return name → sentence of the flags that are raised."""
    raised = {}
    names = {seed: decide(gates).name for seed, gates in by_seed.items()}
    if len(set(names.values())) > 1:
        of = [
            f"{name} for {sum(n == name for n in names.values())}"
            for name in sorted(set(names.values()))
        ]
        raised["HETEROGENEOUS"] = f"Seeds taken one by one differ: {listed(of)}."
    stable, settled = case.found.get("stability"), case.found.get("convergence")
    if stable is not None and stable.status == "NO":
        raised["UNSTABLE-PATTERN"] = (
            "Seeds look at different things: what one of them looks at says nothing of the others."
        )
    if settled is not None and settled.status == "NO":
        raised["NOT-CONVERGED"] = "Attention had not settled when training ended."
    entropy = [e.estimate for e in case.book.heads(f"metric.{case.name}.entropy_normalized")]
    if entropy and all(h is not None and h < COLLAPSED for h in entropy):
        raised["COLLAPSED"] = "Every row looks at one key."
    share = [e.estimate for e in case.book.heads(f"metric.{case.name}.content_share")]
    if share and all(s is not None and s < NO_CONTENT for s in share):
        raised["POSITION-ONLY"] = (
            "Weights hardly vary with the content of these inputs: E3 and E4 cannot show that "
            "it matters."
        )
    first, before = _known(case, "profile"), _known(case, "untrained.profile")
    sinks = [a for a, b in zip(first, before, strict=False) if a > max(SINK, GROWN * b)]
    if sinks:
        raised["SINK"] = (
            f"{count(len(sinks), 'head')} of {len(first)} put{'s' * (len(sinks) == 1)} up to "
            f"{percent(max(sinks))} of the weight on the first key, where it may be parked: "
            "averages over keys speak of that key."
        )
    untold = _known(case, "null_share")
    if untold and sum(untold) / len(untold) > UNTOLD:
        raised["NON-IDENTIFIABLE"] = (
            f"{percent(sum(untold) / len(untold))} of what sets rows apart from uniform could be "
            "otherwise with the same output: where they look explains little; E1 to E4 stand."
        )
    return raised


def _known(case: Case, metric: str) -> list[float]:
    """Return the estimates of all layers and heads; none if one is not known."""
    found = [e.estimate for e in case.book.heads(f"metric.{case.name}.{metric}")]
    known = [value for value in found if value is not None]
    return known if len(known) == len(found) else []
