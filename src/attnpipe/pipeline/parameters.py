"""How many parameters the models of a study have, before anything runs."""

import json
from collections.abc import Sequence
from pathlib import Path

from attnpipe.pipeline.config import Study
from attnpipe.pipeline.heads_asked import heads_in
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.staleness import Stale
from attnpipe.schema.model import ModelSpec, TransformerModel
from attnpipe.schema.pretrained import PretrainedModel

GATES = 4
"""Of an LSTM, each with a matrix for the input and one for its own state."""


def most_parameters(study: Study) -> dict[str, int]:
    """Return model → what its trainable parameters do not exceed, without torch."""
    facts, window = study.facts, getattr(study.spec.data, "window", None)
    if facts is None or window is None:
        return {}
    return {name: _most(m, facts.features, window) for name, m in study.models.items()}


def _most(model: ModelSpec, inputs: int, window: int) -> int:
    """Return a bound: a matrix is no larger than the square of all widths together."""
    hidden = getattr(model, "hidden", 0)
    widths = hidden if isinstance(hidden, list) else [hidden]
    attention = getattr(getattr(model, "attention", None), "size", 0)
    reads = inputs * window if getattr(model, "input", None) == "flat" else inputs + window
    together = sum(widths) + getattr(model, "width", 0) + attention + reads + 2
    heads = model.heads if isinstance(model, TransformerModel) else 1
    return 2 * GATES * getattr(model, "layers", 1) * heads * together**2


def _obtained(plan: Plan, root: Path, stale: Sequence[Stale]) -> dict[str, int]:
    """Parameters of the pretrained models that are there already, as this study wants them."""
    other = {s.job.wildcards["model"] for s in stale if s.job.stage == "obtain_model"}
    found = {}
    for name in plan.study.spec.models.keys() - other:
        facts = root / plan.out("obtain_model", model=name)["facts"]
        if facts.is_file():
            found[name] = int(json.loads(facts.read_text("utf-8"))["parameters"])
    return found


def known_heads(plan: Plan, root: Path, stale: Sequence[Stale]) -> dict[str, int]:
    """Return pretrained model → its heads over all layers, where its config is there already.

    Parameters are those of `known_parameters`.
    """
    if plan.study.mode != "text":
        return {}
    other = {s.job.wildcards["model"] for s in stale if s.job.stage == "obtain_model"}
    found = {}
    for name, model in plan.study.spec.models.items():
        given = getattr(getattr(model, "source", None), "path", None)
        obtained = root / plan.out("obtain_model", model=name)["config"]
        path = obtained if name not in other else Path(given or "") / obtained.name
        heads = heads_in(path)
        if heads is not None:
            found[name] = heads
    return found


def known_parameters(plan: Plan, root: Path, stale: Sequence[Stale]) -> dict[str, int]:
    """Return model → its trainable parameters, as far as they are known.

    Parameters
    ----------
    plan, root
        The plan, and the project folder.
    stale
        The jobs that are out of date: pretrained models among them are not there yet.

    Notes
    -----
    Models that are trained here need torch for that, which is imported only here.
    """
    spec, facts = plan.study.spec, plan.study.facts
    if plan.study.mode == "text":
        return _obtained(plan, root, stale)
    if facts is None:
        return {}
    from attnpipe.models.build import count_parameters

    window = spec.data.window  # type: ignore[union-attr]
    return {
        name: count_parameters(model, facts.features, window)
        for name, model in plan.study.models.items()
        if not isinstance(model, PretrainedModel)
    }
