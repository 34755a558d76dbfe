"""Whole studies through Snakemake: what a user sees, in files, sentences and exit codes."""

import json
import subprocess
import sys

import polars as pl
import pytest


def describe(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "attnpipe", "describe", *arguments],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_finished_study_has_every_file_and_nothing_to_do(finished):
    results = finished.folder / "results" / "tiny"
    for name in (
        "config.json",
        "data/csv.safetensors",
        "runs/pool/seed-1/attention.safetensors",
        "runs/mlp/seed-2/evaluation.parquet",
        "aggregate/inventory.csv",
        "aggregate/metrics.csv",
        "aggregate/metric_values.csv",
        "aggregate/similarity.csv",
        "aggregate/convergence.csv",
        "aggregate/comparisons.csv",
        "figures/entropy.png",
        "figures/forest.svg",
        "report/index.html",
        "report/report.md",
        "report/diagnosis.json",
    ):
        assert (results / name).stat().st_size > 0, name
    inventory = pl.read_csv(results / "aggregate" / "inventory.csv")
    assert inventory["outcome"].to_list() == ["ok"] * 6
    config = json.loads((results / "config.json").read_text())
    assert config["config"]["seeds"] == [1, 2]
    assert config["choice"]["study"] == "tiny"


def test_results_name_no_place_on_the_machine(finished):
    results = finished.folder / "results" / "tiny"
    for path in (p for p in results.rglob("*") if p.is_file() and not p.name.startswith(".")):
        content = path.read_bytes()
        assert str(finished.folder).encode() not in content, path


def test_describe_tells_what_is_out_of_date_and_why(finished):
    done = describe(finished, "study=tiny", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["out_of_date"] == []
    assert facts["jobs"]["train"] == 6
    changed = describe(finished, "study=tiny", "models.pool.hidden=6")
    assert "train pool/1 and 1 more: spec.hidden: 4 → 6" in changed.stdout
    assert "everything is up to date" in describe(finished, "study=tiny").stdout


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (["study=tyny"], "unknown study 'tyny': did you mean 'tiny'?"),
        (["study=tiny", "overrides=models.pool.hiden=3"], "unknown key 'hiden'"),
        (["study=tiny", "overrides=seeds=[1,1]"], "1 is listed twice"),
        (["study=tiny", "overrides=data.window=5000"], "data.window"),
    ],
)
def test_a_mistake_is_one_sentence_before_the_first_job(finished, config, sentence):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", *config]
    done = subprocess.run(
        command,
        cwd=finished.folder,
        env=finished.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "Job " not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("attnpipe: ")]
    assert len(said) == 1


def test_a_diverged_run_is_named_and_the_rest_goes_on(project):
    deep = ",".join(["64"] * 16)  # a large rate explodes through many layers, not through few
    overrides = (
        f"+model@models.wild=mlp_last models.wild.hidden=[{deep}] models.wild.label=wild "
        "training.learning_rate=100 training.clip_norm=null name=wild seeds=[1]"
    )
    done = project.snakemake(overrides=overrides)
    assert done.returncode != 0, "the exit code says that a run did not end well"
    assert "1 of 4 runs did not end well: wild/seed-1 diverged" in done.stderr + done.stdout
    results = project.folder / "results" / "wild"
    inventory = pl.read_csv(results / "aggregate" / "inventory.csv")
    outcomes = dict(zip(inventory["model"], inventory["outcome"], strict=True))
    assert outcomes == {"mlp": "ok", "base": "ok", "pool": "ok", "wild": "diverged"}
    comparisons = pl.read_csv(results / "aggregate" / "comparisons.csv", infer_schema_length=None)
    scored = comparisons.filter((pl.col("level") == "seed") & pl.col("value").is_not_null())
    assert set(scored["model"]) == {"mlp", "base", "pool"}
    assert "diverged" in (results / "report" / "index.html").read_text()


def test_the_same_study_gives_the_same_bytes(project):
    results = project.folder / "results" / "tiny"

    def contents():
        files = (p for p in sorted(results.rglob("*")) if p.is_file())
        return {p.relative_to(results): p.read_bytes() for p in files if not p.name.startswith(".")}

    before = contents()
    project.run("--forceall")
    after = contents()
    assert sorted(before) == sorted(after)
    assert [name for name in before if before[name] != after[name]] == []
