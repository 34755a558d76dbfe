"""A controller that is killed: no second one while its jobs live, then only what is missing."""

from tests.slurm.controller import results

LONG = "training.epochs=20000"
"""A job that is to be cancelled must not end first."""


def test_after_sigkill_jobs_end_by_themselves_and_a_resume_runs_the_rest(
    controlled, cluster, undisturbed
):
    controller = controlled(cluster)
    first = controller.start()
    controller.until(controller.running, seconds=120)

    code, said = controller.start().end(seconds=90)
    assert code != 0
    assert "attnpipe: study 'tiny' is being run by process " in said
    assert "Ctrl-C" in said

    first.kill()
    submitted = [job.id for job in controller.accounting()]
    code, said = controller.start().end(seconds=90)
    assert code != 0
    (sentence,) = [line for line in said.splitlines() if line.startswith("attnpipe:")]
    assert "Traceback" not in said
    assert "that an earlier controller submitted are still in the queue" in sentence
    (name,) = {job.name for job in controller.accounting()}
    assert f"`scancel --name={name}`" in sentence
    assert f"`squeue --name={name}`" in sentence
    assert [job.id for job in controller.accounting()] == submitted

    controller.until(lambda: not controller.queued(), seconds=240)
    unlocked = controller.project.snakemake("--unlock")
    assert unlocked.returncode == 0, unlocked.stderr
    controller.run()
    again = [job for job in controller.accounting() if job.id not in submitted]
    assert [job.what for job in again if job.what.startswith("rule_run")] == []
    found = results(controller.project.folder / "results" / "tiny")
    wanted = results(undisturbed)
    assert {n for n in wanted if found.get(n) != wanted[n]} == set()


def test_cancelled_as_the_sentence_says_all_runs_again(controlled, cluster):
    controller = controlled(cluster)
    target = "results/tiny/runs/mlp/seed-1/outcome.json"
    first = controller.start(target, overrides=LONG)
    controller.until(controller.running, seconds=120)
    first.kill()
    _, said = controller.start(target).end(seconds=90)
    name = said.partition("`scancel --name=")[2].partition("`")[0]
    cluster.ask("scancel", f"--name={name}")
    controller.until(lambda: not controller.queued())
    assert controller.project.snakemake("--unlock").returncode == 0
    controller.run(target)
    states = [job.state for job in controller.accounting()]
    assert states == ["CANCELLED", "COMPLETED"]


def test_ctrl_c_cancels_its_jobs(controlled, cluster):
    controller = controlled(cluster)
    target = "results/tiny/runs/mlp/seed-1/outcome.json"
    running = controller.start(target, overrides=LONG)
    controller.until(controller.running, seconds=120)
    running.interrupt()
    code, said = running.end(seconds=120)
    assert code != 0
    assert "Traceback" not in said
    controller.until(lambda: not controller.queued())
    assert [job.state for job in controller.accounting()] == ["CANCELLED"]
    assert list(controller.project.folder.glob(".snakemake/locks/*")) == []
