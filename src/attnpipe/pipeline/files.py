"""What each stage of a study of trained models or saved weights reads and writes."""

from pathlib import Path

from attnpipe.pipeline.config import Study
from attnpipe.pipeline.files_base import Inputs, StageFiles
from attnpipe.tables.study import STUDY_TABLES

FORECAST_TABLES = ("comparisons", "effects", "history")  # saved weights have none
OWN_STAGE = {"comparisons": "contrast", "effects": "effects", "compression": "compression"}
"""Table → stage that writes it; `compare` writes the others."""


class SeededFiles(StageFiles):
    """Inputs and outputs of every job of a study whose runs are trained or imported."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        absent = () if study.trained else FORECAST_TABLES
        self.tables = [name for name in STUDY_TABLES if name not in absent]
        self.tables += ["compression"] if study.shortened else []
        self._inputs |= {
            "prepare_data": self._prepare_data,
            "list_weights": self._list_weights,
            "import_weights": self._import_weights,
            "train": self._train,
            "extract": self._extract,
            "intervene": self._extract,
            "compress": self._extract,
            "measure": self._measure,
            "aggregate": self._aggregate,
            "compare": self._compare,
            "contrast": self._contrast,
            "effects": self._effects,
        }

    def _table(self, name: str) -> str:
        return self.out(OWN_STAGE.get(name, "compare"))[f"{name}_parquet"]

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
        stages = ["train"] if self._study.trained else ["import_weights"]
        if self._study.trained and self._study.has_attention(model):
            stages.append("extract")
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
        parts = [self.out("aggregate", model=model) for model in self._study.models]
        return {name: [part[name] for part in parts] for name in parts[0]}

    def _effects(self) -> Inputs:
        runs = [self.out("intervene", model=m, seed=s) for m, s in self._study.intervened]
        return {
            **self._contrast(),
            "interventions": [run["interventions"] for run in runs],
            "similarity": [
                self.out("aggregate", model=m)["similarity"] for m in self._study.matched
            ],
        }

    def _contrast(self) -> Inputs:
        runs = self._study.runs
        return {"evaluations": [self._run(model, seed)["evaluation"] for model, seed in runs]}
