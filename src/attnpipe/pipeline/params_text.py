"""The config values that each job of a study of texts depends on, besides its inputs."""

from collections.abc import Mapping

from attnpipe.pipeline.config import Study
from attnpipe.pipeline.params import StudyParams, Values

READING = ("task", "dtype", "max_length", "untrained")
"""Keys of a model that say how it reads texts; where it comes from is not among them."""


class TextParams(StudyParams):
    """The part of the config that each job of a study of texts depends on."""

    def __init__(self, study: Study, tables: list[str], versions: Mapping[str, str]) -> None:
        super().__init__(study, tables, versions)
        self._values |= {
            "obtain_model": self._obtain_model,
            "prepare_texts": self._prepare_texts,
            "extract_text": self._extract_text,
            "measure_text": self._measure_text,
            "intervene_text": self._intervene_text,
            "compress_text": self._compress_text,
            "aggregate_text": self._aggregate_text,
            "compare_text": self._compare,
            "export_text": self._export_text,
        }

    def _obtain_model(self, model: str) -> Values:
        spec = self._config["models"][model]
        return {"model": model, **{key: spec[key] for key in ("source", "task")}}

    def _prepare_texts(self, dataset: str) -> Values:
        models = self._config["models"]
        limits = [[name, models[name]["max_length"]] for name in models]
        return {"data": self._config["data"], "models": limits}

    def _text(self, *keys: str) -> Values:
        text = self._config["analysis"]["text"]
        return {key: text[key] for key in keys}

    def _extract_text(self, model: str, seed: str) -> Values:
        spec = self._config["models"][model]
        return {
            "model": model,
            "seed": int(seed),
            "spec": {key: spec[key] for key in READING},
            "metrics": self._config["analysis"]["metrics"],
            "text": self._text("sinks", "representative_question", "dense_limit", "head_metrics"),
        }

    def _measure_text(self, model: str, seed: str) -> Values:
        return {
            "model": model,
            "seed": int(seed),
            "metrics": self._config["analysis"]["metrics"],
            "text": self._text("sinks"),
        }

    def _intervene_text(self, model: str, seed: str) -> Values:
        spec = self._config["models"][model]
        return {
            "model": model,
            "seed": int(seed),
            "spec": {key: spec[key] for key in READING},
            **self._text("answers", "dense_limit"),
        }

    def _compress_text(self, model: str, seed: str) -> Values:
        spec = self._config["models"][model]
        return {
            "model": model,
            "seed": int(seed),
            "spec": {key: spec[key] for key in READING},
            "compression": self._config["compression"],
        }

    def _aggregate_text(self, model: str) -> Values:
        keys = ("sinks", "representative_question", "views", "accuracy_range", "clusters")
        metrics = self._config["analysis"]["metrics"]
        return {"model": model, "text": self._text(*keys), "metrics": metrics}

    def _export_text(self, model: str) -> Values:
        return {"model": model}

    def _diagnose(self) -> Values:
        values = super()._diagnose()
        values["context"] |= {"text": self._text("mass_margin", "accuracy_range")}
        return values
