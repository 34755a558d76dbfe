"""Single files as targets: what they need is judged as ever, and nothing else is looked at."""

from pathlib import Path

import pytest
from project import Project, planned_jobs

WANTED = "results/tiny/runs/pool/seed-1/metrics.parquet"


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    return finished.clone(tmp_path_factory.mktemp("targets") / "project")


def plan(project, *targets):
    done = project.snakemake("--dry-run", *targets)
    assert done.returncode == 0, done.stderr[-4000:]
    return planned_jobs(done.stdout + done.stderr)


def damage(path: Path) -> bytes:
    """Change a byte of a file; return what it held."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return content


def test_a_damaged_file_before_the_target_is_made_again(project):
    path = project.folder / "results/tiny/runs/pool/seed-1/checkpoints.safetensors"
    content = damage(path)
    assert plan(project, WANTED) == ["extract pool 1", "measure pool 1", "train pool 1"]
    path.write_bytes(content)
    assert plan(project, WANTED) == []


def test_a_damaged_file_of_another_run_is_left_to_who_asks_for_it(project):
    path = project.folder / "results/tiny/runs/pool/seed-2/checkpoints.safetensors"
    content = damage(path)
    assert plan(project, WANTED) == []
    assert "train pool 2" in plan(project)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Project.create(tmp_path_factory.mktemp("fresh") / "project")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("figures/entrpy.png", "it has no figure 'entrpy' there: did you mean 'entropy'?"),
        ("report/indx.html", "did you mean 'results/tiny/report/index.html'?"),
        ("zzz/q", "docs/results.md lists all files"),
        ("figures/nope.png", "no figure 'nope' there: known: entropy, epoch_heatmaps, forest"),
        ("runs/pool/seed-9/metrics.parquet", "it has no seed '9' there: known: 1, 2"),
        ("runs/mlp/seed-1/metrics.parquet", "it has no model 'mlp' there: known: pool"),
    ],
)
def test_a_file_that_no_job_makes_is_refused_in_one_sentence(fresh, target, says):
    done = fresh.snakemake("--dry-run", f"results/tiny/{target}")
    assert done.returncode != 0
    sentences = [line for line in done.stderr.splitlines() if line.startswith("attnpipe: ")]
    assert len(sentences) == 1
    assert f"no job of study 'tiny' makes 'results/tiny/{target}'; " in sentences[0]
    assert says in sentences[0]
    assert "Traceback" not in done.stderr
