"""Each edit to a finished study re-runs exactly what depends on it: no more, no less."""

import json
import os
import random
import shutil
import subprocess

import pytest
from benchmarks.scaling.copied import PARTS
from project import series

END = ["report", "verify"]
FIGURES = ["figure entropy", "figure epoch_heatmaps", "figure forest"]
STUDY = ["compare", "contrast", "effects", "diagnose", *FIGURES, *END]
EVERYTHING = [
    "prepare_data csv",
    "train mlp 1", "train mlp 2", "train base 1", "train base 2", "train pool 1", "train pool 2",
    "extract pool 1", "extract pool 2", "intervene pool 1", "intervene pool 2",
    "measure pool 1", "measure pool 2",
    "aggregate mlp", "aggregate base", "aggregate pool",
    *STUDY,
]  # fmt: skip
POOL_TRAINED = [
    "train pool 1", "train pool 2", "extract pool 1", "extract pool 2",
    "intervene pool 1", "intervene pool 2",
]  # fmt: skip
POOL_MEASURED = ["measure pool 1", "measure pool 2", "aggregate pool"]
L0 = "shuffled_labels-d435ee66"
AFTER_MEASURE = ["compare", "diagnose", *FIGURES, *END]

# Overrides on the command line → the jobs of the next run.
OVERRIDES = {
    "models.pool.hidden=6": [
        *POOL_TRAINED, *POOL_MEASURED, *STUDY,
    ],
    "models.pool.attention.size=4": [
        *POOL_TRAINED, *POOL_MEASURED, *STUDY,
    ],
    "resources.train.mem_mb=2000": [],
    "models.pool.label=Pooling": [*FIGURES, "diagnose", *END],
    "analysis.metrics.peak_tolerance=0.01": [*POOL_MEASURED, *AFTER_MEASURE],
    "analysis.capture.max_megabytes=0.01": [
        "extract pool 1", "extract pool 2", *POOL_MEASURED, *AFTER_MEASURE,
    ],
    "figure.show.entropy.color='#123456'": ["figure entropy", *END],
    "figure.representative_seed=2": ["figure epoch_heatmaps", *END],
    "analysis.contrast.delta=0.05": ["contrast", "effects", "diagnose", "figure forest", *END],
    "intervention.window=3": [
        "intervene pool 1", "intervene pool 2", "effects", "diagnose", *END,
    ],
    "intervention.finetune=0.5": [
        "intervene pool 1", "intervene pool 2", "effects", "diagnose", *END,
    ],
    "models.pool.arms=[none]": ["effects", "diagnose", *END],  # the baseline is that arm
    "models.pool.arms=[none,uniform]": [
        "train uniform-3cf19730 1", "train uniform-3cf19730 2",
        "aggregate uniform-3cf19730", *STUDY,
    ],
    "models.pool.arms=[shuffled_labels]": [
        f"train {L0} 1", f"train {L0} 2", f"extract {L0} 1", f"extract {L0} 2",
        f"measure {L0} 1", f"measure {L0} 2", f"aggregate {L0}", *STUDY,
    ],
    "analysis.capture.shuffled_inputs=false": [
        "extract pool 1", "extract pool 2", *POOL_MEASURED, *AFTER_MEASURE,
    ],
    "title='Another title'": ["diagnose", *END],
    "seeds=[1,2,3]": [
        "train mlp 3", "train base 3", "train pool 3",
        "extract pool 3", "measure pool 3", "intervene pool 3",
        "aggregate mlp", "aggregate base", "aggregate pool", *STUDY,
    ],
    "seeds=[2,1]": ["diagnose", *END],  # only the config that they show
    "seeds=[1]": ["aggregate mlp", "aggregate base", "aggregate pool", *STUDY],
    "+model@models.extra=mlp_last models.extra.hidden=[3] models.extra.label=extra": [
        "train extra 1", "train extra 2", "aggregate extra", *STUDY,
    ],
    "~models.mlp": STUDY,
    "~models.mlp +model@models.mlp2=mlp_last models.mlp2.hidden=[4] models.mlp2.label=mlp2": [
        "train mlp2 1", "train mlp2 2", "aggregate mlp2", *STUDY,
    ],
    "training.optimizer=adamw": [job for job in EVERYTHING if job != "prepare_data csv"],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("overrides", OVERRIDES)
def test_override(finished, overrides):
    """A dry run writes nothing, so that all cases share the finished study."""
    assert finished.plan(overrides) == sorted(OVERRIDES[overrides])


def rewrite_yaml(project):
    path = "config/study/tiny.yaml"
    project.edit(path, "window: 12\n  lead: 2", "lead: 2  # two steps\n  window: 12")
    project.edit(path, "name: tiny", "# a comment\n\nname:   tiny")


def reorder_models(project):
    path = "config/study/tiny.yaml"
    first, second = "  - /model@models.mlp: mlp_last\n", "  - /model@models.base: lstm_small\n"
    project.edit(path, first + second, second + first)


def fake_version(library, package):
    def change(project):
        info = project.folder / "fake" / f"{library.replace('-', '_')}-0.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 0.0\n")
        (info / "top_level.txt").write_text(f"{package}\n")
        project.extra_path.append(str(info.parent))

    return change


