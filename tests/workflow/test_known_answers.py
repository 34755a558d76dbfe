"""Studies whose answer is known, at tiny sizes, from nothing to their report."""

import json

import polars as pl
import pytest
from project import Project, planned_jobs

FIGURES = """\
representative_seed: null
style: {}
show:
  gates: {color: null}
  ablation: {color: null}
  entropy: {color: null}
  epoch_heatmaps: {colormap: null}
  forest: {color: null}
"""
LAG = (
    "ground_truth=lag figure=known seeds=[0,1] models.reader.width=8 "
    "models.reader.attention.size=4 models.reader.arms=[none,uniform] data.train_windows=200 "
    "data.validation_windows=60 data.test_windows=40 data.probe_samples=16 training.epochs=2 "
    "training.windows_per_epoch=160 compression.windows=true compression.budgets=[0.2,1.0] "
    "compression.draws=1"
)
INDUCTION = (
    "figure=known seeds=[0,1] ~models.one_layer models.two_layers.width=8 "
    "models.two_layers.heads=2 models.two_layers.arms=[uniform] data.window=24 data.period=[4,8] "
    "data.vocabulary=12 data.train_windows=200 data.validation_windows=60 data.test_windows=40 "
    "data.probe_samples=16 training.epochs=2 training.windows_per_epoch=192 "
    "training.warmup_steps=2 training.decay_steps=12 intervention.control_draws=2 "
    "compression.budgets=[0.2,1.0] compression.draws=1"
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("known") / "project")
    (project.folder / "config" / "figure" / "known.yaml").write_text(FIGURES)
    return project


def finish(project: Project, study: str, overrides: str, name: str):
    """Run a study to its report; return its folder and the findings by id."""
    done = project.snakemake(study=study, overrides=overrides)
    assert done.returncode == 0, done.stderr[-4000:]
    results = project.folder / "results" / name
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    page = (results / "report" / "index.html").read_text()
    for finding in diagnosis["findings"]:
        assert finding["sentence"]
    verdicts = [f for f in diagnosis["findings"] if f["predicate"] == "verdict"]
    assert len(verdicts) == sum(model["attention"] for model in diagnosis["models"]) > 0
    assert set(pl.read_csv(results / "aggregate" / "inventory.csv")["outcome"]) == {"ok"}
    assert diagnosis["title"] in page
    assert "could not be drawn" not in page
    config = json.loads((results / "config.json").read_text())["config"]
    for figure in config["figure"]["show"]:
        assert (results / "figures" / f"{figure}.png").stat().st_size > 0
    return results, {f["id"]: f for f in diagnosis["findings"]}


def test_a_case_of_the_ground_truth(fresh) -> None:
    results, findings = finish(fresh, "ground_truth", LAG, "ground_truth_lag")
    described = json.loads((results / "data" / "lag.json").read_text())
    assert described["right_diagnosis"] == "POSITIONAL"
    effects = pl.read_csv(results / "aggregate" / "effects.csv", infer_schema_length=None)
    codes = effects.filter(pl.col("level") == "model")["code"].drop_nulls().unique()
    assert set(codes) == {"E1", "E2", "E3", "E4", "R0", "R1"}
    assert effects.filter(pl.col("code") == "R1")["value"].is_finite().any()
    verdict = findings["verdict.reader"]
    assert verdict["status"] == "INCONCLUSIVE"  # two seeds decide nothing
    assert [gate["code"] for gate in verdict["gates"]][:2] == ["E1", "E2"]
    costs = pl.read_csv(results / "aggregate" / "compression.csv", infer_schema_length=None)
    assert set(costs["budget"]) == {0.2, 1.0}
    assert set(costs["split"]) == {"selection", "confirmation"}
    assert (costs.filter(pl.col("budget") == 1)["nats"] == 0).all()
    assert "compression.reader" in findings


def test_induction_with_heads_that_are_the_same_in_both_seeds(fresh) -> None:
    results, findings = finish(fresh, "induction", INDUCTION, "induction")
    effects = pl.read_csv(results / "aggregate" / "effects.csv", infer_schema_length=None)
    heads = effects.filter(
        (pl.col("name") == "single_head") & (pl.col("level") == "model")
        & (pl.col("metric") == "loss")
    )  # fmt: skip
    assert sorted(heads.select("layer", "head").rows()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert heads["n_seeds"].to_list() == [2] * 4
    assert heads["p_bh"].null_count() == heads["p_by"].null_count() == 0
    by_layer = effects.filter((pl.col("name") == "position_mean") & (pl.col("level") == "model"))
    assert set(by_layer["layer"]) == {None, 0, 1}
    removed = effects.filter(pl.col("removed").is_not_null())
    assert set(removed["name"]) == {"cumulative_heads", "random_heads"}
    assert set(removed["removed"]) == {1, 2, 3, 4}
    assert {"single_heads.two_layers", "induction.two_layers", "compression.two_layers"} <= {
        *findings
    }
    # Partners of heads are an input of the effects, and of nothing else that is trained.
    again = fresh.snakemake("--dry-run", study="induction", overrides=INDUCTION)
    assert planned_jobs(again.stdout + again.stderr) == []
    options = f"{INDUCTION} analysis.metrics.peak_tolerance=0.01"
    changed = fresh.snakemake("--dry-run", study="induction", overrides=options)
    jobs = planned_jobs(changed.stdout + changed.stderr)
    assert "effects" in jobs
    assert not [job for job in jobs if job.split()[0] in ("train", "extract", "intervene")]
