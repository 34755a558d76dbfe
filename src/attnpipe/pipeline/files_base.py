"""What the stages of every kind of study read and write."""

from collections.abc import Callable, Mapping
from typing import Any

from attnpipe.figures.registry import NEEDS
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.paths import outputs

Inputs = Mapping[str, str | list[str]]


class StageFiles:
    """Inputs and outputs of every job of a study, by stage and wildcards.

    Subclasses name the stages that come before the figures in `_inputs`, the study's
    `tables`, and the stage that writes each.
    """

    tables: list[str]
    """Names of the tables that this study has."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._patterns: dict[str, dict[str, str]] = {}
        self._inputs: dict[str, Callable[..., Inputs]] = {
            "compression": self._compression,
            "figure": self._figure,
            "diagnose": self._diagnose,
            "report": self._report,
            "verify": self._verify,
        }

    def patterns(self, stage: str) -> dict[str, str]:
        """Return the output paths of a stage, with wildcards in braces."""
        if stage not in self._patterns:  # asked for several times per job
            self._patterns[stage] = outputs(self._study.spec.name, stage)
        return self._patterns[stage]

    def out(self, stage: str, **wildcards: Any) -> dict[str, str]:
        """Return the output paths of one job."""
        return {n: p.format(**wildcards) for n, p in self.patterns(stage).items()}

    def inputs(self, stage: str, wildcards: Mapping[str, Any]) -> Inputs:
        """Return the named inputs of one job."""
        return self._inputs[stage](**wildcards)

    def _table(self, name: str) -> str:
        """Return the path of one of the study's tables."""
        raise NotImplementedError

    def _data(self, key: str) -> str:
        """Return an output of the stage that prepares the data."""
        raise NotImplementedError

    def _compression(self) -> Inputs:
        stage = "compress_text" if self._study.mode == "text" else "compress"
        runs = [self.out(stage, model=m, seed=s) for m, s in self._study.shortened]
        return {"losses": [run["losses"] for run in runs]}

    def _figure(self, figure: str) -> Inputs:
        tables = {name: self._table(name) for name in NEEDS[figure] if name in self.tables}
        return tables | {"description": self._data("description")}

    def _diagnose(self) -> Inputs:
        tables = {name: self._table(name) for name in self.tables}
        return tables | {"description": self._data("description"), "attempted": self._attempted()}

    def _attempted(self) -> list[str]:
        """Return what is asked of runs whose failing stops nothing else."""
        text = self._study.mode == "text"
        asked = {
            "intervene_text" if text else "intervene": self._study.intervened,
            "compress_text" if text else "compress": self._study.shortened,
        }
        return [
            path
            for stage, runs in asked.items()
            for model, seed in runs
            for path in self.out(stage, model=model, seed=seed).values()
        ]

    def _report(self) -> Inputs:
        figures = [self.out("figure", figure=name) for name in self._study.spec.figure.show]
        read = {name: of for name, of in self._diagnose().items() if name != "attempted"}
        return {
            **read,
            "diagnosis": self.out("diagnose")["diagnosis"],
            "png": [figure["png"] for figure in figures],
            "svg": [figure["svg"] for figure in figures],
        }

    def _verify(self) -> Inputs:
        return {
            "inventory": self._table("inventory"),
            "report": self.out("report")["html"],
            "attempted": self._attempted(),
        }
