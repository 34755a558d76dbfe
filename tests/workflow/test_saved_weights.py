"""Weights that other software saved, in every layout, through Snakemake to the report."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import yaml
from project import Project, planned_jobs
from safetensors.numpy import save_file
from scipy.special import softmax
from scipy.stats import entropy

STATISTICS = ["sd", "min", "max", "lo95", "hi95"]
UNKNOWABLE = "Statistics over seeds are unknowable: the weights come without a seed axis."
NARROW = """\
representative_seed: null
style: {}
show: {seed_similarity: {}}
"""


def lags(rows):
    """Query position − key position, of queries and keys that both count from 0."""
    queries, keys = rows.shape[-2:]
    return np.arange(queries)[:, None] - np.arange(keys)


OF_ROWS = {
    "entropy_normalized": lambda p: entropy(p, axis=-1) / np.log(p.shape[-1]),
    "effective_keys_n2": lambda p: 1 / np.square(p).sum(axis=-1),
    "max_weight": lambda p: p.max(axis=-1),
    "lag_mean": lambda p: (p * lags(p)).sum(axis=-1),
}
"""Metric → its value for every row of weights (…, query, key): what the tables must say."""


@pytest.fixture
def project(tmp_path):
    """A project in which nothing has run yet."""
    return Project.create(tmp_path / "project")


def results(project):
    return project.folder / "results" / "saved_weights"


def plan(project, overrides):
    done = project.snakemake("--dry-run", study="saved_weights", overrides=overrides)
    assert done.returncode == 0, done.stderr[-4000:]
    return planned_jobs(done.stdout + done.stderr)


def table(project, name):
    return pl.read_csv(results(project) / "aggregate" / f"{name}.csv", infer_schema_length=None)


def report(project):
    return (results(project) / "report" / "index.html").read_text()


def findings(project, model):
    """Predicate → finding about a model."""
    document = json.loads((results(project) / "report" / "diagnosis.json").read_text())
    return {f["predicate"]: f for f in document["findings"] if f["model"] == model}


def in_order(frame, metric, column):
    """The values of a metric of final rows, by layer and head."""
    rows = frame.filter((pl.col("metric") == metric) & (pl.col("checkpoint") == "test"))
    return rows.sort("layer", "head")[column].to_numpy()


def close(found, expected):
    """Equal within the rounding of weights to float32."""
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


@pytest.fixture
def profiles(tmp_path):
    """Document 0's layout: two models, three seeds, one faulty file."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "weights"
    for prefix in ("M4_Simple", "M4_Simple_Wide"):
        for seed in (1, 2, 3):
            run = folder / f"{prefix}_seed{seed}"
            run.mkdir(parents=True)
            for epoch in (1, 2, 3):
                np.save(run / f"attention_epoch_{epoch:03d}.npy", rng.dirichlet(np.ones(50)))
            np.save(run / "attention_test.npy", rng.dirichlet(np.ones(50)))
    np.save(folder / "M4_Simple_seed2" / "attention_test.npy", np.full(50, 0.1))
    return folder


def assert_disk_was_foretold(project, overrides):
    """`describe` names the size of the results within a factor of two."""
    done = project.describe("study=saved_weights", "--json", f"overrides={overrides}")
    assert done.returncode == 0, done.stderr
    assert 1 / 2 < json.loads(done.stdout)["disk_bytes"] / project.stored_bytes("saved_weights") < 2


def test_profiles_are_imported_and_their_rows_are_unknowable(project, profiles):
    done = project.snakemake(study="saved_weights", overrides=f"data.path={profiles}")
    assert done.returncode != 0, "one run was refused"
    refused = table(project, "inventory").filter(pl.col("outcome") == "refused")
    assert refused.select("model", "seed").rows() == [("M4_Simple", 2)]
    assert "attention_test.npy" in refused["reason"][0]
    metrics = table(project, "metrics")
    known = metrics.filter(pl.col("metric") == "profile_entropy_normalized")
    assert known.filter(pl.col("checkpoint") == "test")["n"].to_list() == [2, 3]
    unknowable = metrics.filter(pl.col("metric") == "entropy_normalized")
    assert unknowable["mean"].null_count() == len(unknowable)
    assert set(unknowable["condition"]) == {"unknowable"}
    html = report(project)
    assert "unknowable" in html
    assert "cannot be told from weights alone" in html
    assert "score of" not in html, "nothing is asked of forecasts that there are none of"
    assert "averaged profiles of seeds correlate" in html
    assert str(profiles) not in html
    assert_disk_was_foretold(project, f"data.path={profiles}")


