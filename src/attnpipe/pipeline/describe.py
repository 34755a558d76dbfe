"""What a study is and what it would do, as one JSON-able document."""

from collections import Counter
from pathlib import Path
from typing import Any

from attnpipe.pipeline.checked import Checked
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.disk import disk_bytes, supposed_heads
from attnpipe.pipeline.frozen import is_recorded
from attnpipe.pipeline.parameters import known_heads, known_parameters
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.room import lacking
from attnpipe.pipeline.staleness import stale_jobs
from attnpipe.schema.model import ModelSpec
from attnpipe.schema.pretrained import PretrainedModel


def describe(plan: Plan, root: Path) -> dict[str, Any]:
    """Return models, seeds, data, analyses, jobs per stage, disk, and what is out of date.

    Nothing is run, no result is written.
    """
    study, spec = plan.study, plan.study.spec
    jobs = list(plan.jobs())
    checked = Checked.of(root, spec.name)
    stale = list(stale_jobs(jobs, root, is_recorded(plan, root), checked))
    checked.keep(whole=True)
    parameters = known_parameters(plan, root, stale)
    heads = known_heads(plan, root, stale)
    size = disk_bytes(study, parameters, len(jobs), heads)
    pretrained = [n for n, model in study.models.items() if isinstance(model, PretrainedModel)]
    return {
        "study": spec.name,
        "title": spec.title,
        "scale": spec.scale,
        "seeds": spec.seeds,
        "data": spec.data.model_dump(mode="json"),
        "features": None if study.facts is None else study.facts.features,
        "models": [
            {
                "name": name,
                "label": model.label,
                "kind": model.kind,
                "attention": getattr(getattr(model, "attention", None), "kind", None),
                "baseline": model.baseline,
                "parameters": parameters.get(name),
                "source": _source(model),
                "arms": dict(study.arms.of.get(name, {})),
            }
            for name, model in study.models.items()
        ],
        "training": spec.training.model_dump(mode="json") if spec.training else None,
        "analysis": spec.analysis.model_dump(mode="json"),
        "interventions": _interventions(study),
        "figures": list(spec.figure.show),
        "runs": len(study.runs),
        "jobs": dict(Counter(job.stage for job in jobs)),
        "disk_bytes": size,
        "disk_lacking": lacking(root, spec.name, size),
        "disk_unknown": [name for name in pretrained if name not in parameters],
        "heads_supposed": {
            n: supposed_heads(study.models[n]) for n in pretrained if n not in heads
        },
        "out_of_date": [
            {"stage": s.job.stage, "job": dict(s.job.wildcards), "reason": s.reason} for s in stale
        ],
    }


def _interventions(study: Study) -> list[str]:
    """Return what is put in place of attention; of texts, in their answers."""
    if not study.intervened:
        return []
    answers = study.spec.analysis.text.answers
    return list(answers.interventions if study.mode == "text" else study.spec.intervention.names)


def _source(model: ModelSpec) -> str | None:
    """Say in short where a pretrained model comes from."""
    if not isinstance(model, PretrainedModel):
        return None
    source = model.source.model_dump()
    version = source.get("version") or source.get("revision")
    named = source.get("package") or source.get("id") or source["path"]
    return f"{source['kind']} {named}" + (f" {version}" if version else "")
