"""What each stage of a study reads and writes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attnpipe.figures.registry import NEEDS
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.paths import outputs
from attnpipe.tables.study import STUDY_TABLES

Inputs = Mapping[str, str | list[str]]

FORECAST_TABLES = ("comparisons", "history")  # saved weights have none


class StudyFiles:
    """Inputs and outputs of every job of a study, by stage and wildcards."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._inputs: dict[str, Callable[..., Inputs]] = {
            "prepare_data": self._prepare_data,
            "list_weights": self._list_weights,
            "import_weights": self._import_weights,
            "train": self._train,
            "extract": self._extract,
            "measure": self._measure,
            "aggregate": self._aggregate,
            "compare": self._compare,
            "contrast": self._contrast,
            "figure": self._figure,
            "diagnose": self._diagnose,
            "report": self._report,
            "verify": self._verify,
        }

    def patterns(self, stage: str) -> dict[str, str]:
        """Return the output paths of a stage, with wildcards in braces."""
        return outputs(self._study.spec.name, stage)

    def out(self, stage: str, **wildcards: Any) -> dict[str, str]:
        """Return the output paths of one job."""
        return {n: p.format(**wildcards) for n, p in self.patterns(stage).items()}

    def inputs(self, stage: str, wildcards: Mapping[str, Any]) -> Inputs:
        """Return the named inputs of one job."""
        return self._inputs[stage](**wildcards)

    @property
    def tables(self) -> list[str]:
        """Names of the tables that this study has."""
        absent = () if self._study.trained else FORECAST_TABLES
        return [name for name in STUDY_TABLES if name not in absent]

    def _table(self, name: str) -> str:
        stage = "contrast" if name == "comparisons" else "compare"
        return self.out(stage)[f"{name}_parquet"]

    def _data(self, key: str) -> str:
        stage = "prepare_data" if self._study.trained else "list_weights"
        return self.out(stage, dataset=self._study.spec.data.name)[key]

    def _prepare_data(self, dataset: str) -> Inputs:
        path = getattr(self._study.spec.data, "path", None)
        if path is None:
            return {}
        given = Path(path)
        return {"files": sorted(map(str, given.glob("*.csv"))) if given.is_dir() else [path]}

    def _list_weights(self, dataset: str) -> Inputs:
        runs = self._study.saved.values()
        return {"files": sorted({str(p) for run in runs for f in run.values() for p in f.paths})}

    def _import_weights(self, model: str, seed: str) -> Inputs:
        return {"files": [str(path) for path in self._study.saved[model][int(seed)].paths]}

    def _train(self, model: str, seed: str) -> Inputs:
        return {"dataset": self._data("dataset")}

    def _extract(self, model: str, seed: str) -> Inputs:
        trained = self.out("train", model=model, seed=seed)
        return {
            "dataset": self._data("dataset"),
            "checkpoints": trained["checkpoints"],
            "outcome": trained["outcome"],
        }

    def _run(self, model: str, seed: int | str) -> dict[str, str]:
        """Return everything that exists of one run before it is measured."""
        stages = ("train", "extract") if self._study.trained else ("import_weights",)
        parts = [self.out(stage, model=model, seed=seed) for stage in stages]
        return {name: path for part in parts for name, path in part.items()}

    def _measure(self, model: str, seed: str) -> Inputs:
        run = self._run(model, seed)
        return {name: run[name] for name in ("attention", "probe", "outcome")}

    def _aggregate(self, model: str) -> Inputs:
        runs = []
        for seed in self._study.seeds_of(model):
            run = self._run(model, seed)
            if self._study.has_attention(model):
                run |= self.out("measure", model=model, seed=seed)
            runs.append(run)
        unused = ("checkpoints", "evaluation")
        return {name: [run[name] for run in runs] for name in runs[0] if name not in unused}

    def _compare(self) -> Inputs:
        parts = [self.out("aggregate", model=model) for model in self._study.spec.models]
        return {name: [part[name] for part in parts] for name in parts[0]}

    def _contrast(self) -> Inputs:
        runs = self._study.runs
        return {"evaluations": [self._run(model, seed)["evaluation"] for model, seed in runs]}

    def _figure(self, figure: str) -> Inputs:
        tables = {name: self._table(name) for name in NEEDS[figure] if name in self.tables}
        return tables | {"description": self._data("description")}

    def _diagnose(self) -> Inputs:
        tables = {name: self._table(name) for name in self.tables}
        return tables | {"description": self._data("description")}

    def _report(self) -> Inputs:
        figures = [self.out("figure", figure=name) for name in self._study.spec.figure.show]
        return {
            **self._diagnose(),
            "diagnosis": self.out("diagnose")["diagnosis"],
            "png": [figure["png"] for figure in figures],
            "svg": [figure["svg"] for figure in figures],
        }

    def _verify(self) -> Inputs:
        return {"inventory": self._table("inventory"), "report": self.out("report")["html"]}