@pytest.fixture
def batches(tmp_path):
    """Document 2's layout: two models, four windows each; and the weights of the good one."""
    rng = np.random.default_rng(2)
    sharpness = np.array([[0.5, 1], [2, 4]])[..., None, None]
    folder = tmp_path / "weights"
    stored = {}
    for model in ("small", "large"):
        (folder / model).mkdir(parents=True)
        windows = softmax(sharpness * rng.standard_normal((4, 2, 2, 24, 24)), axis=-1)
        stored[model] = windows.astype(np.float32)
        for number, weights in enumerate(stored[model]):
            np.savez(
                folder / model / f"attention_batch_{number:04d}.npz",
                attention_weights=weights,
                temporal_importance=weights.mean(axis=1).sum(axis=1),
                inputs=np.zeros((24, 5), np.float32),
                predictions=np.zeros(1, np.float32),
            )
    short = softmax(rng.standard_normal((2, 2, 24, 23)), axis=-1)
    np.savez(folder / "large" / "attention_batch_0002.npz", attention_weights=short)
    return folder, stored["small"]


def test_batches_are_measured_row_by_row_and_know_no_statistics_over_seeds(project, batches):
    folder, windows = batches
    overrides = (
        f"data.path={folder} data.layout=batches data.keys=24 "
        "+data.prefixes.small=small +data.prefixes.large=large"
    )
    done = project.snakemake(study="saved_weights", overrides=overrides)

    assert done.returncode != 0, "the run with a short file was refused"
    assert "1 of 2 runs did not end well: large/seed-0 refused" in done.stderr + done.stdout
    inventory = table(project, "inventory")
    fault = "has 23 keys instead of the 24 that data.keys declares"
    reason = f"'large/attention_batch_0002.npz' {fault}; export it again or correct data.keys"
    columns = ["model", "outcome", "reason", "items", "has_seeds"]
    assert inventory.select(columns).rows() == [
        ("small", "ok", None, 4, False),
        ("large", "refused", reason, None, False),
    ]

    metrics, similarity = table(project, "metrics"), table(project, "similarity")
    assert set(metrics["model"]) == set(similarity["model"]) == {"small"}
    rows = windows.astype(np.float64)
    rows /= rows.sum(axis=-1, keepdims=True)
    for metric, of_rows in OF_ROWS.items():
        close(in_order(metrics, metric, "mean"), of_rows(rows).mean(axis=(0, -1)).ravel())
        assert set(in_order(metrics, metric, "n")) == {1}
    for column in STATISTICS:
        assert metrics[column].null_count() == metrics.height, column
    for column in ("value", "sd", "lo95", "hi95"):
        assert similarity[column].null_count() == similarity.height > 0, column
    found = findings(project, "small")
    for predicate in ("seeds", "duplicates", "stability", "published_stability"):
        assert (found[predicate]["status"], found[predicate]["sentence"]) == (
            "INCONCLUSIVE",
            UNKNOWABLE,
        )

    html, markdown = report(project), (results(project) / "report" / "report.md").read_text()
    for text in (html, markdown.replace("\\", "")):
        assert "Seeds: none, the weights come without a seed axis." in text
        assert UNKNOWABLE in text
        assert "attention_batch_0002.npz" in text
        assert fault in text
        assert "could not be drawn" not in text
        assert str(folder) not in text
    figures = project.folder / "config" / "figure" / "weights_only.yaml"
    names = yaml.safe_load(figures.read_text())["show"]
    assert len(names) == 9
    for name in names:
        for suffix in ("png", "svg"):
            assert (results(project) / "figures" / f"{name}.{suffix}").stat().st_size > 0
    assert_disk_was_foretold(project, overrides)


AXES = ("query", "sample", "key", "head")


