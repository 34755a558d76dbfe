"""A run that is killed each time leaves nothing to aggregate, and can be left out."""

import polars as pl
from project import planned_jobs

KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
LINE = "        super().__init__()\n"


def trainings(jobs):
    """Return those of some jobs that repeat a run or a part of it."""
    return [job for job in jobs if job.split()[0] in ("train", "extract", "intervene", "measure")]


def test_a_run_that_is_killed_each_time_is_left_out_by_its_model_or_its_seed(project):
    report = project.folder / "results" / "tiny" / "report" / "index.html"
    before = report.read_bytes()
    project.edit("src/attnpipe/models/mlp.py", LINE, f"{LINE}        {KILLED}\n")
    done = project.snakemake()
    assert done.returncode != 0
    assert "Error in rule train" in done.stderr
    assert report.read_bytes() == before

    # seed 1 of this model would be killed, too: only the plan is looked at
    assert trainings(project.plan("seeds=[1]")) == ["train mlp 1"]
    done = planned_jobs(project.run(overrides="~models.mlp"))
    assert ("report" in done, trainings(done)) == (True, [])
    inventory = pl.read_csv(report.parents[1] / "aggregate" / "inventory.csv")
    assert {*inventory.select("model", "outcome").rows()} == {("base", "ok"), ("pool", "ok")}
    assert "~models.mlp" in report.read_text()
