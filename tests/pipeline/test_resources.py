"""What jobs ask a cluster for: one table, changed key by key, no part of results."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.resources import GroupResources, Resources

from attnpipe.core.errors import UserError
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.frozen import freeze, is_recorded, open_plan
from attnpipe.pipeline.paths import LOCAL, OUTPUTS

ROOT = Path(__file__).parents[2]


def test_a_value_of_one_rule_is_changed_and_all_others_stay():
    asked = "resources.train.mem_mb=9000 resources.train.gpu=2"
    changed = load_study(ROOT / "config", {"overrides": asked}).spec.resources
    table = load_study(ROOT / "config", {}).spec.resources
    assert (changed["train"].mem_mb, changed["train"].gpu) == (9000, 2)
    assert changed["train"].runtime == table["train"].runtime
    assert {rule for rule in table if changed[rule] != table[rule]} == {"train"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("resources.trian.mem_mb=900", "unknown key 'trian' in 'resources': .*'train'"),
        (
            "+resources.prepare_data={mem_mb: 900, runtime: 9}",
            "no rule 'prepare_data'",
        ),
        ("~resources.train", r"resources\.train is missing"),
        ("resources.train.mem_mb=100", r"'resources\.train\.mem_mb' is 100: .* 600"),
        ("resources.train.gpu=-1", r"'resources\.train\.gpu' is -1"),
        ("+resources.train.memory=9", r"unknown key 'resources\.train\.memory'"),
    ],
)
def test_a_wrong_entry_is_named(override, message):
    with pytest.raises(UserError, match=message):
        load_study(ROOT / "config", {"overrides": override})


@pytest.mark.parametrize("study", ["geomagnetic", "prompts", "induction"])
def test_no_job_depends_on_it(study):
    config = {"study": study, "overrides": "name=mine"}
    plan = open_plan(ROOT, config, main=True)
    asked = config["overrides"] + " resources.report.runtime=999 resources.train.mem_mb=9000"
    assert list(open_plan(ROOT, config | {"overrides": asked}, main=True).jobs()) == list(
        plan.jobs()
    )


def test_the_record_of_results_does_not_depend_on_it(tmp_path):
    config = {"overrides": "name=mine"}
    plan = open_plan(ROOT, config, main=True)
    freeze(plan, tmp_path)
    assert is_recorded(plan, tmp_path)
    for more, same in (("resources.train.gpu=1", True), ("training.epochs=3", False)):
        other = open_plan(ROOT, {"overrides": f"name=mine {more}"}, main=True)
        assert is_recorded(other, tmp_path) is same


def test_every_rule_that_is_submitted_belongs_to_a_group_and_asks():
    text = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules = {part.partition(":")[0]: part for part in text.split("rule ")[1:]}
    assert rules.keys() >= OUTPUTS.keys()
    for stage in OUTPUTS:
        if stage in LOCAL:
            assert "localrule: True" in rules[stage]
        else:
            assert f'**asked("{stage}")' in rules[stage]
            assert f'plan.resources("{stage}").threads' in rules[stage]
            assert "together(" in rules[stage]


@pytest.mark.parametrize(
    ("cores", "asked"),
    [(1, (1500, 1, 8 * 60)), (2, (3000, 2, 4 * 60)), (4, (6000, 4, 2 * 60))],
)
def test_a_pack_asks_for_all_that_runs_side_by_side_in_it(cores, asked):
    # as docs/slurm.md says it of Snakemake: four chains of two steps
    step = {"_cores": 1, "_nodes": 1, "mem_mb": 1500, "gpu": 1, "runtime": 60}
    chains = [[SimpleNamespace(resources=step, pipe_group=None)] * 4] * 2
    width = Resources.from_mapping({"_cores": cores})
    pack = GroupResources.basic_layered(chains, constraints=width, run_local=False)
    assert (pack["mem_mb"], pack["gpu"], pack["runtime"]) == asked


def test_the_profile_of_clusters_has_all_that_local_runs_have():
    local, cluster = (
        yaml.safe_load((ROOT / "profiles" / name / "profile.yaml").read_text())
        for name in ("default", "slurm")
    )
    assert {key: cluster.get(key) for key in local} == local
