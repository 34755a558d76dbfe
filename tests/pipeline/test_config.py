"""Every mistake in a config gets one sentence with key, value and the nearest valid name."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.pipeline.compose import compose_container
from attnpipe.pipeline.config import load_study
from attnpipe.pipeline.estimate import trained_attention

CONFIG = Path(__file__).parents[2] / "config"

CHOICES = [
    ({"study": "steeering"}, "unknown study 'steeering': did you mean 'steering'?"),
    ({"scale": "quik"}, "unknown scale 'quik': did you mean 'quick'?"),
    ({"stdy": "x"}, "unknown --config key 'stdy': did you mean 'study'?"),
    ({"seeds": "[1]"}, "unknown --config key 'seeds': known: study, scale, overrides"),
    ({"study": "csv"}, "'data.features' and 'data.path' and 'data.target' have no value"),
    ({"study": "saved_weights"}, "'data.path' has no value"),
    ({"study": "saved_weights", "overrides": "data.path=/nowhere"}, "'/nowhere' is no folder"),
    (
        {"study": "prompts", "overrides": "intervention.finetune=0.1"},
        "intervention.finetune is 0.1, but no model of this study is trained here; set it to 0",
    ),
]

OVERRIDES = {
    "modls.lstm_small.hidden=3": "unknown key 'modls': did you mean 'models'?",
    "models.lstm_smal.hidden=3": "unknown key 'lstm_smal' in 'models': did you mean 'lstm_small'?",
    "models.lstm_small.hiden=3": "unknown key 'hiden' in 'models.lstm_small': did you mean",
    "+models.lstm_small.hiden=3": "unknown key 'models.lstm_small.hiden': did you mean 'hidden'?",
    "models.lstm_small_simple.shuffled_labels=true": (
        "'models.lstm_small_simple' does not give its key 'shuffled_labels'; to add it, write "
        "+models.lstm_small_simple.shuffled_labels=true"
    ),
    "models.lstm_small.arms=[none]": "to add it, write +models.lstm_small.arms=[none]",
    "+models.lstm_small.arms=[none]": "arms are variants of attention, and this model has none",
    "~models.lstm_small.arms": "unknown key 'arms' in 'models.lstm_small': known: label,",
    "models.mlp_last.arms=[none]": "unknown key 'arms' in 'models.mlp_last': known: label,",
    "models.lstm_small_simple.attention.size=8": "unknown key 'size' in",
    "models.lstm_medium_additive.attention.sze=8": "did you mean 'size'?",
    "~models.lstm_small_simple.arms.static": (
        "'models.lstm_small_simple.arms' is a list, it has no key 'static'; write it as a whole, "
        "e.g. models.lstm_small_simple.arms=[none,uniform]"
    ),
    "models.lstm_small.hidden.x=3": "'models.lstm_small.hidden' is a value, it has no key 'x'",
    "models.lstm_small.hidden=abc": "'models.lstm_small.hidden' is 'abc'",
    "models.lstm_small.hidden=0": "'models.lstm_small.hidden' is 0",
    "models.lstm_small.hidden=true": "'models.lstm_small.hidden' is True",
    "seeds=[true,2]": "'seeds' has True",
    "training.epochs='5'": "'training.epochs' is '5'",
    "data.unit_hours=1e9": "data.unit_hours=1e+09 but the test data cover",
    "figure.show.entropy.colormap=nope": "'figure.show.entropy.colormap' is 'nope'",
    "models.lstm_small.label=''": "'models.lstm_small.label' is ''",
    "+model@models.twin=lstm_small_simple": (
        "models.twin is models.lstm_small_simple under another name, and would count twice; change "
        "what it computes, or remove it: ~models.twin"
    ),
    "+model@models.twin=lstm_small_simple models.twin.label=twin models.twin.baseline=mlp_last": (
        "models.twin is models.lstm_small_simple under another name"
    ),
    "models.lstm_small.label='LSTM medium'": "'LSTM medium', as that of models.lstm_small",
    "models.lstm_small_simple.baseline=lstm_medium_simple": "which has attention itself",
    "models.lstm_small.kind=mpl": "'models.lstm_small.kind' is 'mpl': did you mean 'mlp'?",
    "models.lstm_small=null": "'models.lstm_small' is null",
    "+models.x={kind: lstm}": "'models.x.label' has no value",
    "+model@models.x=lstm_smal": "unknown model 'lstm_smal': did you mean 'lstm_small'?",
    "+modle@models.x=lstm_small": "unknown config group 'modle': did you mean 'model'?",
    "model@models.wide=lstm_small_simple": (
        "no 'models.wide' to replace; to add it, write +model@models.wide=lstm_small_simple"
    ),
    "+model@models.lstm_small=lstm_small_simple": (
        "the study has 'models.lstm_small' already; write model@models.lstm_small=lstm_small_simple"
    ),
    "+model@models.x=lstm_small +model@models.x=mlp_last": "the study has 'models.x' already",
    "+models.x.hidden=3": (
        "'models.x' has no 'kind'; give +models.x.kind=…, too, or begin with a model of "
        "config/model: +model@models.x=<member>"
    ),
    "+models.x={label: x} models.x.attention={}": "unknown key 'attention' in 'models.x'",
    "~resources.figure.nope": "unknown key 'nope' in 'resources.figure': known:",
    "delta=0.05": "unknown key 'delta': did you mean 'analysis.contrast.delta'?",
    "contrast.delta=0.05": "did you mean 'analysis.contrast.delta'?",
    "figure.show.layer_entropy.view=x": (
        "did you mean 'entropy'? (to add one, write +figure.show.layer_entropy.view=x)"
    ),
    "models={}": "changes nothing, as entries are merged; remove each of them by its name, e.g. "
    "~models.mlp_last",
    "~models.lstm_small": "models.lstm_small_simple.baseline is 'lstm_small', which is no other",
    "models.lstm_small_simple.baseline=null": (
        "models.lstm_small_simple.baseline is null, but a model with attention must name one "
        "without, to be compared with (mlp_last, mlp_flat, lstm_small, lstm_medium)"
    ),
    "models.lstm_small_simple.baseline=lstm_smal": "name one without attention (mlp_last",
    "models.lstm_small_simple.attention.kind=addtive": "did you mean 'additive'?",
    "analysis.metrics.top_k=[5,5]": "'5' is listed twice; list it once",
    "seeds=[1,1]": "seeds: 1 is listed twice; list each seed once",
    "seeds=[]": "seeds: the list is empty; name at least one seed",
    "seeds=[7,-1]": "'seeds' has -1: input should be greater than or equal to 0",
    "seeds=[a]": "'seeds' has 'a'",
    "intervention.names=[unifrm]": ("'intervention.names' has 'unifrm': did you mean 'uniform'?"),
    "seeds=3": "'seeds' is 3",
    "seeds=0,1": "is a sweep",
    "seeds=[0,1": "unclosed bracket",
    "data.window=300000": "data.window=300000",
    "data.window=1": "'data.window' is 1",
    "data.lead=0": "'data.lead' is 0",
    "data.probe_samples=3": "'data.probe_samples' is 3",
    "data.kind=geomag": "'data.kind' is 'geomag': did you mean 'geomagnetic'?",
    "data.kind=csv": "leaves all other keys of data as they are; choose study=csv beside",
    "data.kind=sentences": "choose study=encoder beside overrides instead",
    "data=steering": (
        "leaves name, title, analysis.contrast.accuracy_threshold as study 'geomagnetic' has them "
        "for its own data; choose study=steering beside overrides, or give these, too"
    ),
    "data=steering name=mine": "leaves title, analysis.contrast.accuracy_threshold as study",
    "data=stering": "unknown data 'stering': did you mean 'steering'?",
    "data.test_fraction=0.9": (
        "data: validation_fraction is 0.15 and test_fraction 0.9; their sum must stay below 0.9"
    ),
    "data.lead=100000000": "shorten data.window or data.lead, or give more data",
    "data.path=/nowhere.h5": "'/nowhere.h5'",
    "data.version=null": "'data.version' is null",
    "+data.foo=1": "unknown key 'data.foo'",
    "training.optimizer=adm": "'training.optimizer' is 'adm': did you mean 'adam'?",
    "training.epochs=1.5": "'training.epochs' is 1.5",
    "training.learning_rate=0": "'training.learning_rate' is 0",
    "training=null": "training: null is only for saved weights",
    "intervention.finetune=2": "'intervention.finetune' is 2",
    "intervention.finetune=0.1 intervention.names=[permuted]": (
        "intervention: finetune is 0.1, but names has neither of uniform and position_mean"
    ),
    "analysis=defualt": "unknown analysis 'defualt': did you mean 'default'?",
    "analysis.contrast.delta=2": "'analysis.contrast.delta' is 2",
    "analysis.contrast.delta=nan": "'analysis.contrast.delta' is nan",
    "analysis.metrics.top_k=[60]": "top_k has 60, but a window has only 50 steps",
    "intervention.window=50": "intervention.window is 50, but a window has only 50 steps",
    "figure.representative_seed=5": "figure.representative_seed is 5, which is not among the seeds",
    "figure.show.entropy.color=red": "'figure.show.entropy.color' is 'red'",
    "+figure.show.entrpy={}": "unknown figure 'entrpy': did you mean 'entropy'?",
    "name=../evil": (
        "'name' is '../evil': a name has letters, digits, - and _, at most 64 of them, and begins "
        "with a letter or digit"
    ),
    "models.lstm_small_simple.baseline=a/b": "is 'a/b': a name has letters, digits, - and _",
    "+models.a/b={kind: mlp}": "not in Hydra's grammar",
    "models.lstm_small.hidden": "not in Hydra's grammar",
    "figure.show.entropy.color=#0072B2": (
        """all in single ones: overrides='figure.show.entropy.color="#0072B2"'"""
    ),
    "models=[lstm_small_simple]": (
        "a list cannot replace 'models': its entries have names; change one with models.NAME.<key>"
        "=…, remove one with ~models.NAME, add one with +model@models.NAME=<member of config/model>"
    ),
    "models=lstm_small": "'models' is 'lstm_small': its entries have names; change one with",
    "figure.show=[entropy]": "add one with +figure.show.NAME={}",
    "models.lstm_small=[a]": "it is a section; change its keys one by one, models.lstm_small.<key>",
    "analysis.metrics=3": "'analysis.metrics' is 3: it is a section; change its keys one by one",
    "seeds=7": "'seeds' is 7: it is a list; write seeds=[7]",
    "seeds=true": "'seeds' is True",
    "stdy=prompts": "unknown key 'stdy': did you mean 'study'?",
    "figure.show.entropy.color=blue": (
        """six hexadecimal digits; write overrides='figure.show.entropy.color="#0072B2"'"""
    ),
    "title=Is it of use?": (
        """put a text with blanks or signs in double quotes, and all in single ones: """
        """overrides='title="Is it of use?"'"""
    ),
    "seeds=[0] title=The 3rd (and last) name=x": """overrides='title="The 3rd (and last)"'""",
    "analysis.contrast.delta = 0.05": (
        "'analysis.contrast.delta' cannot be read: no blanks may stand around '='; write "
        "analysis.contrast.delta=0.05"
    ),
    "seeds=[0] analysis.contrast.delta =0.05": "around '='; write analysis.contrast.delta=0.05",
    "seeds= [0]": "around '='; write seeds=[0]",
    "title=Is it = that?": """overrides='title="Is it"'""",
    "+models.2_wide={kind: mlp}": "no key begins with a digit: give '2_wide' another name",
    "study=steering": "give it as study=… beside overrides",
    "scale=published": "give it as scale=… beside overrides",
    "hydra.run.dir=/tmp": "is for Hydra's own runner",
    "results_dir=/tmp": "unknown key 'results_dir'",
}


def refusal(config) -> str:
    """What is said instead of a study."""
    with pytest.raises(UserError) as error:
        load_study(CONFIG, config)
    return str(error.value)


@pytest.mark.parametrize(("config", "sentence"), CHOICES)
def test_a_wrong_choice_is_named(config, sentence):
    said = refusal(config)
    assert sentence in said


WITHOUT_A_HINT = {
    "~figure.show.nope": "unknown key 'nope' in 'figure.show': known: summary,",
    "~models.nosuch": "unknown key 'nosuch' in 'models': known: mlp_last,",
    "figure.show.entrpy.color=x": "unknown key 'entrpy' in 'figure.show': did you mean 'entropy'?",
}


@pytest.mark.parametrize("override", WITHOUT_A_HINT)
def test_nothing_is_to_be_added_where_it_could_not_be(override):
    said = refusal({"overrides": override})
    assert WITHOUT_A_HINT[override] in said
    assert "to add" not in said


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_wrong_override_is_named(override):
    said = refusal({"overrides": override})
    assert OVERRIDES[override] in said
    assert "\n" not in said


CSV = "data.features=[a] data.target=b analysis.contrast.accuracy_threshold=1 data.unit_hours=1 "
CSV_MISTAKES = {
    "data.path=x.csv data.tagret=b": "unknown key 'tagret' in 'data': did you mean 'target'?",
    "data.path=x.csv data.lead=0 data.features=[a,b]": "so that the model reads its answer",
    "data.path=x.csv data.sequence=a": "sequence is 'a', which is also a feature",
    "data.path=x.csv data.increment=true data.lead=0": "every target is 0; raise lead",
}


@pytest.mark.parametrize("mistake", CSV_MISTAKES)
def test_a_mistake_about_an_own_table_is_named(mistake):
    said = refusal({"study": "csv", "overrides": CSV + mistake})
    assert CSV_MISTAKES[mistake] in said


PROMPT_MISTAKES = {
    "models.chat.source.path=/some/model": (
        "'models.chat.source' is that of 'sizes.chat.source'; for a model of your own write "
        "model@models.chat=local models.chat.source.path=/some/model"
    ),
    "models.chat.source.version=1": "is that of 'sizes.chat.source'; write sizes.chat.source.versi",
    "models.chat.source=/some/model": "write model@models.chat=local models.chat.source.path=/fol",
    "data.variants=[plain]": "'data.variants': its entries have names; change one with data.var",
    "data.variants.mine.instruction=Hello": (
        "unknown key 'mine' in 'data.variants': known: plain, cot, expert, structured (to add one, "
        "write +data.variants.mine.instruction=Hello)"
    ),
    "+data.variants.mine.instruction=Answer briefly. data.questions=8": (
        """overrides='+data.variants.mine.instruction="Answer briefly."'"""
    ),
    "data.question=How much is {first} {operation} {second}?": (
        """overrides='data.question="How much is {first} {operation} {second}?"'"""
    ),
    "+data.variants.4_shot={instruction: x}": "give '4_shot' another name",
    "figure.show.segment_mass.spans=[instrution]": (
        "figure.show.segment_mass.spans: no prompt of the study has a part 'instrution': did you "
        "mean 'instruction'?"
    ),
    "figure.show.segment_mass.spans=[system]": "no prompt of the study has a part 'system': known:",
    "data.shots=[0] figure.show.segment_mass.spans=[examples_answers] compression.variants=null "
    "analysis.text.answers.variants=null": "has a part 'examples_answers'",
    "figure.show.segment_mass.spans=[question,question]": "'question' is listed twice",
    "+figure.show.few_shot.spans=[question]": "only segment_mass reads it",
}


@pytest.mark.parametrize("mistake", PROMPT_MISTAKES)
def test_a_mistake_about_prompts_is_named(mistake):
    said = refusal({"study": "prompts", "overrides": mistake})
    assert PROMPT_MISTAKES[mistake] in said
    assert "\n" not in said


def test_other_data_may_be_put_into_a_study_with_all_that_goes_with_them():
    given = "data=steering name=mine title=Mine analysis.contrast.accuracy_threshold=0.05"
    spec = load_study(CONFIG, {"overrides": given}).spec
    assert (spec.data.kind, spec.name) == ("steering", "mine")
    assert load_study(CONFIG, {"overrides": "data=geomagnetic"}).spec.data.kind == "geomagnetic"


def test_a_model_of_the_study_may_be_replaced():
    given = "model@models.lstm_small_simple=lstm_medium_simple ~models.lstm_medium_simple"
    spec = load_study(CONFIG, {"overrides": given}).spec
    assert spec.models["lstm_small_simple"].label == "LSTM medium + simple"


def test_parts_of_prompts_may_be_chosen():
    chosen = "data.system=Hello figure.show.segment_mass.spans=[system,question,examples_answers]"
    spec = load_study(CONFIG, {"study": "prompts", "overrides": chosen}).spec
    assert spec.figure.show["segment_mass"].spans == ["system", "question", "examples_answers"]


SAVED_MISTAKES = {
    "data.prefixes.B=A": "'data.prefixes' is empty; to add 'B', write +data.prefixes.B=A",
    "data.window=50": "unknown key 'window' in 'data': known: kind, name, path,",
}


@pytest.mark.parametrize("mistake", SAVED_MISTAKES)
def test_a_mistake_about_saved_weights_is_named(tmp_path, mistake):
    said = refusal({"study": "saved_weights", "overrides": f"data.path={tmp_path} {mistake}"})
    assert SAVED_MISTAKES[mistake] in said


def test_a_label_for_weights_that_are_not_there_is_named(tmp_path):
    run = tmp_path / "A_seed1"
    run.mkdir()
    np.save(run / "attention_test.npy", np.full(4, 0.25))
    overrides = f"data.path={tmp_path} +models.B.label=x"
    with pytest.raises(UserError, match="'B' has no saved weights"):
        load_study(CONFIG, {"study": "saved_weights", "overrides": overrides})


def test_models_can_be_added_removed_and_varied():
    text = (
        "+model@models.tiny=lstm_small_simple models.tiny.hidden=8 models.tiny.label=tiny "
        "~models.mlp_flat models.lstm_small.layers=3 seeds=[0, 1]"
    )
    spec = load_study(CONFIG, {"overrides": text}).spec
    assert spec.models["tiny"].hidden == 8
    assert spec.models["tiny"].attention.kind == "simple"
    assert "mlp_flat" not in spec.models
    assert spec.models["lstm_small"].layers == 3
    assert spec.models["lstm_small_simple"].layers != 3
    assert spec.seeds == [0, 1]


@pytest.mark.parametrize("study", ["geomagnetic", "steering"])
@pytest.mark.parametrize("scale", ["quick", "published"])
def test_default_studies_compose_at_both_scales(study, scale):
    loaded = load_study(CONFIG, {"study": study, "scale": scale})
    assert (loaded.spec.name, loaded.spec.scale) == (study, scale)
    assert len(loaded.spec.models) == 8
    assert len(loaded.runs) == (8 + 6) * 5  # R1 and R2 of two sizes, and of sums over queries


def test_an_arm_that_is_a_model_of_the_study_is_one_run_with_it():
    study = load_study(CONFIG, {})
    assert study.arms.of["lstm_small_simple"]["none"] == "lstm_small"
    assert study.arms.of["lstm_medium_simple"]["none"] == "lstm_medium"


def test_attention_of_arms_is_looked_at_where_labels_alone_differ():
    override = "models.lstm_small_simple.arms=[none,uniform,shuffled_labels]"
    study = load_study(CONFIG, {"overrides": override})
    arms = study.arms.of["lstm_small_simple"]
    looked_at = {m for m in study.models if study.has_attention(m)}
    own = {m for m, spec in study.spec.models.items() if getattr(spec, "attention", None)}
    assert looked_at == own | {arms["shuffled_labels"]}
    assert {model for model, _ in study.intervened} == own
    null = trained_attention(study.spec, arms["shuffled_labels"])
    assert null == trained_attention(study.spec, "lstm_small_simple")
    assert null is not None
    assert trained_attention(study.spec, arms["uniform"]) is None


@pytest.mark.parametrize("scale", ["quick", "published"])
@pytest.mark.parametrize(
    ("study", "model", "kind"),
    [("prompts", "chat", "prompts"), ("encoder", "minilm", "sentences")],
)
def test_studies_of_texts_compose_at_both_scales(study, scale, model, kind):
    loaded = load_study(CONFIG, {"study": study, "scale": scale})
    assert (loaded.spec.name, loaded.spec.scale) == (study, scale)
    assert (loaded.mode, loaded.spec.data.kind) == ("text", kind)
    assert loaded.runs == [(model, 0)]


def test_published_prompts_are_read_by_tinyllama_at_one_commit():
    model = load_study(CONFIG, {"study": "prompts", "scale": "published"}).spec.models["chat"]
    assert model.label == "TinyLlama 1.1B Chat"
    assert model.source.kind == "hub"
    assert model.source.id == "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
    assert re.fullmatch("[0-9a-f]{40}", model.source.revision)
    quick = load_study(CONFIG, {"study": "prompts"}).spec.models["chat"]
    assert (quick.label, quick.source.kind) == ("SmolLM2-135M-Instruct (4-bit)", "wheel")


def test_quick_still_means_a_real_model():
    spec = load_study(CONFIG, {}).spec
    for model in spec.models.values():
        if model.kind == "lstm":
            assert model.hidden >= 16
            assert model.layers >= 2
    training = spec.training
    assert training.epochs * training.windows_per_epoch >= 30_000
    assert training.epochs // training.capture_every >= 20


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "analysis/default.yaml",
            "",
            "\nx: [",
            r"line \d+ of 'config/analysis/default.yaml' is no",
        ),
        ("analysis/default.yaml", "", "\n\tx: 1", r"'config/analysis/default.yaml' is no YAML \(f"),
        ("config.yaml", "", "\ny: {", r"line \d+ of 'config/config.yaml' is no YAML .*; mend it"),
        ("study/geomagnetic.yaml", ": mlp_flat\n", ": mlp_flatt\n", "did you mean 'mlp_flat'"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, file, old, new, says):
    shutil.copytree(CONFIG, tmp_path / "config")
    path = tmp_path / "config" / file
    text = path.read_text()
    path.write_text(text.replace(old, new, 1) if old else text + new)
    for overrides in ([], ["training.epochs=3"], ["data=csv"]):
        with pytest.raises(UserError, match=says) as error:
            compose_container(tmp_path / "config", "geomagnetic", "quick", overrides)
        assert "\n" not in str(error.value)
