"""A study that is killed again and again ends with the bytes of an undisturbed one."""

import shutil

import pytest
from killing import Disturber, assert_same_results

RESULTS = "results/tiny"


def finish(project, disturber, kills, capsys):
    """Disturb a study, run it to its end, and print what was killed."""
    disturber.disturb(kills)
    project.run()
    with capsys.disabled():
        print("", *disturber.log, sep="\n")
    assert len(disturber.log) == kills


def test_a_few_kills_cost_only_the_work_in_hand(project, finished, capsys):
    results = project.folder / RESULTS
    for part in ("runs/pool/seed-1", "aggregate", "figures", "report"):
        shutil.rmtree(results / part)
    finish(project, Disturber(project, seed=3), 3, capsys)
    assert_same_results(results, finished.folder / RESULTS)


@pytest.mark.slow
def test_forty_kills_over_a_study_change_no_byte(tmp_path, finished, capsys):
    project = finished.clone(tmp_path / "project")
    results = project.folder / RESULTS
    shutil.rmtree(results)
    shutil.rmtree(project.folder / ".snakemake")

    def again():
        assert_same_results(results, finished.folder / RESULTS)
        shutil.rmtree(results)

    finish(project, Disturber(project, seed=1, whole=again), 40, capsys)
    assert_same_results(results, finished.folder / RESULTS)
    assert project.plan() == []
