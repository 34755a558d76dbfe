"""Jobs that fail, take too much, or are cancelled by others: each is tried again, none is lost."""

import pytest
from tests.slurm.controller import Controller
from tests.workflow.project import Project

# What happens at each seed; each attempt leaves its job's id.
FAULTS = """
    import os, time
    from pathlib import Path
    attempts = Path(f"attempts-{seed}")
    first = not attempts.exists()
    with attempts.open("a") as file:
        print(os.environ["SLURM_JOB_ID"], file=file)
    if seed == 1 and first:
        raise RuntimeError("an accident")
    if seed == 2:  # in every attempt: more than the first asked for, less than the second
        ballast = bytearray(b"x") * 700_000_000
        time.sleep(5)
    if seed in (3, 4) and first:
        time.sleep(600)
"""
# The last step of a chain at seed 5.
FAULT_AT_THE_END = """
    from pathlib import Path
    if ctx.spec["seed"] == 5 and not Path("interventions-tried").exists():
        Path("interventions-tried").touch()
        raise RuntimeError("an accident at the end")
"""
BEGIN = "with job(snakemake) as ctx:\n"
LINE = '    model, seed = ctx.spec["model"], ctx.spec["seed"]\n'
ASKED = "seeds=[1,2,3,4,5] resources.train.mem_mb=900"


CHAIN = "results/tiny/runs/pool/seed-5/interventions.parquet"


def target(study, seed):
    return f"results/{study}/runs/mlp/seed-{seed}/outcome.json"


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A study with three faults, one beside it whose jobs have a minute, and what both said."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    with Controller(Project.create(folder), cluster) as controller:
        controller.project.edit("workflow/scripts/train.py", LINE, LINE + FAULTS)
        controller.project.edit("workflow/scripts/intervene.py", BEGIN, BEGIN + FAULT_AT_THE_END)
        late = controller.start(
            target("late", 3), overrides=f"{ASKED} name=late resources.train.runtime=1"
        )
        targets = [CHAIN, *(target("tiny", seed) for seed in (1, 2, 4))]
        others = controller.start(*targets, overrides=ASKED)
        waiting = controller.until(lambda: attempts(controller, 4), seconds=180)
        cluster.ask("scancel", waiting[0])
        yield controller, others.end(), late.end()


def attempts(controller, seed):
    """Return the job ids of the attempts at a seed."""
    file = controller.project.folder / f"attempts-{seed}"
    return file.read_text().split() if file.exists() else []


def told(controller, study, seed):
    """Return the accounting's rows of the attempts at a seed."""
    ids = {int(i) for i in attempts(controller, seed)}
    return [job for job in controller.accounting(study) if job.id in ids]


def test_all_succeed_in_the_end(finished):
    controller, others, late = finished
    assert (others[0], late[0]) == (0, 0), others[1][-3000:] + late[1][-3000:]
    for study, seed in (("tiny", 1), ("tiny", 2), ("tiny", 4), ("late", 3)):
        assert (controller.project.folder / target(study, seed)).exists()


def test_a_failing_job_is_tried_again_and_its_error_is_kept(finished):
    controller, (_, said), _ = finished
    first, second = told(controller, "tiny", 1)
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    assert "an accident" in said
    logs = (controller.project.folder / ".snakemake" / "slurm_logs").rglob(f"{first.id}.log")
    assert "an accident" in next(logs).read_text()


def test_over_memory_the_next_attempt_has_twice_as_much(finished):
    controller, _, _ = finished
    first, second = told(controller, "tiny", 2)
    assert first.state in ("FAILED", "OUT_OF_MEMORY")
    assert second.state == "COMPLETED"
    assert ("mem=900M" in first.resources, "mem=1800M" in second.resources) == (True, True)


def test_over_time_the_next_attempt_has_twice_as_long(finished):
    controller, _, _ = finished
    first, second = told(controller, "late", 3)
    assert (first.state, second.state) == ("TIMEOUT", "COMPLETED")
    assert (first.minutes, second.minutes) == (1, 2)


def test_a_job_cancelled_from_outside_is_tried_again(finished):
    controller, _, _ = finished
    first, second = told(controller, "tiny", 4)
    assert (first.state, second.state) == ("CANCELLED", "COMPLETED")


def test_a_chain_that_fails_at_its_end_is_not_trained_again(finished):
    controller, (_, said), _ = finished
    assert "an accident at the end" in said
    chain = [job for job in controller.accounting() if "intervene" in job.what]
    assert [job.state for job in chain] == ["FAILED", "COMPLETED"]
    assert attempts(controller, 5) == [str(chain[0].id)]
    assert (controller.project.folder / CHAIN).exists()
