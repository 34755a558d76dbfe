"""Runs whose own code fails: the rest is aggregated, the gap is named, the exit code says so."""

import json

import polars as pl
import pytest
from project import Project
from tests.text.tiny_model import save_tiny_llama

PLANTED = "raise RuntimeError('mat1 and mat2 do not fit.')"
WHY = "RuntimeError: mat1 and mat2 do not fit"
CURE = "mend its code or take it out of the study"
BROKEN = "+model@models.broken=mlp_last models.broken.hidden=[5] models.broken.label=broken"


def outcomes(results):
    table = pl.read_csv(results / "aggregate" / "inventory.csv", infer_schema_length=None)
    return {f"{r['model']}/{r['seed']}": (r["outcome"], r["reason"]) for r in table.to_dicts()}


def complete(results):
    """Find the answer to whether the study is complete."""
    diagnosis = json.loads((results / "report" / "diagnosis.json").read_text())
    (finding,) = [f for f in diagnosis["findings"] if f["predicate"] == "gaps"]
    return finding


def test_failing_in_training_capture_or_interventions_stops_nothing_else(project):
    mlp, extract, intervene = (
        f"src/attnpipe/{name}.py" for name in ("models/mlp", "extraction/run", "interventions/run")
    )
    line = "        super().__init__()\n"
    project.edit(mlp, line, f"{line}        if list(spec.hidden) == [5]:\n            {PLANTED}\n")
    project.edit(extract, "    task = task_of(dataset)\n", f"""\
    if run == "pool/seed-1":
        {PLANTED}
    task = task_of(dataset)
""")  # fmt: skip
    line = '    if outcome.outcome != "ok":\n'
    project.edit(intervene, line, f"    if (name, seed) == ('pool', 2):\n        {PLANTED}\n{line}")
    done = project.snakemake(overrides=BROKEN)
    assert done.returncode != 0
    results = project.folder / "results" / "tiny"
    ended = outcomes(results)
    good = ("mlp/1", "mlp/2", "base/1", "base/2", "pool/2")
    assert [ended[run] for run in good] == [("ok", None)] * 5
    for run in ("broken/1", "broken/2"):
        name, seed = run.split("/")
        assert ended[run] == ("failed", f"{WHY} (model '{name}', seed {seed}): {CURE}")
    assert ended["pool/1"] == ("failed", f"{WHY} (pool/seed-1): {CURE}")
    scored = pl.read_csv(results / "aggregate" / "comparisons.csv", infer_schema_length=None)
    scored = scored.filter(pl.col("value").is_not_null())
    assert set(scored["model"]) == {"mlp", "base", "pool"}

    finding = complete(results)
    of_interventions = f"intervene failed: {WHY} (model 'pool', seed 2): {CURE}"
    assert finding["status"] == "NO"
    assert "3 runs failed: Pool (seed 1), broken (seeds 1, 2)" in finding["sentence"]
    assert of_interventions in finding["sentence"]
    html = (results / "report" / "index.html").read_text()
    assert "mat1 and mat2 do not fit" in html
    said = [line for line in done.stderr.splitlines() if line.startswith("attnpipe: verify")]
    assert "3 of 8 runs did not end well: pool/seed-1 failed, broken/seed-1 failed" in said[0]

    assert project.plan(BROKEN) == ["verify"], "the same code would fail again"
    project.edit(intervene, PLANTED, "pass")
    assert {"intervene pool 1", "intervene pool 2", "diagnose", "verify"} <= {*project.plan(BROKEN)}


def test_a_full_memory_is_no_failure_of_the_run_and_is_tried_again(project):
    overrides = "seeds=[1] ~models.base ~models.pool models.mlp.hidden=[6]"
    line = "    task = task_of(dataset)\n"
    project.edit("src/attnpipe/training/run.py", line, f"    raise MemoryError\n{line}")
    done = project.snakemake("--until", "train", overrides=overrides)
    assert done.returncode != 0
    assert "train mlp 1" in project.plan(overrides)


OTHER = (
    "~models.chat +model@models.tiny=local models.tiny.label=Tiny models.tiny.source.path=model "
    "+model@models.other=local models.other.label=Other models.other.source.path=model "
    "models.other.dtype=float64 data.questions=6 data.shots=[0] data.few_shot=[] "
    "data.max_new_tokens=2 "
    "analysis.text.answers.variants=null compression.variants=null compression.budgets=[0.5]"
)


@pytest.mark.slow
def test_a_pretrained_model_that_fails_leaves_the_others_alone(tmp_path):
    project = Project.create(tmp_path / "project")
    save_tiny_llama(project.folder / "model")
    line = "    lengths = {text.item"
    planted = f"    if name == 'other':\n        {PLANTED}\n{line}"
    project.edit("src/attnpipe/extraction/text/run.py", line, planted)
    done = project.snakemake(study="prompts", overrides=OTHER)
    assert done.returncode != 0
    results = project.folder / "results" / "prompts"
    ended = outcomes(results)
    assert ended["tiny/0"] == ("ok", None)
    assert ended["other/0"] == ("failed", f"{WHY} (model 'other', seed 0): {CURE}")
    assert "1 run failed: Other" in complete(results)["sentence"]
    assert "1 of 2 runs did not end well: other/seed-0 failed" in done.stderr