def fake_python_version(project):
    folder = project.folder / "fake"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import platform\nplatform.python_version = lambda: '3.99.0'\n"
    )
    project.extra_path.append(str(folder))


def touch_everything(project):
    paths = [p for p in project.folder.rglob("*") if p.is_file() and ".snakemake" not in p.parts]
    random.Random(0).shuffle(paths)
    for path in paths:
        os.utime(path)


def clone_source_anew(project):
    for part in PARTS:
        kept, copy = project.folder / part, project.folder / "copy"
        if kept.is_dir():
            shutil.copytree(kept, copy, copy_function=shutil.copyfile)
            shutil.rmtree(kept)
        else:
            shutil.copyfile(kept, copy)
        copy.replace(kept)


def corrupt(project):
    path = project.folder / "results/tiny/runs/pool/seed-1/metrics.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def replace_input(project):
    path = project.folder / "series.csv"
    path.write_text(path.read_text().replace("0.1", "0.2"))


def delete(name):
    return lambda project: (project.folder / "results/tiny" / name).unlink()


def edit(*change):
    return lambda project: project.edit(*change)


def add_unused_module(project):
    (project.folder / "src/attnpipe/metrics/unused.py").write_text("X = 1\n")


def forget_notes(project):
    """Remove Snakemake's own metadata and change a model: only the seals know."""
    shutil.rmtree(project.folder / ".snakemake")
    project.edit("config/study/tiny.yaml", "pool: {hidden: 4,", "pool: {hidden: 6,")


POOL_1 = ["measure pool 1", "aggregate pool", *AFTER_MEASURE]
LSTM_RUNS = [
    "train base 1", "train base 2", "train pool 1", "train pool 2",
    "extract pool 1", "extract pool 2", "intervene pool 1", "intervene pool 2",
    *POOL_MEASURED, "aggregate base", *STUDY,
]  # fmt: skip

