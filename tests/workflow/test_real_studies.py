"""The studies of real pretrained models as they stand, through Snakemake to the report.

Slow: models are downloaded, some minutes each. What their heads do is held elsewhere
(`tests/pretrained/test_real_models.py`, `tests/extraction/test_external_truth.py`).
"""

import json

import polars as pl
import pytest
import yaml
from project import Project

pytestmark = pytest.mark.slow

FIGURES = {"prompts": "prompts", "encoder": "sentences"}
MINUTES = 60
"""After so many a study hangs; what it should take is no matter of tests."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project.create(tmp_path_factory.mktemp("real") / "project")


def finished(project, study):
    """Run a study to its end; return the folder of its results."""
    done = project.snakemake(study=study, timeout=60 * MINUTES)
    assert done.returncode == 0, done.stderr[-4000:]
    again = project.snakemake("--dry-run", study=study)
    assert "Nothing to be done" in again.stdout + again.stderr
    return project.folder / "results" / study


def table(results, name):
    return pl.read_csv(results / "aggregate" / f"{name}.csv", infer_schema_length=None)


def figures_of(project, study):
    group = project.folder / "config" / "figure" / f"{FIGURES[study]}.yaml"
    return list(yaml.safe_load(group.read_text())["show"])


def assert_every_figure_is_drawn(project, study, results):
    html = (results / "report" / "index.html").read_text()
    for name in figures_of(project, study):
        for suffix in ("png", "svg"):
            assert (results / "figures" / f"{name}.{suffix}").stat().st_size > 5000, name
        assert f'id="figure-{name}"' in html, name
    assert "could not be drawn" not in html


def test_the_prompt_study_answers_its_three_questions(project):
    results = finished(project, "prompts")
    assert_every_figure_is_drawn(project, "prompts", results)
    inventory = table(results, "inventory")
    assert set(inventory["outcome"]) == {"ok"}
    counts = {row["variant"]: row for row in table(results, "accuracy").iter_rows(named=True)}
    answers = table(results, "answers")
    given = answers.group_by("variant", "reading").agg(n=pl.len())
    names = {"right": "correct"}
    for variant, reading, n in given.iter_rows():
        assert counts[variant][names.get(reading, reading)] == n, (variant, reading)
    for variant, row in counts.items():
        assert row["n"] == 32
        assert row["empty"] == 0, variant  # it may not end before it has written
        assert row["unfinished"] <= 4, variant
    inside = {variant for variant, row in counts.items() if 0.2 <= row["accuracy"] <= 0.8}
    assert len(counts) == 7
    assert len(inside) >= 6  # greedy answers differ a little from processor to processor
    asked = yaml.safe_load((project.folder / "config" / "study" / "prompts.yaml").read_text())
    for variant in asked["analysis"]["text"]["answers"]["variants"]:
        assert variant in inside
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    found = {f["predicate"]: f for f in diagnosis["findings"] if f["model"] == "chat"}
    for predicate in ("steps", "examples", "sensitive_layers"):
        assert found[predicate]["status"] in ("YES", "NO"), predicate
        assert found[predicate]["n_units"] == 32
        assert found[predicate]["evidence"]
    related = found["correctness"]
    for variant in counts.keys() - inside:
        assert related["status"] != "NO"
        assert f"{variant} (" in related["sentence"].partition("Inconclusive outside")[2]


def test_the_encoder_study_shows_its_known_heads(project):
    results = finished(project, "encoder")
    assert_every_figure_is_drawn(project, "encoder", results)
    heads = table(results, "text_summary").filter(
        pl.col("head").is_not_null() & pl.col("condition").is_null()
        & (pl.col("checkpoint") == "pretrained")
    )  # fmt: skip
    for layer, score, least in ((0, "previous_token", 0.95), (1, "next_token", 0.6)):
        best = heads.filter(layer=layer, metric=score)["mean"].max()
        assert best > least, score
