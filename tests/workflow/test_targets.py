"""Single files as targets: what they need is judged as ever, and nothing else is looked at."""

from pathlib import Path

import pytest
from project import planned_jobs

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
