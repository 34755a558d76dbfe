"""Names in a study of texts that no table will have are refused before anything runs."""

import json
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.heads_asked import check_heads, frozen_heads, heads_asked
from attnpipe.schema.study import SCHEMA_VERSION

CONFIG = Path(__file__).parents[2] / "config"
SHOW = "figure.show"

MISTAKES = {
    "data.questions=1024 data.largest=3": "data.questions is 1024, but operands from 2 to 3 allow "
    "4 at most; raise data.largest, or lower data.questions",
    "data.operations=[minus] data.largest=5 data.questions=11": "from 2 to 5 allow 10 at most",
    "analysis.text.views=[las_layer]": "'las_layer' is no view: did you mean 'last_layer'?; "
    "or one head as l3h2, one layer as l3",
    "analysis.text.views=[l3h]": "'l3h' is no view",
    "analysis.text.views=[mean,mean]": "'mean' is listed twice",
    "analysis.text.head_metrics=[entropy,entropi]": "head_metrics names 'entropi', which is no "
    "metric of rows: did you mean 'entropy'?",
    "analysis.text.head_metrics=[top_mass_7]": "did you mean 'top_mass_5'?",
    "analysis.text.head_metrics=[gini,gini]": "'gini' is listed twice",
    f"{SHOW}.prompt_maps.view=rolout": "show.prompt_maps.view is 'rolout', which the tables will "
    "not have: did you mean 'rollout'?",
    f"{SHOW}.prompt_maps.view=l1h2": "show.prompt_maps.view is 'l1h2', which the tables will not "
    "have: add it, analysis.text.views=[last_layer,mean,max,rollout,l1h2]",
    f"{SHOW}.head_atlas.view=4_shots": "show.head_atlas.view is '4_shots', which the tables will "
    "not have: did you mean '4_shot'?",
    f"{SHOW}.keywords.view=l3": "show.keywords.view is 'l3', which the tables will not have",
    f"{SHOW}.keywords.view=lats_layer": "show.keywords.view is 'lats_layer', which the tables "
    "will not have: did you mean 'last_layer'?; or one head as l3h2",
    f"{SHOW}.few_shot.view=sinks": "show.few_shot.view is 'sinks', which the tables will not "
    "have: did you mean 'sinks_removed'?",
    f"{SHOW}.head_atlas.metrics=[inducton]": "head_atlas.metrics names 'inducton', which the "
    "tables will not have of single heads: did you mean 'induction'?",
    f"{SHOW}.head_atlas.metrics=[last/induction]": "names 'last/induction'",
    f"{SHOW}.head_atlas.metrics=[lag_spread]": "add 'lag_spread' to analysis.text.head_metrics",
    f"{SHOW}.head_atlas.metrics=[sink_mass] {SHOW}.head_atlas.condition=sinks_removed": "names "
    "'sink_mass', which the tables will not have",
    f"{SHOW}.head_similarity.condition=no_sinks": "is 'no_sinks': known: all_keys, sinks_removed",
    f"+{SHOW}.keywords.condition=all_keys": "show.keywords.condition has no use",
}
FINE = (
    "data.operations=[minus] data.largest=5 data.questions=10",
    "analysis.text.views=[l3h2,rollout] figure.show.prompt_maps.view=l3h2",
    "analysis.text.views=[l3] figure.show.prompt_maps.view=l3",
    f"{SHOW}.keywords.view=l3h2",
    *(
        f"{SHOW}.{of}.view=found_sinks_removed"
        for of in ("layer_entropy", "segment_mass", "few_shot")
    ),
    f"{SHOW}.head_atlas.view=cot",
    f"{SHOW}.segment_mass.view=all_keys {SHOW}.layer_entropy.view=sinks_removed",
    "analysis.text.head_metrics=[] figure.show.head_atlas.metrics=[last/entropy,all/induction,"
    "sink_mass,focus_position,lag_variation]",
    f"analysis.text.head_metrics=[top_mass_5] {SHOW}.head_atlas.metrics=[all/top_mass_5]",
    f"{SHOW}.head_similarity.condition=sinks_removed {SHOW}.prompt_maps.condition=sinks_removed",
)


@pytest.mark.parametrize("overrides", MISTAKES)
def test_a_name_that_no_table_will_have_is_one_sentence(overrides):
    with pytest.raises(UserError) as error:
        load_study(CONFIG, {"study": "prompts", "overrides": overrides})
    assert MISTAKES[overrides] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("overrides", FINE)
def test_names_that_there_will_be_are_taken(overrides):
    load_study(CONFIG, {"study": "prompts", "overrides": overrides})


