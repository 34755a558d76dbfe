"""What each stage of a study of texts reads and writes."""

from pathlib import Path

from attnpipe.pipeline.config import Study
from attnpipe.pipeline.files_base import Inputs, StageFiles
from attnpipe.tables.text import TEXT_TABLES

TOKENIZER = ("tokenizer", "tokenizer_config", "config")
"""What a model's texts depend on: not its weights."""


class TextFiles(StageFiles):
    """Inputs and outputs of every job of a study of prompts or sentences."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.tables = [*TEXT_TABLES, *(["compression"] if study.shortened else [])]
        self._inputs |= {
            "obtain_model": self._obtain_model,
            "prepare_texts": self._prepare_texts,
            "extract_text": self._extract_text,
            "measure_text": self._measure_text,
            "intervene_text": self._extract_text,
            "compress_text": self._extract_text,
            "aggregate_text": self._aggregate_text,
            "compare_text": self._compare_text,
            "export_text": self._export_text,
        }

    def _table(self, name: str) -> str:
        stage = "compression" if name == "compression" else "compare_text"
        return self.out(stage)[f"{name}_parquet"]

    def _data(self, key: str) -> str:
        return self.out("prepare_texts", dataset=self._study.spec.data.name)[key]

    def _obtain_model(self, model: str) -> Inputs:
        source = getattr(self._study.spec.models[model], "source", None)
        given = getattr(source, "path", None)
        if given is None:
            return {}
        path = Path(given)
        files = path.iterdir() if path.is_dir() else [path]
        return {"files": sorted(str(file) for file in files if file.is_file())}

    def _prepare_texts(self, dataset: str) -> Inputs:
        folders = [self.out("obtain_model", model=model) for model in self._study.spec.models]
        return {name: [folder[name] for folder in folders] for name in TOKENIZER}

    def _extract_text(self, model: str, seed: str) -> Inputs:
        texts = {name: self._data(name) for name in ("texts", "spans")}
        return self.out("obtain_model", model=model) | texts

    def _measure_text(self, model: str, seed: str) -> Inputs:
        run = self.out("extract_text", model=model, seed=seed)
        read = {name: run[name] for name in ("attention", "streamed")}
        read["tokenizer"] = self.out("obtain_model", model=model)["tokenizer"]
        return read | {name: self._data(name) for name in ("texts", "spans")}

    def _aggregate_text(self, model: str) -> Inputs:
        (seed,) = self._study.seeds_of(model)
        run = (model, seed)
        replaced = self.out("intervene_text", model=model, seed=seed)
        return {
            **(replaced if run in self._study.intervened else {}),
            **self.out("extract_text", model=model, seed=seed),
            **self.out("measure_text", model=model, seed=seed),
            **{name: self._data(name) for name in ("texts", "spans")},
        }

    def _compare_text(self) -> Inputs:
        parts = [self.out("aggregate_text", model=model) for model in self._study.spec.models]
        return {name: [part[name] for part in parts] for name in parts[0]}

    def _report(self) -> Inputs:
        models = self._study.spec.models
        exports = [self.out("export_text", model=model)["export"] for model in models]
        return {**super()._report(), "exports": exports, "texts": self._data("texts")}

    def _export_text(self, model: str) -> Inputs:
        return self.out("aggregate_text", model=model)
