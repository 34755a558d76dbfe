"""All jobs of a study: their inputs, outputs and the one param that decides re-running."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from attnpipe.figures.registry import NEEDS
from attnpipe.io.json import canonical
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.estimate import stores_states
from attnpipe.pipeline.members import fingerprint_key, members
from attnpipe.pipeline.paths import SEAL_NAME, outputs

Inputs = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Job:
    """One job: what it reads, writes, and depends on."""

    stage: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    param: str

    @property
    def seal(self) -> str:
        """Name of the job's seal."""
        return SEAL_NAME.get(self.stage, self.stage).format(**self.wildcards)


class Plan:
    """Inputs, outputs and params of every stage of a study.

    The Snakefile and `describe` both ask the plan, so that they cannot disagree.
    """

    def __init__(self, study: Study, fingerprint: Callable[..., str]) -> None:
        self.study = study
        self._fingerprint = fingerprint

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study.spec.name

    @cached_property
    def _spec(self) -> dict[str, Any]:
        return self.study.spec.model_dump(mode="json")

    @property
    def trained(self) -> bool:
        """Whether runs are trained here (else weights are imported)."""
        return not self.study.saved

    def has_attention(self, model: str) -> bool:
        """Whether a model has attention weights at all."""
        spec = self.study.spec.models[model]
        return spec.kind == "saved" or getattr(spec, "attention", None) is not None

    # ------------------------------------------------------------------ files

    def patterns(self, stage: str) -> dict[str, str]:
        """Return the output paths of a stage, with wildcards in braces."""
        return outputs(self.name, stage)

    def out(self, stage: str, **wildcards: Any) -> dict[str, str]:
        """Return the output paths of one job."""
        return {n: p.format(**wildcards) for n, p in self.patterns(stage).items()}

    def _data(self, key: str) -> str:
        stage = "prepare_data" if self.trained else "list_weights"
        return self.out(stage, dataset=self._spec["data"]["name"])[key]

    def _run(self, model: str, seed: int | str) -> Inputs:
        """Everything that exists of one run, except what it was trained from."""
        stages = ["train", "extract"] if self.trained else ["import_weights"]
        stages += ["measure"] if self.has_attention(model) else []
        found: dict[str, str] = {}
        for stage in stages:
            found |= self.out(stage, model=model, seed=seed)
        found.pop("checkpoints", None)
        found.pop("evaluation", None)
        return found

    def _study_table(self, name: str) -> str:
        stage = "contrast" if name == "comparisons" else "compare"
        return self.out(stage)[f"{name}_parquet"]

    @property
    def tables(self) -> list[str]:
        """Names of the study tables that this study has."""
        names = list(dict.fromkeys(t for needs in NEEDS.values() for t in needs))
        names += [t for t in ("inventory", "metrics", "similarity") if t not in names]
        return [t for t in names if self.trained or t not in ("comparisons", "history")]

    def inputs(self, stage: str, wildcards: Mapping[str, Any]) -> Inputs:
        """Return the named inputs of one job."""
        return getattr(self, f"_inputs_{stage}")(**wildcards)  # type: ignore[no-any-return]

    def _inputs_prepare_data(self, dataset: str) -> Inputs:
        path = self._spec["data"].get("path")
        if path is None:
            return {}
        given = Path(path)
        return {"files": sorted(map(str, given.glob("*.csv"))) if given.is_dir() else [path]}

    def _inputs_list_weights(self, dataset: str) -> Inputs:
        runs = self.study.saved.values()
        return {"files": sorted({str(p) for run in runs for f in run.values() for p in f.paths})}

    def _inputs_import_weights(self, model: str, seed: str) -> Inputs:
        return {"files": [str(path) for path in self.study.saved[model][int(seed)].paths]}

    def _inputs_train(self, model: str, seed: str) -> Inputs:
        return {"dataset": self._data("dataset")}

    def _inputs_extract(self, model: str, seed: str) -> Inputs:
        trained = self.out("train", model=model, seed=seed)
        return {
            "dataset": self._data("dataset"),
            "checkpoints": trained["checkpoints"],
            "outcome": trained["outcome"],
        }

    def _inputs_measure(self, model: str, seed: str) -> Inputs:
        stage = "extract" if self.trained else "import_weights"
        written = self.out(stage, model=model, seed=seed)
        outcome = self.out("train", model=model, seed=seed)["outcome"]
        return {"attention": written["attention"], "probe": written["probe"], "outcome": outcome}

    def _inputs_aggregate(self, model: str) -> Inputs:
        seeds = [seed for m, seed in self.study.runs if m == model]
        runs = [self._run(model, seed) for seed in seeds]
        return {name: [str(run[name]) for run in runs] for name in runs[0]}

    def _inputs_compare(self) -> Inputs:
        parts = [self.out("aggregate", model=model) for model in self.study.spec.models]
        return {name: [part[name] for part in parts] for name in parts[0]}

    def _inputs_contrast(self) -> Inputs:
        runs = self.study.runs
        return {
            "evaluations": [self.out("extract", model=m, seed=s)["evaluation"] for m, s in runs],
        }

    def _inputs_figure(self, figure: str) -> Inputs:
        tables = {name: self._study_table(name) for name in NEEDS[figure] if name in self.tables}
        return tables | {"description": self._data("description")}

    def _inputs_diagnose(self) -> Inputs:
        tables = {name: self._study_table(name) for name in self.tables}
        return tables | {"description": self._data("description")}

    def _inputs_report(self) -> Inputs:
        figures = [self.out("figure", figure=name) for name in self.study.spec.figure.show]
        return {
            **self._inputs_diagnose(),
            "diagnosis": self.out("diagnose")["diagnosis"],
            "png": [figure["png"] for figure in figures],
            "svg": [figure["svg"] for figure in figures],
        }

    def _inputs_verify(self) -> Inputs:
        return {
            "inventory": self._study_table("inventory"),
            "report": self.out("report")["html"],
        }

    # ----------------------------------------------------------------- params

    def param(self, stage: str, wildcards: Mapping[str, Any]) -> str:
        """Return the canonical JSON of what a job depends on besides its inputs."""
        values: dict[str, Any] = getattr(self, f"_param_{stage}")(**wildcards)
        used = members(stage, wildcards, self.study.spec)
        return canonical(values | {"fingerprint": self._fingerprint(f"{stage}.py", used)})

    def fingerprints(self) -> dict[str, str]:
        """Return every fingerprint of the study: script and members → hash."""
        found: dict[str, str] = {}
        for job in self.jobs():
            used = members(job.stage, job.wildcards, self.study.spec)
            key = fingerprint_key(f"{job.stage}.py", used)
            found[key] = self._fingerprint(f"{job.stage}.py", used)
        return found

    def _param_prepare_data(self, dataset: str) -> dict[str, Any]:
        return {"data": self._spec["data"]}

    def _param_list_weights(self, dataset: str) -> dict[str, Any]:
        return {"data": self._spec["data"]}

    def _param_import_weights(self, model: str, seed: str) -> dict[str, Any]:
        shape = self.study.saved[model][int(seed)].shape  # that of the other seeds, too
        run = {"model": model, "seed": int(seed), "shape": shape}
        return run | {"data": self._spec["data"]}

    def _trainable(self, model: str, seed: str) -> dict[str, Any]:
        """Return what a run computes; its label and baseline are no part of that."""
        spec = self._spec["models"][model]
        computed = {k: v for k, v in spec.items() if k not in ("label", "baseline")}
        return {"model": model, "seed": int(seed), "spec": computed}

    def _param_train(self, model: str, seed: str) -> dict[str, Any]:
        return self._trainable(model, seed) | {"training": self._spec["training"]}

    def _param_extract(self, model: str, seed: str) -> dict[str, Any]:
        param = self._trainable(model, seed)
        if not self.has_attention(model):
            return param  # no limit on weights matters to it
        capture = {"capture": self._spec["analysis"]["capture"]}
        if stores_states(self.study.spec, model):
            capture["metrics"] = self._spec["analysis"]["metrics"]
        return param | capture

    def _param_measure(self, model: str, seed: str) -> dict[str, Any]:
        return {"model": model, "seed": int(seed), "metrics": self._spec["analysis"]["metrics"]}

    def _param_aggregate(self, model: str) -> dict[str, Any]:
        seeds = [seed for m, seed in self.study.runs if m == model]
        similarity = self._spec["analysis"]["similarity"]
        return {"model": model, "seeds": seeds, "similarity": similarity}

    def _param_compare(self) -> dict[str, Any]:
        return {"models": list(self.study.spec.models)}

    def _param_contrast(self) -> dict[str, Any]:
        return {
            "runs": [list(run) for run in self.study.runs],
            "baselines": self._baselines,
            "contrast": self._spec["analysis"]["contrast"],
        }

    @property
    def _baselines(self) -> dict[str, str | None]:
        return {name: model.baseline for name, model in self.study.spec.models.items()}

    def _context(self) -> dict[str, Any]:
        """Return what figures and findings need to know of the config."""
        spec = self.study.spec
        return {
            "labels": [[name, model.label] for name, model in spec.models.items()],
            "attention_models": [name for name in spec.models if self.has_attention(name)],
            "baselines": self._baselines,
            "seeds": spec.seeds,
            "confidence": spec.analysis.similarity.confidence,
            "delta": spec.analysis.contrast.delta,
        }

    def _param_figure(self, figure: str) -> dict[str, Any]:
        context = self._context()
        if "comparisons" not in NEEDS[figure]:
            del context["delta"]
        spec = self._spec["figure"]
        seeds = self.study.spec.seeds
        representative = spec["representative_seed"]
        return {
            "figure": figure,
            "options": spec["show"][figure],
            "style": spec["style"],
            "representative_seed": seeds[0] if representative is None else representative,
            "context": context,
        }

    def _param_diagnose(self) -> dict[str, Any]:
        return {"title": self.study.spec.title, "context": self._context()}

    def _param_report(self) -> dict[str, Any]:
        return {"config": self._spec, "choice": dict(self.study.choice), "tables": self.tables}

    def _param_verify(self) -> dict[str, Any]:
        return {}

    # ------------------------------------------------------------------- jobs

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the study, producers before consumers."""
        dataset = self._spec["data"]["name"]
        yield self._job("prepare_data" if self.trained else "list_weights", dataset=dataset)
        for model, seed in self.study.runs:
            for stage in ["train", "extract"] if self.trained else ["import_weights"]:
                yield self._job(stage, model=model, seed=str(seed))
            if self.has_attention(model):
                yield self._job("measure", model=model, seed=str(seed))
        for model in self.study.spec.models:
            yield self._job("aggregate", model=model)
        yield self._job("compare")
        if self.trained:
            yield self._job("contrast")
        for figure in self.study.spec.figure.show:
            yield self._job("figure", figure=figure)
        for stage in ("diagnose", "report", "verify"):
            yield self._job(stage)

    def _job(self, stage: str, **wildcards: str) -> Job:
        read: list[str] = []
        for value in self.inputs(stage, wildcards).values():
            read += [value] if isinstance(value, str) else value
        written = tuple(self.out(stage, **wildcards).values())
        return Job(stage, wildcards, tuple(read), written, self.param(stage, wildcards))
