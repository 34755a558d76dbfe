"""Sentences under an encoder, through Snakemake to the report."""

import json

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from project import Project
from scipy.stats import entropy
from tests.pretrained.tiny import write_bert
from transformers import BertModel

OVERRIDES = (
    "~models.minilm +model@models.tiny=local models.tiny.label=Tiny models.tiny.source.path=model "
    "models.tiny.task=encoder data.count=6 data.max_tokens=40 analysis.text.clusters=2"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("sentences") / "project")
    (project.folder / "model").mkdir()
    write_bert(project.folder / "model")
    done = project.snakemake(study="encoder", overrides=OVERRIDES)
    assert done.returncode == 0, done.stderr[-4000:]
    return project


def test_every_figure_is_drawn_and_nothing_is_said_of_answers(finished):
    results = finished.folder / "results" / "encoder"
    group = yaml.safe_load((finished.folder / "config" / "figure" / "sentences.yaml").read_text())
    for name in group["show"]:
        for suffix in ("png", "svg"):
            assert (results / "figures" / f"{name}.{suffix}").stat().st_size > 0, name
    html = (results / "report" / "index.html").read_text()
    assert "could not be drawn" not in html
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    predicates = {f["predicate"] for f in diagnosis["findings"]}
    assert predicates.isdisjoint({"steps", "examples", "causal", "answers"})


def test_metrics_of_heads_are_those_of_eager_attention(finished):
    results = finished.folder / "results" / "encoder"
    texts = pl.read_parquet(results / "runs" / "tiny" / "seed-0" / "tokens.parquet")
    model = BertModel.from_pretrained(finished.folder / "model", attn_implementation="eager")
    model.eval().double()
    wanted = []
    for _, tokens in texts.sort("item", "position").group_by("item", maintain_order=True):
        ids = torch.from_numpy(tokens["id"].to_numpy()[None].copy())
        with torch.no_grad():
            weights = model(ids, output_attentions=True).attentions
        rows = torch.stack(weights)[:, 0].numpy()  # layer, head, query, key
        wanted.append(entropy(rows, axis=-1).mean(axis=-1))
    assert len(wanted) == 6
    found = pl.read_csv(results / "aggregate" / "text_summary.csv", infer_schema_length=None)
    heads = found.filter(
        pl.col("head").is_not_null() & pl.col("condition").is_null(),
        metric="entropy", rows="all", checkpoint="pretrained",
    ).sort("layer", "head")  # fmt: skip
    np.testing.assert_allclose(heads["mean"], np.mean(wanted, axis=0).ravel(), rtol=1e-5)
