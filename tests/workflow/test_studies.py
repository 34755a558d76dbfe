"""Whole studies through Snakemake: what a user sees, in files, sentences and exit codes."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from project import Project, planned_jobs

from attnpipe.pipeline.controller import LOCK

ROOT = Path(__file__).parents[2]


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
    assert inventory["checkpoints"].to_list() == [4] * 6  # untrained, two epochs, best
    assert inventory["test_weights"].to_list() == [False] * 4 + [True] * 2
    config = json.loads((results / "config.json").read_text())
    assert config["config"]["seeds"] == [1, 2]
    assert config["choice"]["study"] == "tiny"


def test_every_file_of_a_finished_study_is_documented(finished):
    page = (ROOT / "docs" / "results.md").read_text()
    paths = [*re.findall(r"^\| `\w+` \| `([^`]+)` \|", page, re.MULTILINE), "config.json", LOCK]
    named = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) for path in paths]
    assert "`.<rule>.seal.json`" in page
    assert f"`{LOCK}`" in page
    results = finished.folder / "results" / "tiny"
    files = [p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()]
    seals = [f for f in files if re.fullmatch(r"(.*/)?\.[\w-]+\.seal\.json", f)]
    rest = [f for f in files if f not in seals]
    assert len(seals) > 20
    assert [f for f in rest if not any(re.fullmatch(n, f) for n in named)] == []


def test_the_diagnosis_says_where_it_comes_from_and_follows_its_schema(finished):
    results = finished.folder / "results" / "tiny"
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    jsonschema.validate(diagnosis, json.loads((ROOT / "docs/diagnosis.schema.json").read_text()))
    record = json.loads((results / "config.json").read_text())
    config = {
        key: value for key, value in record["config"].items() if key not in ("figure", "resources")
    }
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    provenance = diagnosis["provenance"]
    assert (provenance["study"], provenance["scale"]) == ("tiny", "quick")
    assert provenance["config_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    series = hashlib.sha256((finished.folder / "series.csv").read_bytes()).hexdigest()
    assert provenance["data"] == {"source": {"files": [{"name": "series.csv", "sha256": series}]}}
    assert set(provenance["versions"]) == {
        "python", "attnpipe", "torch", "numpy", "scipy", "polars",
    }  # fmt: skip
    assert provenance["versions"].items() <= record["versions"].items()


def test_results_name_no_place_on_the_machine(finished):
    results = finished.folder / "results" / "tiny"
    for path in (p for p in results.rglob("*") if p.is_file() and not p.name.startswith(".")):
        content = path.read_bytes()
        assert str(finished.folder).encode() not in content, path


def test_describe_tells_what_is_out_of_date_and_why(finished):
    done = finished.describe("study=tiny", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["out_of_date"] == []
    assert facts["jobs"] == {
        "prepare_data": 1, "train": 6, "extract": 2, "measure": 2, "intervene": 2,
        "aggregate": 3, "compare": 1, "contrast": 1, "effects": 1, "figure": 3,
        "diagnose": 1, "report": 1, "verify": 1,
    }  # fmt: skip
    changed = finished.describe("study=tiny", "models.pool.hidden=6")
    assert "train pool/1 and 1 more: spec.hidden: 4 → 6" in changed.stdout
    assert "everything is up to date" in finished.describe("study=tiny").stdout


def test_describe_tells_models_data_and_options_and_writes_nothing(finished):
    def stored():
        files = (finished.folder / "results").rglob("*")
        return {path: path.stat().st_mtime_ns for path in files}

    before = stored()
    facts = json.loads(finished.describe("study=tiny", "--json").stdout)
    said = finished.describe("study=tiny", "scale=quick").stdout
    assert stored() == before
    assert facts["seeds"] == [1, 2]
    assert (facts["features"], facts["runs"]) == (2, 6)
    # MLP 2→4→1; LSTM of 4 on 2 features with two biases, and its readout; W_q, W_k and v of 3
    counted = {
        "mlp": 2 * 4 + 4 + 4 + 1,
        "base": 4 * 4 * (2 + 4 + 2) + 4 + 1,
        "pool": 4 * 4 * (2 + 4 + 2) + 4 + 1 + 2 * 4 * 3 + 3,
    }
    assert {model["name"]: model["parameters"] for model in facts["models"]} == counted
    for words in (
        "seeds 1, 2",
        "data: csv from series.csv; 2 features, window 12, lead 2",
        "160 parameters, additive attention, baseline base",
        "training: 2 epochs of 64 windows, adam",
        "top k 2; recent k 2, 5; a peak exceeds the second largest weight by 0.001",
        "practical margin δ 0.02 of the skill; a forecast is accurate within 0.5",
        "full weights up to 64 MB per run",
        "figures: entropy, epoch_heatmaps, forest",
        "everything is up to date",
    ):
        assert words in said, words


def test_the_disk_that_describe_names_is_right_within_a_factor_of_two(finished):
    size = json.loads(finished.describe("study=tiny", "--json").stdout)["disk_bytes"]
    assert 1 / 2 < size / finished.stored_bytes("tiny") < 2


NO_ROOM = """
import shutil
from collections import namedtuple
shutil.disk_usage = lambda path: namedtuple("Usage", "total used free")(2, 1, 1)
"""


def test_a_disk_without_room_is_said_when_described_and_when_run(project):
    (project.folder / "fake").mkdir()
    (project.folder / "fake" / "sitecustomize.py").write_text(NO_ROOM)
    project.extra_path.append(str(project.folder / "fake"))
    wide = "models.mlp.hidden=[60000]"
    said = r"'results/tiny' will take about \d+ MiB more, but its disk has 0 MiB free; free space"
    assert re.search(said, project.describe("study=tiny", wide).stdout)
    done = project.snakemake("--until", "prepare_data", overrides=f"{wide} data.stride=2")
    assert done.returncode == 0, done.stderr[-4000:]
    assert re.search(f"^attnpipe: {said}", done.stderr, re.MULTILINE)


def test_describe_ends_with_one_sentence_on_a_mistake(finished):
    done = finished.describe("study=tiny", "models.pool.hiden=6")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("attnpipe: override 'models.pool.hiden=6': unknown key 'hiden'")


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


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("a,b\n", "a,c\n", "column 'b'"),
        ("\n0.", "\nnan\n0.", "'series' has nan in column 'a' of row 1"),
    ],
    ids=["column", "number"],
)
def test_a_table_with_a_fault_is_named_and_earlier_results_stay(project, old, new, sentence):
    project.edit("series.csv", old, new)
    done = project.snakemake()
    assert done.returncode != 0
    assert any(
        sentence in line for line in done.stderr.splitlines() if line.startswith("attnpipe: ")
    ), done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert (project.folder / "results" / "tiny" / "report" / "index.html").exists()


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


def metrics_of(project):
    table = pl.read_parquet(project.folder / "results/tiny/aggregate/metrics.parquet")
    return table.filter(~pl.col("metric").str.starts_with("jsd"))  # of the stored samples alone


def test_weights_above_the_limit_give_the_same_metrics_from_states_of_folds(project):
    before = metrics_of(project)
    stored = project.folder / "results/tiny/runs/pool/seed-1/attention.safetensors"
    full = stored.read_bytes()
    overrides = "analysis.capture.max_megabytes=0.01"
    project.run(overrides=overrides)
    assert stored.read_bytes() != full
    assert b"battery" in stored.read_bytes()
    after = metrics_of(project)
    keys = [name for name in before.columns if before[name].dtype != pl.Float64]
    assert after.select(keys).equals(before.select(keys))
    for column in ("mean", "sd", "min", "max"):
        pairs = zip(before[column], after[column], strict=True)
        assert all(a == b or a == pytest.approx(b, rel=1e-6, abs=1e-9) for a, b in pairs), column
    html = (project.folder / "results/tiny/report/index.html").read_text()
    assert "Pool" in html
    assert project.plan(overrides) == []
    # the states rest on the options of the metrics, so that these are captured anew
    again = project.plan(f"{overrides} analysis.metrics.peak_tolerance=0.01")
    assert {"extract pool 1", "extract pool 2", "measure pool 1"} <= set(again)
    assert "train pool 1" not in again


SMALL = (
    "training.epochs=1 training.windows_per_epoch=64 training.validation_windows=32 "
    "data.probe_samples=8 seeds=[0] figure=two "
)
STUDIES = {
    "steering": SMALL + "data.segments=12 data.segment_seconds=20 data.window=12 "
    "analysis.metrics.top_k=[2] analysis.metrics.recent_k=[2] "
    "~models.mlp_last ~models.mlp_flat ~models.lstm_medium ~models.lstm_medium_simple "
    "~models.lstm_medium_additive ~models.lstm_medium_scaled_dot "
    "models.lstm_small_simple.arms=[none,uniform]",
    "ground_truth": SMALL + "data.train_windows=256 data.validation_windows=32 "
    "data.test_windows=16 models.reader.arms=[none]",
}  # fmt: skip


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_that_trains_runs_to_its_report(tmp_path, study):
    project = Project.create(tmp_path / "project")
    done = project.snakemake(study=study, overrides=STUDIES[study])
    assert done.returncode == 0, done.stderr[-4000:]
    (results,) = (project.folder / "results").iterdir()
    inventory = pl.read_csv(results / "aggregate" / "inventory.csv")
    assert set(inventory["outcome"]) == {"ok"}
    assert set(inventory["checkpoints"]) == {3}
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    verdicts = [f for f in diagnosis["findings"] if f["predicate"] == "verdict"]
    assert len(verdicts) == sum(model["attention"] for model in diagnosis["models"]) > 0
    html = (results / "report" / "index.html").read_text()
    assert "could not be drawn" not in html
    config = json.loads((results / "config.json").read_text())["config"]
    for name in config["figure"]["show"]:
        assert (results / "figures" / f"{name}.png").stat().st_size > 0
    again = project.snakemake("--dry-run", study=study, overrides=STUDIES[study])
    assert planned_jobs(again.stdout + again.stderr) == []
