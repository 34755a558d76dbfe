"""A study of many runs is planned with few operations per job, whatever their number."""

import pytest
from tests.pipeline.test_params import CONFIG

from attnpipe.io.seal import Inputs, write_seal
from attnpipe.pipeline import plan as of_plan
from attnpipe.pipeline import staleness
from attnpipe.pipeline.checked import Checked
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.plan import Plan
from attnpipe.pipeline.staleness import forced_outputs
from attnpipe.pipeline.versions import FINDINGS

VERSIONS = dict.fromkeys(FINDINGS, "0")
STUDY = "name=many training.epochs=1 seeds=[{seeds}]"


class Counter:
    """Counts the calls of a function that it replaces."""

    def __init__(self, monkeypatch, module, name):
        self.calls = 0
        self._function = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self._function(*args, **kwargs)


def fingerprint(script, members=()):
    return "0"


def plan_of(seeds: int) -> Plan:
    given = STUDY.format(seeds=",".join(map(str, range(seeds))))
    return Plan(
        load_study(CONFIG, {"study": "geomagnetic", "overrides": given}), fingerprint, VERSIONS
    )


def finish(plan, root):
    """Write and seal outputs of all jobs, as if they had run."""
    for job in plan.jobs():
        for name in job.outputs:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        written = [root / name for name in job.outputs]
        write_seal(job.seal, job.stage, job.param, written, Inputs.of([]))


def test_what_code_a_job_runs_is_looked_up_once_per_model_not_per_run(monkeypatch):
    looked_up = Counter(monkeypatch, of_plan, "members")
    counts = []
    for seeds in (2, 20):
        looked_up.calls = 0
        plan = plan_of(seeds)
        params = {job.param for job in plan.jobs()}
        assert len(params) > seeds
        plan.fingerprints()
        counts.append(looked_up.calls)
    assert counts[0] == counts[1]


def test_each_run_costs_a_bounded_number_of_reads(monkeypatch, tmp_path):
    seals = Counter(monkeypatch, staleness, "read_seal")
    checked = Checked()
    files = Counter(monkeypatch, checked, "is_intact")
    for seeds in (2, 12):
        root = tmp_path / str(seeds)
        plan = plan_of(seeds)
        finish(plan, root)
        jobs = list(plan.jobs())
        seals.calls = files.calls = 0
        forced_outputs(jobs, root, checked)
        assert seals.calls == len(jobs)
        assert files.calls == sum(len(job.outputs) for job in jobs)


def test_files_of_one_run_need_its_own_jobs_alone():
    plan = plan_of(3)
    model = "lstm_medium_additive"
    (wanted,) = plan.out("measure", model=model, seed=1).values()
    found = [(job.stage, dict(job.wildcards)) for job in plan.jobs_for([wanted])]
    run = {"model": model, "seed": "1"}
    data = {"dataset": plan.study.spec.data.name}
    assert sorted(found, key=str) == sorted(
        [("prepare_data", data), ("train", run), ("extract", run), ("measure", run)], key=str
    )


def test_the_report_needs_all_jobs_but_the_last_check():
    plan = plan_of(2)
    found = {
        (job.stage, *job.wildcards.values())
        for job in plan.jobs_for(["results/many/report/report.md"])
    }
    every = {(job.stage, *job.wildcards.values()) for job in plan.jobs()}
    assert every - found == {("verify",)}
    assert found <= every


@pytest.mark.parametrize(
    "name", ["elsewhere.csv", "results/many/runs/lstm_small/seed-9/history.parquet",
             "results/many/runs/unknown/seed-1/history.parquet", "results/other/report/report.md"]
)  # fmt: skip
def test_what_no_job_makes_needs_none(name):
    assert list(plan_of(2).jobs_for([name])) == []
