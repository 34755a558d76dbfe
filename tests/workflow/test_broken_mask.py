"""A model that sees one token of the future goes through all stages, and its verdict says so."""

import json

import polars as pl
import pytest
from project import Project
from tests.text.tiny_model import save_tiny_llama

OFF_BY_ONE = """

def _sees_the_next_token(config, inputs_embeds, attention_mask, **rest):
    steps = torch.arange(inputs_embeds.shape[1])
    return (steps <= steps[:, None] + 1).expand(len(inputs_embeds), 1, -1, -1)


modeling_llama.create_causal_mask = _sees_the_next_token
"""
IMPORT = "from transformers import PreTrainedConfig, PreTrainedModel"
OVERRIDES = (
    "~models.chat +model@models.tiny=local models.tiny.label=Tiny models.tiny.source.path=model "
    "data.questions=6 data.shots=[0] data.few_shot=[] data.max_new_tokens=1 "
    "compression.policies=[] compression.variants=null analysis.text.answers.interventions=[] "
    "analysis.text.answers.variants=null"
)
DIAGNOSIS = "results/prompts/report/diagnosis.json"


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("broken") / "project")
    save_tiny_llama(project.folder / "model")
    loader = "src/attnpipe/pretrained/load.py"
    project.edit(loader, IMPORT, f"{IMPORT}\nfrom transformers.models.llama import modeling_llama")
    path = project.folder / loader
    path.write_text(path.read_text() + OFF_BY_ONE)
    done = project.snakemake(DIAGNOSIS, study="prompts", overrides=OVERRIDES)
    assert done.returncode == 0, done.stderr[-4000:]
    return project


def test_a_leaking_mask_is_counted_and_the_verdict_is_invalid(diagnosed):
    diagnosis = json.loads((diagnosed.folder / DIAGNOSIS).read_text())
    found = {f["predicate"]: f for f in diagnosis["findings"] if f["model"] == "tiny"}
    assert found["capture"]["status"] == "NO"
    assert "mass on keys that they must not see (off_support)" in found["capture"]["sentence"]
    assert found["verdict"]["status"] == "INVALID"
    table = pl.read_csv(diagnosed.folder / "results/prompts/aggregate/inventory.csv")
    # Of a text, in each of two layers and four heads, the last token alone sees no future; a few
    # others give it next to nothing.
    items, valid, bad = table.select("items", "rows_valid", "rows_excluded").row(0)
    assert items * 2 * 4 <= valid < bad / 10
