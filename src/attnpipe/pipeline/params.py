"""The config values that each job depends on, besides its inputs."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attnpipe.core.overrides import shown_overrides
from attnpipe.figures.registry import NEEDS, ONE_SEED
from attnpipe.io.json import canonical
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.estimate import stores_states
from attnpipe.pipeline.versions import FINDINGS
from attnpipe.schema.arms import computed

Values = dict[str, Any]


class StudyParams:
    """The part of the config that each job of a study depends on: no more, no less.

    Parameters
    ----------
    study
        The study.
    tables
        Names of its tables.
    versions
        Version of each package that the report names: a job shows no others.
    """

    def __init__(self, study: Study, tables: list[str], versions: Mapping[str, str]) -> None:
        self._study = study
        self._tables = tables
        self._versions = dict(versions)
        self._config: Values = study.spec.model_dump(mode="json", exclude={"resources"})
        self._computed: dict[str, Values] = {}
        self._states: dict[str, bool] = {}
        self._values: dict[str, Callable[..., Values]] = {
            "prepare_data": self._data,
            "list_weights": self._data,
            "import_weights": self._import_weights,
            "train": self._train,
            "extract": self._extract,
            "intervene": self._intervene,
            "compress": self._compress,
            "compression": self._compression,
            "measure": self._measure,
            "aggregate": self._aggregate,
            "compare": self._compare,
            "contrast": self._contrast,
            "effects": self._effects,
            "figure": self._figure,
            "diagnose": self._diagnose,
            "report": self._report,
            "verify": self._verify,
        }

    def values(self, stage: str, wildcards: Mapping[str, Any]) -> Values:
        """Return the values that one job depends on."""
        return self._values[stage](**wildcards)

    def _data(self, dataset: str) -> Values:
        return {"data": self._config["data"]}

    def _import_weights(self, model: str, seed: str) -> Values:
        shape = self._study.saved[model][int(seed)].shape  # that of the other seeds, too
        data = dict(self._config["data"])
        for key in ("prefixes", "published_row", "files"):
            data[key] = {name: of for name, of in data[key].items() if name == model}
        for name, files in data["files"].items():
            data["files"] = {name: {s: file for s, file in files.items() if int(s) == int(seed)}}
        return {"model": model, "seed": int(seed), "shape": shape, "data": data}

    def _run(self, model: str, seed: str) -> Values:
        """Return what a run computes; its label, baseline and arms are no part of that."""
        if model not in self._computed:
            self._computed[model] = computed(self._study.models[model])
        return {"model": model, "seed": int(seed), "spec": self._computed[model]}

    def _train(self, model: str, seed: str) -> Values:
        return self._run(model, seed) | {"training": self._config["training"]}

    def _extract(self, model: str, seed: str) -> Values:
        analysis = self._config["analysis"]
        param = self._run(model, seed) | {"capture": analysis["capture"]}
        if model not in self._states:
            self._states[model] = stores_states(self._study.spec, model)
        if self._states[model]:
            param["metrics"] = analysis["metrics"]
        return param

    def _intervene(self, model: str, seed: str) -> Values:
        param = self._run(model, seed) | {"intervention": self._config["intervention"]}
        if self._study.spec.intervention.finetune > 0:
            param["training"] = self._config["training"]
        return param

    def _compress(self, model: str, seed: str) -> Values:
        return self._run(model, seed) | {"compression": self._config["compression"]}

    def _compression(self) -> Values:
        return {"delta": self._study.spec.analysis.contrast.delta}

    def _measure(self, model: str, seed: str) -> Values:
        return {"model": model, "seed": int(seed), "metrics": self._config["analysis"]["metrics"]}

    def _aggregate(self, model: str) -> Values:
        return {"model": model, "seeds": self._study.seeds_of(model)}

    def _compare(self) -> Values:
        return {"models": list(self._study.models)}

    @property
    def _baselines(self) -> dict[str, str | None]:
        return {name: model.baseline for name, model in self._study.spec.models.items()}

    def _contrast(self) -> Values:
        return {
            "runs": [list(run) for run in self._study.runs],
            "baselines": self._baselines | dict.fromkeys(self._study.arms.derived),
            "contrast": self._config["analysis"]["contrast"],
        }

    def _effects(self) -> Values:
        return {
            "runs": [list(run) for run in self._study.runs],
            "intervened": [list(run) for run in self._study.intervened],
            "matched": self._study.matched,
            "arms": self._study.arms.deciding,
            "delta": self._study.spec.analysis.contrast.delta,
        }

    @property
    def _context(self) -> Values:
        """What figures and findings need to know of the config."""
        spec = self._study.spec
        return {
            "labels": [[name, model.label] for name, model in spec.models.items()],
            "attention_models": [m for m in spec.models if self._study.has_attention(m)],
            "baselines": self._baselines,
            "seeds": sorted(spec.seeds),
            "delta": spec.analysis.contrast.delta,
            "arms": {model: list(of) for model, of in self._study.arms.deciding.items()},
        }

    def _figure(self, figure: str) -> Values:
        context = self._context
        del context["arms"]
        if not {"comparisons", "effects"} & {*NEEDS[figure]}:
            del context["delta"]
        spec = self._config["figure"]
        chosen = spec["representative_seed"]
        smallest = min(self._study.spec.seeds)
        param = {
            "figure": figure,
            "options": spec["show"][figure],
            "style": spec["style"],
            "context": context,
        }
        if figure in ONE_SEED:
            param["representative_seed"] = smallest if chosen is None else chosen
        return param

    def _diagnose(self) -> Values:
        title, asked = self._study.spec.title, self._study.spec.intervention
        context = self._context | {
            "interventions": list(asked.names),
            "finetune": asked.finetune,
            "label_nulls": self._study.arms.label_nulls,
        }
        return {"title": title, "context": context, "provenance": self._provenance}

    @property
    def _provenance(self) -> Values:
        """Config and software of the findings; what is drawn is no part of that."""
        config = {key: value for key, value in self._shown.items() if key != "figure"}
        absent = () if self._study.mode != "saved" else ("torch",)
        return {
            "study": self._study.spec.name,
            "scale": self._study.spec.scale,
            "config_sha256": hashlib.sha256(canonical(config).encode()).hexdigest(),
            "versions": {n: self._versions[n] for n in FINDINGS if n not in absent},
        }

    @property
    def _shown(self) -> Values:
        """The config as results show it: they name no place on a machine."""
        data = dict(self._config["data"])
        if data.get("path") is not None:
            data["path"] = Path(data["path"]).name
        return self._config | {"data": data}

    def _report(self) -> Values:
        choice = dict(self._study.choice)
        return {
            "choice": choice | {"overrides": shown_overrides(choice["overrides"])},
            "config": self._shown,
            "tables": self._tables,
            "versions": self._versions,
        }

    def _verify(self) -> Values:
        return {}
