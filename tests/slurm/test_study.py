"""A study on both nodes, edited while it runs: the results are those of one machine."""

import json

import polars as pl
import pytest
from tests.slurm.controller import HOSTILE, SHOWN, Controller, results
from tests.workflow.project import Project

SITE = ("--default-resources", "slurm_account=lab", "slurm_partition=main")
CHOICE = "resources.train.gpu=1 resources.measure.mem_mb=1700"


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A finished study, and what `scontrol` said of a running job of it.

    Each node has one GPU and each run asks for one, so that both nodes are needed.
    """
    folder = tmp_path_factory.mktemp("study") / "project"
    with Controller(Project.create(folder), cluster) as controller:
        running = controller.start(*SITE, overrides=CHOICE)
        (job, *_) = controller.until(controller.running, seconds=120)
        told = cluster.ask("scontrol", "show", "job", str(job))
        # runs wait for a GPU now, and nothing that comes later has read any config
        controller.project.edit("config/study/tiny.yaml", "epochs: 2", "epochs: 3")
        controller.project.edit("config/study/tiny.yaml", "hidden: 4", "hidden: 5")
        controller.project.edit("config/figure/two.yaml", "forest", "no_such_figure")
        code, said = running.end()
        assert code == 0, said[-6000:]
        yield controller, told


def test_accounting_shows_one_job_per_run_on_both_nodes(finished, record_property):
    controller, _ = finished
    jobs = controller.accounting()
    for job in jobs:
        record_property(SHOWN, f"{job.id} {job.state} {job.node} {job.resources} {job.what}")
    assert {job.state for job in jobs} == {"COMPLETED"}
    runs = [job for job in jobs if job.what.startswith("rule_run")]
    assert len(runs) == 6
    assert {job.node for job in runs} == {"node1", "node2"}
    chains = [job for job in runs if job.what == "rule_run_extract_intervene_measure_train"]
    assert len(chains) == 2
    # models are packed, all of the study is one job
    assert [job.what for job in jobs if job not in runs] == [
        "rule_model_aggregate", "rule_study_compare_contrast_diagnose_effects_figure_...",
    ]  # fmt: skip


def test_requests_are_those_of_the_table(finished):
    controller, told = finished
    assert "TresPerJob=gres:gpu:1" in told
    assert "Requeue=0" in told
    assert {job.account for job in controller.accounting()} == {"lab"}
    chain, alone = (
        [job for job in controller.accounting() if job.what == f"rule_run_{what}"]
        for what in ("extract_intervene_measure_train", "train")
    )
    # the largest memory, the sum of the times, never wider than the profile's `cores`
    assert {job.resources for job in chain} == {"billing=1,cpu=1,gres/gpu=1,mem=1700M,node=1"}
    assert {job.minutes for job in chain} == {60 + 20 + 30 + 10}
    assert {job.resources for job in alone} == {"billing=1,cpu=1,gres/gpu=1,mem=1500M,node=1"}
    assert {job.minutes for job in alone} == {60}


def test_what_was_edited_meanwhile_reached_no_job(finished):
    controller, _ = finished
    folder = controller.project.folder / "results" / "tiny"
    for seal in folder.rglob(".train.seal.json"):
        param = controller.sealed(str(seal.relative_to(folder)))
        assert param["training"]["epochs"] == 2
    for history in folder.rglob("runs/*/*/history.parquet"):
        assert pl.read_parquet(history)["epoch"].max() == 2
    record = json.loads((folder / "config.json").read_text())["config"]
    assert record["training"]["epochs"] == 2
    assert "forest" in record["figure"]["show"]


def test_a_title_that_a_shell_would_take_for_its_own_is_kept_as_it_is(finished):
    controller, _ = finished
    folder = controller.project.folder
    record = json.loads((folder / "results" / "tiny" / "config.json").read_text())["config"]
    assert record["title"] == HOSTILE
    assert list(folder.glob("ran*")) == []


def test_results_are_those_of_one_machine(finished, undisturbed):
    # last: meanwhile others have made what it compares with
    controller, _ = finished
    found, wanted = results(controller.project.folder / "results" / "tiny"), results(undisturbed)
    assert found.keys() == wanted.keys()
    assert len(wanted) > 40
    assert [name for name in wanted if found[name] != wanted[name]] == []
