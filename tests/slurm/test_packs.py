"""Runs that share a job, one of which fails in every attempt."""

from pathlib import Path

import pytest
from tests.slurm.controller import Controller
from tests.workflow.project import Project

# Each attempt leaves its job's id. Seed 2 fails once, seed 3 until it is mended.
FAULTS = """
    import os
    from pathlib import Path
    attempts = Path(f"attempts-{seed}")
    first = not attempts.exists()
    with attempts.open("a") as file:
        print(os.environ["SLURM_JOB_ID"], file=file)
    if seed == 2 and first or seed == 3 and not Path("mended").exists():
        raise RuntimeError(f"an accident at seed {seed}")
"""
LINE = '    model, seed = ctx.spec["model"], ctx.spec["seed"]\n'
SEEDS = (1, 2, 3)
TARGETS = [f"results/tiny/runs/mlp/seed-{seed}/outcome.json" for seed in SEEDS]
PACKED = ("--group-components", "run=3")
ASKED = "seeds=[1,2,3] resources.train.mem_mb=900 resources.train.runtime=3"


@pytest.fixture(scope="module")
def failed(cluster, tmp_path_factory):
    """The controller of a pack that has failed three times, and what that said."""
    folder = tmp_path_factory.mktemp("packs") / "project"
    with Controller(Project.create(folder), cluster) as controller:
        controller.project.edit("workflow/scripts/train.py", LINE, LINE + FAULTS)
        yield controller, controller.start(*TARGETS, *PACKED, overrides=ASKED).end()


def attempts(controller):
    """Return the job ids of the attempts at each seed."""
    return [(controller.project.folder / f"attempts-{s}").read_text().split() for s in SEEDS]


def test_a_pack_is_one_job_that_asks_for_more_with_each_attempt(failed):
    controller, (code, said) = failed
    assert code != 0
    assert "an accident at seed 3" in said
    jobs = controller.accounting()
    assert [job.state for job in jobs] == ["FAILED"] * 3
    # its members take turns: the largest memory, the sum of the times
    assert [f"mem={900 * n}M" in job.resources for n, job in enumerate(jobs, 1)] == [True] * 3
    assert [job.minutes for job in jobs] == [3 * 3 * n for n in (1, 2, 3)]


def test_members_that_are_finished_are_not_repeated_and_the_others_not_held_up(failed):
    controller, _ = failed
    first, second, third = (str(job.id) for job in controller.accounting())
    assert attempts(controller) == [[first], [first, second], [first, second, third]]
    exist = [Path(controller.project.folder / target).exists() for target in TARGETS]
    assert exist == [True, True, False]


def test_the_same_command_goes_on_with_what_is_missing(failed):
    controller, _ = failed
    before = attempts(controller)
    (controller.project.folder / "mended").touch()
    controller.run(*TARGETS, *PACKED, overrides=ASKED)
    *_, last = controller.accounting()
    assert last.state == "COMPLETED"
    before[2].append(str(last.id))
    assert attempts(controller) == before