# Edit → the jobs of the next run.
EDITS = {
    "key order and comments in YAML": (rewrite_yaml, []),
    "a docstring": (edit("src/attnpipe/models/lstm.py", '"""', '"""Changed. '), []),
    "a docstring in the metrics": (edit("src/attnpipe/metrics/recency.py", '"""', '"""Ch. '), []),
    "a comment in a script": (
        edit("workflow/scripts/train.py", "with job", "# a comment\nwith job"),
        [],
    ),
    "a real change in a script": (
        edit("workflow/scripts/measure.py", "with job", "VERSION = 2\nwith job"),
        [*POOL_MEASURED, *AFTER_MEASURE],
    ),
    "a helper deep in the metrics": (
        edit("src/attnpipe/metrics/recency.py", "\n\n\ndef ", "\n\nCHANGED = 1\n\n\ndef "),
        [*POOL_MEASURED, *AFTER_MEASURE],
    ),
    "one figure module": (
        edit("src/attnpipe/figures/forest.py", "\n\n\ndef ", "\n\nCHANGED = 1\n\n\ndef "),
        ["figure forest", *END],
    ),
    "the report template": (
        edit("src/attnpipe/report/templates/index.html.j2", "<body>", "<body><!-- new -->"),
        END,
    ),
    "models/mlp.py": (
        edit("src/attnpipe/models/mlp.py", "\n\n\nclass ", "\n\nCHANGED = 1\n\n\nclass "),
        ["train mlp 1", "train mlp 2", "aggregate mlp", *STUDY],
    ),
    "models/lstm.py": (
        edit("src/attnpipe/models/lstm.py", "\n\n\nclass ", "\n\nCHANGED = 1\n\n\nclass "),
        LSTM_RUNS,
    ),
    "the optimiser's module": (
        edit("src/attnpipe/training/adam.py", "\n\n\ndef ", "\n\nCHANGED = 1\n\n\ndef "),
        [job for job in EVERYTHING if job != "prepare_data csv"],
    ),
    "another optimiser's module": (
        edit("src/attnpipe/training/adamw.py", "\n\n\ndef ", "\n\nCHANGED = 1\n\n\ndef "),
        [],
    ),
    "a new unused module": (add_unused_module, []),
    "the order of models": (reorder_models, STUDY),
    "a library's version": (fake_version("matplotlib", "matplotlib"), [*FIGURES, *END]),
    "torch's version": (
        fake_version("torch", "torch"),
        [job for job in EVERYTHING if job != "prepare_data csv"],
    ),
    "a version that the report alone shows": (fake_version("hydra-core", "hydra"), END),
    "Python's version": (fake_python_version, EVERYTHING),
    "all files touched": (touch_everything, []),
    "a fresh clone with new times": (clone_source_anew, []),
    "a result deleted": (delete("runs/pool/seed-1/metrics.parquet"), POOL_1),
    "a final result deleted": (delete("report/index.html"), END),
    "a result corrupted": (corrupt, POOL_1),
    "an input file replaced": (replace_input, EVERYTHING),
    "Snakemake's notes lost and a model changed": (
        forget_notes,
        OVERRIDES["models.pool.hidden=6"],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit(project, name):
    change, expected = EDITS[name]
    change(project)
    assert project.plan() == sorted(expected)


def test_the_record_is_that_of_the_results_whatever_was_tried_meanwhile(project):
    record = project.folder / "results" / "tiny" / "config.json"

    def seeds():
        return json.loads(record.read_text())["config"]["seeds"]

    project.run("--until", "train", overrides="seeds=[1,2,3]")
    assert seeds() == [1, 2, 3]
    assert project.plan() == END
    described = project.describe("study=tiny").stdout
    assert "config.json holds another config" in described
    project.run()
    assert seeds() == [1, 2]
    assert project.plan() == []
    record.unlink()
    assert project.plan() == END


def test_an_interrupted_chain_goes_on_where_it_stopped(project):
    overrides = "models.pool.hidden=6"
    project.run("--until", "train", overrides=overrides)
    rest = [job for job in OVERRIDES[overrides] if not job.startswith("train")]
    assert project.plan(overrides) == sorted(rest)
    project.run(overrides=overrides)
    assert project.plan(overrides) == []


def test_a_killed_controller_needs_no_manual_step_but_unlock(project):
    overrides = "models.mlp.hidden=[6]"
    command = project.command(overrides=overrides)
    with subprocess.Popen(
        command, cwd=project.folder, env=project.environment(), stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr:
            if "rule train" in line:
                running.kill()
                break
    project.snakemake("--unlock", overrides=overrides)
    project.run(overrides=overrides)
    assert project.plan(overrides) == []


def test_damage_is_mended_and_the_study_is_whole_again(project):
    path = project.folder / "results/tiny/runs/pool/seed-1/metrics.parquet"
    before = path.read_bytes()
    corrupt(project)
    project.run()
    assert path.read_bytes() == before
    assert project.plan() == []


FOLDER = "name=folder data.path=tables data.unit_hours=null ~models.base ~models.pool seeds=[1]"
OF_FOLDER = ["prepare_data csv", "train mlp 1", "aggregate mlp", *STUDY]


@pytest.fixture(scope="module")
def with_folder(finished, tmp_path_factory):
    """A finished study whose data are a folder of tables."""
    project = finished.clone(tmp_path_factory.mktemp("folder") / "project")
    header, *rows = series(2000).splitlines()
    (project.folder / "tables").mkdir()
    for number in range(10):
        part = [header, *rows[200 * number : 200 * (number + 1)]]
        (project.folder / "tables" / f"{number}.csv").write_text("\n".join(part) + "\n")
    project.run(overrides=FOLDER)
    return project


def test_a_folder_of_tables_counts_with_every_file(with_folder):
    tables = with_folder.folder / "tables"
    path = tables / "3.csv"
    content = path.read_text()
    assert with_folder.plan(FOLDER) == []
    os.utime(path)
    assert with_folder.plan(FOLDER) == []
    path.write_text(content.replace("0.1", "0.2"))
    assert with_folder.plan(FOLDER) == sorted(OF_FOLDER)
    path.unlink()
    assert with_folder.plan(FOLDER) == sorted(OF_FOLDER)
    path.write_text(content)
    assert with_folder.plan(FOLDER) == []
    (tables / "more.csv").write_text(content)
    assert with_folder.plan(FOLDER) == sorted(OF_FOLDER)
