"""What a study is and what it would do, as one JSON-able document."""

from collections import Counter
from pathlib import Path
from typing import Any

from attnpipe.pipeline.estimate import attention_bytes, checkpoint_bytes, dataset_bytes
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.staleness import stale_jobs
from attnpipe.schema.pretrained import PretrainedModel


def describe(plan: Plan, root: Path) -> dict[str, Any]:
    """Return models, seeds, data, analyses, jobs per stage, disk, and what is out of date.

    Nothing is run or written.
    """
    study, spec = plan.study, plan.study.spec
    jobs = list(plan.jobs())
    stale = list(stale_jobs(jobs, root))
    parameters = _parameters(plan)
    return {
        "study": spec.name,
        "title": spec.title,
        "scale": spec.scale,
        "seeds": spec.seeds,
        "data": spec.data.model_dump(mode="json"),
        "features": study.features,
        "models": [
            {
                "name": name,
                "label": model.label,
                "kind": model.kind,
                "attention": getattr(getattr(model, "attention", None), "kind", None),
                "baseline": model.baseline,
                "parameters": parameters.get(name),
            }
            for name, model in spec.models.items()
        ],
        "training": spec.training.model_dump(mode="json") if spec.training else None,
        "analysis": spec.analysis.model_dump(mode="json"),
        "figures": list(spec.figure.show),
        "runs": len(study.runs),
        "jobs": dict(Counter(job.stage for job in jobs)),
        "disk_bytes": _disk(plan, parameters),
        "out_of_date": [
            {"stage": s.job.stage, "job": dict(s.job.wildcards), "reason": s.reason} for s in stale
        ],
    }


def _parameters(plan: Plan) -> dict[str, int]:
    """Trainable parameters of each model; needs torch, which is imported only here."""
    spec, features = plan.study.spec, plan.study.features
    if features is None:
        return {}
    from attnpipe.models.build import count_parameters

    window = spec.data.window  # type: ignore[union-attr]
    return {
        name: count_parameters(model, features, window)
        for name, model in spec.models.items()
        if not isinstance(model, PretrainedModel)
    }


def _disk(plan: Plan, parameters: dict[str, int]) -> int:
    spec = plan.study.spec
    limit = int(spec.analysis.capture.max_megabytes * 1e6)
    total = dataset_bytes(spec, plan.study.features)
    for model, _ in plan.study.runs:
        total += min(attention_bytes(spec, model), limit)
        total += checkpoint_bytes(spec, parameters.get(model, 0))
    return total
