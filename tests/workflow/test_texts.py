"""Prompts under a pretrained model, through Snakemake to the report."""

import json
import shlex
import shutil
import subprocess
import sys

import polars as pl
import pytest
import torch
import yaml
from project import Project, planned_jobs
from safetensors.torch import load_file, save_file
from tests.text.tiny_model import save_tiny_llama
from unverified import taken_unverified

from attnpipe.pipeline.frozen import open_plan

FIGURES = """\
representative_seed: null
style: {}
show: {prompt_maps: {}, layer_entropy: {}}
"""
OVERRIDES = (
    "~models.chat +model@models.tiny=local models.tiny.label=Tiny models.tiny.source.path=model "
    "models.tiny.untrained=true data.questions=6 data.shots=[0,1] data.max_new_tokens=4 "
    "figure=text analysis.text.answers.variants=[plain,1_shot] compression.variants=[1_shot] "
    "compression.budgets=[0.5]"
)
DOCUMENT_3 = {"layer_entropies", "head_specialization_summary"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study of prompts under a tiny model."""
    project = Project.create(tmp_path_factory.mktemp("texts") / "project")
    save_tiny_llama(project.folder / "model")
    (project.folder / "config" / "figure" / "text.yaml").write_text(FIGURES)
    done = project.snakemake(study="prompts", overrides=OVERRIDES)
    assert done.returncode == 0, done.stderr[-4000:]
    return project


def results(project):
    return project.folder / "results" / "prompts"


def plan(project, overrides):
    done = project.snakemake("--dry-run", study="prompts", overrides=overrides)
    assert done.returncode == 0, done.stderr[-4000:]
    return planned_jobs(done.stdout + done.stderr)


def test_a_study_of_prompts_has_every_file_and_nothing_to_do(finished):
    for name in (
        "models/tiny/model.safetensors", "data/prompts.texts.parquet", "data/prompts.json",
        "runs/tiny/seed-0/answers.parquet", "runs/tiny/seed-0/attention.safetensors",
        "aggregate/text_contrasts.csv", "aggregate/segment_summary.csv", "aggregate/tokens.csv",
        "figures/prompt_maps.png", "figures/layer_entropy.svg", "report/index.html",
    ):  # fmt: skip
        assert (results(finished) / name).stat().st_size > 0, name
    assert plan(finished, OVERRIDES) == []


def test_every_script_refuses_every_input_with_a_byte_flipped(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    config = {"study": "prompts", "overrides": OVERRIDES}
    study = open_plan(finished.folder, config, main=True)
    stages, taken = taken_unverified(study, monkeypatch)
    assert taken == []
    assert stages == {job.stage for job in study.jobs()} - {"obtain_model"}, "it reads from outside"
    assert plan(finished, OVERRIDES) == []


def test_tables_name_every_variant_and_both_checkpoints(finished):
    aggregate = results(finished) / "aggregate"
    summary = pl.read_csv(aggregate / "text_summary.csv", infer_schema_length=None)
    assert set(summary["variant"]) == {"plain", "cot", "expert", "structured", "1_shot"}
    assert set(summary["checkpoint"]) == {"pretrained", "untrained"}
    entropy = summary.filter(
        (pl.col("metric") == "entropy")
        & pl.col("head").is_not_null()
        & pl.col("condition").is_null()
    )
    assert set(entropy["n"]) == {6}
    inventory = pl.read_csv(aggregate / "inventory.csv")
    assert inventory.select("outcome", "items").rows() == [("ok", 30)]
    assert inventory["rows_excluded"].to_list() == [0]


def test_the_export_has_document_3s_keys(finished):
    export = json.loads((results(finished) / "report" / "tiny_attention_results.json").read_text())
    assert set(export) >= DOCUMENT_3
    assert {len(layers) for layers in export["layer_entropies"].values()} == {2}
    focused = export["head_specialization_summary"]["most_focused"]
    assert set(focused[0]) >= {"layer", "head", "entropy", "focus_token"}
    assert [h["entropy"] for h in focused] == sorted(h["entropy"] for h in focused)


def test_findings_answer_the_three_questions_with_evidence(finished):
    diagnosis = json.loads((results(finished) / "report" / "diagnosis.json").read_text())
    found = {f["predicate"]: f for f in diagnosis["findings"] if f["model"] == "tiny"}
    for predicate in ("steps", "examples", "sensitive_layers"):
        assert found[predicate]["evidence"], predicate
        assert found[predicate]["n_units"] == 6 or found[predicate]["status"] == "INCONCLUSIVE"
    html = (results(finished) / "report" / "index.html").read_text()
    assert "Let&#39;s think step by step." in html
    assert str(finished.folder) not in html


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ("analysis.text.mass_margin=0.05", ["diagnose", "report", "verify"]),
        ("analysis.text.clusters=3", ["aggregate_text tiny", "compare_text", "diagnose",
         "export_text tiny", "figure layer_entropy", "figure prompt_maps", "report", "verify"]),
        ("models.tiny.label=Other", ["diagnose", "figure layer_entropy", "figure prompt_maps",
         "report", "verify"]),
        ("compression.budgets=[0.4]", ["compress_text tiny", "compression", "diagnose", "report",
         "verify"]),
        ("analysis.text.answers.layer_groups=1", ["aggregate_text tiny", "compare_text", "diagnose",
         "export_text tiny", "figure layer_entropy", "figure prompt_maps", "intervene_text tiny",
         "report", "verify"]),
        ("data.max_new_tokens=5", ["aggregate_text tiny", "compare_text", "diagnose",
         "compress_text tiny", "compression", "export_text tiny", "extract_text tiny",
         "figure layer_entropy", "figure prompt_maps", "intervene_text tiny", "measure_text tiny",
         "prepare_texts prompts", "report", "verify"]),
    ],
)  # fmt: skip
def test_only_what_changed_runs_again(finished, change, jobs):
    assert plan(finished, f"{OVERRIDES} {change}") == sorted(jobs)


def test_how_questions_are_asked_counts_as_code(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.edit("src/attnpipe/text/conditions.py", "(spec.shots if", "(list(spec.shots) if")
    jobs = plan(project, OVERRIDES)
    assert "prepare_texts prompts" in jobs
    assert not [job for job in jobs if job.startswith("obtain_model")]


def test_describe_counts_parameters_of_the_models_of_this_study_only(finished):
    def parameters(*changes):
        done = subprocess.run(
            [sys.executable, "-m", "attnpipe", "describe", "study=prompts", "--json",
             *shlex.split(OVERRIDES), *changes],
            cwd=finished.folder, env=finished.environment(),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        facts = json.loads(done.stdout)
        assert facts["interventions"] == ["uniform", "position_mean", "permuted"]
        (model,) = facts["models"]
        return model["parameters"]

    facts = results(finished) / "models" / "tiny" / "attnpipe.json"
    assert parameters() == json.loads(facts.read_text())["parameters"]
    other = finished.folder / "other"
    shutil.copytree(finished.folder / "model", other, dirs_exist_ok=True)
    assert parameters("models.tiny.source.path=other") is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("data.kewords=[a]", "unknown key 'kewords'"),
        ("seeds=[0,1]", "a pretrained model has one run"),
        ("models.tiny.task=encoder", "cannot answer prompts"),
        ("analysis.text.representative_question=6", "there are 6 questions"),
        ("models.tiny.source.path=nowhere", "'nowhere'"),
        ("analysis.text.views=[l1h0,l2h0]", "'l2h0', but models.tiny has layers 0 to 1"),
        ("analysis.text.head_metrics=[entropi]", "did you mean 'entropy'?"),
        ("compression.variants=[nope]", "compression.variants names 'nope', which this study"),
    ],
)
def test_mistakes_are_one_sentence_before_long_work(finished, change, sentence):
    done = finished.snakemake("--dry-run", study="prompts", overrides=f"{OVERRIDES} {change}")
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("attnpipe: ")]
    assert len(said) == 1
    assert sentence in said[0]
    assert "Traceback" not in done.stderr


def test_every_figure_of_the_study_is_drawn(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    done = project.snakemake(study="prompts", overrides=OVERRIDES.replace(" figure=text", ""))
    assert done.returncode == 0, done.stderr[-4000:]
    group = yaml.safe_load((project.folder / "config" / "figure" / "prompts.yaml").read_text())
    assert len(group["show"]) == 11
    for name in group["show"]:
        for suffix in ("png", "svg"):
            assert (results(project) / "figures" / f"{name}.{suffix}").stat().st_size > 0, name
    assert "could not be drawn" not in (results(project) / "report" / "index.html").read_text()


def test_a_checkpoint_with_nan_is_named_before_any_text_is_read(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    path = project.folder / "model" / "model.safetensors"
    tensors = load_file(path)
    name = "model.layers.1.mlp.down_proj.weight"
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, path, metadata={"format": "pt"})
    done = project.snakemake(study="prompts", overrides=OVERRIDES)
    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert (results(project) / "report" / "index.html").exists(), "earlier results stay"