def test_sentences_have_one_variant():
    load_study(CONFIG, {"study": "encoder", "overrides": f"{SHOW}.head_atlas.view=sentences"})
    with pytest.raises(UserError, match="'plain', which the tables will not have"):
        load_study(CONFIG, {"study": "encoder", "overrides": f"{SHOW}.head_atlas.view=plain"})


# --- heads --------------------------------------------------------------------------------

LLAMA = {"num_hidden_layers": 30, "num_attention_heads": 9}
GPT2 = {"n_layer": 2, "n_head": 4}


def asked(*views, keywords=None):
    show = {"keywords": {"view": keywords}} if keywords else {}
    return heads_asked({"analysis": {"text": {"views": list(views)}}, "figure": {"show": show}})


@pytest.mark.parametrize(
    ("views", "config", "says"),
    [
        (["l30h0"], LLAMA, r"views names 'l30h0'.*layers 0 to 29 and heads 0 to 8.*'l29h0'"),
        (["mean", "l30"], LLAMA, r"views names 'l30', but models.m has .*the nearest is 'l29'"),
        (["mean", "l2h9"], LLAMA, r"'l2h9', but models.m has .*the nearest is 'l2h8'"),
        (["l5h5"], GPT2, r"layers 0 to 1 and heads 0 to 3; the nearest is 'l1h3'"),
    ],
)
def test_a_head_that_the_model_does_not_have_is_refused_with_the_nearest(views, config, says):
    with pytest.raises(UserError, match=says):
        check_heads(asked(*views), "m", config)
    with pytest.raises(UserError, match=r"^figure\.show\.keywords\.view names 'l99h0'"):
        check_heads(asked("mean", keywords="l99h0"), "m", config)


@pytest.mark.parametrize("config", [LLAMA, {}, {"num_hidden_layers": "many"}, {"n_layer": 1}])
def test_heads_that_there_are_or_that_nobody_knows_of_pass(config):
    check_heads(asked("l29h8", "rollout", keywords="l0h0"), "m", config)


def test_a_local_models_config_is_read_before_anything_runs(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    local = (
        f"~models.chat +model@models.own=local models.own.source.path={folder} models.own.label=O "
        "analysis.text.views=[mean,l99h0]"
    )
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("?")
    load_study(CONFIG, {"study": "prompts", "overrides": local})  # obtaining it says what is wrong
    (folder / "config.json").write_text(json.dumps(GPT2))
    with pytest.raises(UserError, match=r"names 'l99h0', but models.own has layers 0 to 1"):
        load_study(CONFIG, {"study": "prompts", "overrides": local})


def test_a_job_reads_what_the_study_asks_for(tmp_path):
    assert frozen_heads(tmp_path) == []
    spec = load_study(CONFIG, {"study": "prompts", "overrides": "analysis.text.views=[l3h2]"}).spec
    document = {"schema": SCHEMA_VERSION, "config": spec.model_dump(mode="json")}
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert frozen_heads(tmp_path) == [("analysis.text.views", 3, 2)]


def test_a_folder_that_holds_no_model_is_refused_before_anything_runs(tmp_path):
    own = f"model@models.chat=local models.chat.source.path={tmp_path}"
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        with pytest.raises(UserError, match=rf"models\.chat\.source\.path is .* has no {name}"):
            load_study(CONFIG, {"study": "prompts", "overrides": own})
        (tmp_path / name).write_text("{}")
    load_study(CONFIG, {"study": "prompts", "overrides": own})
    with pytest.raises(UserError, match=r"config\.json', a file; give the folder of a model"):
        load_study(CONFIG, {"study": "prompts", "overrides": f"{own}/config.json"})


def test_a_folder_in_place_of_a_file_comes_with_how_own_models_are_given(tmp_path):
    given = f"sizes.chat.source.path={tmp_path}"
    with pytest.raises(UserError) as error:
        load_study(CONFIG, {"study": "prompts", "overrides": given})
    assert str(error.value).endswith(
        f"write model@models.chat=local models.chat.source.path={tmp_path}"
    )


def test_variants_that_fewer_examples_do_away_with_are_told_at_once():
    with pytest.raises(UserError) as error:
        load_study(CONFIG, {"study": "prompts", "overrides": "data.shots=[0,1]"})
    said = str(error.value)
    assert "analysis.text.answers.variants names '4_shot' and compression.variants names" in said
    cure = "analysis.text.answers.variants=[structured,1_shot] compression.variants=[1_shot]"
    assert f"write e.g. {cure}, of plain, 1_shot, cot, expert, structured, or null" in said
    load_study(CONFIG, {"study": "prompts", "overrides": f"data.shots=[0,1] {cure}"})
    with pytest.raises(UserError, match=r"variants=\[structured,plain\] compression.*=\[plain\]"):
        load_study(CONFIG, {"study": "prompts", "overrides": "data.shots=[0]"})