@pytest.fixture
def arrays(tmp_path):
    """Two seeds in two formats, axes in no usual order; and seed → (head, sample, query, key)."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "weights"
    folder.mkdir()
    usual = ("head", "sample", "query", "key")
    sharpness = np.array([1.0, 3.0])[:, None, None, None]
    rows = {
        seed: softmax(sharpness * rng.standard_normal((2, 6, 5, 12)), axis=-1).astype(np.float32)
        for seed in (7, 42)
    }
    as_stored = {
        seed: np.ascontiguousarray(r.transpose([usual.index(axis) for axis in AXES]))
        for seed, r in rows.items()
    }
    np.savez(folder / "seven.npz", weights=as_stored[7], steps=np.arange(12))
    save_file({"weights": as_stored[42], "steps": np.arange(12)}, folder / "other.safetensors")
    return folder, rows


def test_arrays_in_any_order_of_axes_are_compared_between_seeds(project, arrays):
    folder, stored = arrays
    (project.folder / "config" / "figure" / "narrow.yaml").write_text(NARROW)
    overrides = (
        f"data.path={folder} data.layout=arrays data.axes=[{','.join(AXES)}] data.array=weights "
        "+data.files.mine={7:seven.npz,42:other.safetensors} +models.mine.label=Imported "
        "figure=narrow"
    )
    done = project.snakemake(study="saved_weights", overrides=overrides)
    assert done.returncode == 0, done.stderr[-4000:]
    inventory = table(project, "inventory").select("model", "seed", "outcome", "items", "has_seeds")
    assert inventory.rows() == [("mine", 7, "ok", 6, True), ("mine", 42, "ok", 6, True)]

    rows = {seed: r.astype(np.float64) for seed, r in stored.items()}
    values, metrics = table(project, "metric_values"), table(project, "metrics")
    for metric, of_rows in OF_ROWS.items():
        expected = {seed: of_rows(r).mean(axis=(1, 2)) for seed, r in rows.items()}
        for seed, of_heads in expected.items():
            close(in_order(values.filter(pl.col("seed") == seed), metric, "value"), of_heads)
        seeds = np.stack(list(expected.values()))
        close(in_order(metrics, metric, "mean"), seeds.mean(axis=0))
        close(in_order(metrics, metric, "sd"), seeds.std(axis=0, ddof=1))

    centred = [r - 1 / 12 for r in rows.values()]
    units = [c / np.linalg.norm(c, axis=-1, keepdims=True) for c in centred]
    likeness = (units[0] * units[1]).sum(axis=-1).mean(axis=(1, 2))
    similarity = table(project, "similarity").filter(
        (pl.col("level") == "model") & (pl.col("measure") == "centred_cosine")
    )
    close(similarity.sort("head")["value"].to_numpy(), likeness)

    html = report(project)
    assert '<h3 id="model-mine">Imported</h3>' in html
    assert "Seeds: 7, 42." in html
    assert (results(project) / "figures" / "seed_similarity.png").stat().st_size > 0
    assert not (results(project) / "figures" / "summary.png").exists()
    only_what_changed_is_imported_again(project, folder, overrides)


def only_what_changed_is_imported_again(project, folder, overrides):
    """Model by model and seed by seed, in a finished study of arrays."""
    study = ["compare", "diagnose", "figure seed_similarity", "report", "verify"]
    end = ["list_weights saved_weights", *study]  # which reads the names and heads of all files

    def of(model, *seeds):
        runs = [f"{stage} {model} {s}" for s in seeds for stage in ("import_weights", "measure")]
        return [*runs, f"aggregate {model}"]

    assert plan(project, overrides) == []
    shutil.copy(folder / "seven.npz", folder / "third.npz")
    seed = overrides.replace("seven.npz,", "seven.npz,8:third.npz,")
    assert plan(project, seed) == sorted([*of("mine", 8), *end])
    model = f"{overrides} +data.files.new={{8:third.npz}} +models.new.label=New"
    assert plan(project, model) == sorted([*of("new", 8), *end])
    with np.load(folder / "seven.npz") as file:
        changed = dict(file)
    changed["weights"] = changed["weights"][..., ::-1]
    np.savez(folder / "seven.npz", **changed)
    assert plan(project, overrides) == sorted([*of("mine", 7), *end])
