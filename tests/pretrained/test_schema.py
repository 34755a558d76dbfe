"""Sources of models are refused where they are not pinned or could bring code."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from attnpipe.schema.pretrained import PretrainedModel, parse_model_source

CONFIG = Path(__file__).parents[2] / "config" / "model"
HUB = {"kind": "hub", "id": "owner/model", "revision": "0123456789abcdef" * 2 + "01234567"}
WHEEL = {
    "kind": "wheel",
    "package": "p",
    "version": "1",
    "sha256": "0" * 64,
    "member": "p/m.gguf",
    "format": "gguf",
}
MODEL = {"kind": "pretrained", "label": "M", "task": "encoder", "source": HUB}


def test_plain_sources_are_accepted():
    assert parse_model_source(HUB).files[0] == "config.json"
    assert parse_model_source(HUB | {"id": "gpt2"}).id == "gpt2"
    assert parse_model_source(WHEEL).path is None
    assert parse_model_source(WHEEL | {"sha256": None, "path": "/m.gguf"}).sha256 is None
    assert parse_model_source({"kind": "local", "path": "/m"}).licence is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (HUB | {"revision": "main"}, "revision"),
        (HUB | {"revision": "abc1234"}, "revision"),
        (HUB | {"id": "../elsewhere"}, "id"),
        (HUB | {"id": "a/b/c"}, "id"),
        (HUB | {"id": "https://hub/owner/model"}, "id"),
        (HUB | {"files": []}, "files"),
        (HUB | {"files": ["modeling.py"]}, r"files names 'modeling.py'; only .json"),
        (HUB | {"files": ["pytorch_model.bin"]}, "'pytorch_model.bin'"),
        (HUB | {"files": ["*"]}, r"'\*'"),
        (HUB | {"files": ["code/x.json"]}, "'code/x.json'"),
        (HUB | {"trust_remote_code": True}, "trust_remote_code"),
        (WHEEL | {"sha256": "0" * 63}, "sha256"),
        (WHEEL | {"sha256": None}, "sha256 is null, but a wheel is downloaded; give its SHA-256"),
        (WHEEL | {"format": "pickle"}, "format"),
        ({"kind": "local", "path": ""}, "path"),
        ({"kind": "url", "path": "x"}, "kind"),
    ],
)
def test_loose_sources_are_refused(document, message):
    with pytest.raises(ValidationError, match=message):
        parse_model_source(document)


@pytest.mark.parametrize(
    "change", [{"task": "chat"}, {"dtype": "int8"}, {"max_length": 1}, {"baseline": "other"}]
)
def test_impossible_models_are_refused(change):
    PretrainedModel(**MODEL)
    with pytest.raises(ValidationError, match=next(iter(change))):
        PretrainedModel(**(MODEL | change))


@pytest.mark.parametrize(("name", "task"), [("smollm2", "causal_lm"), ("minilm", "encoder")])
def test_shipped_models_are_valid_and_pinned(name, task):
    text = (CONFIG / f"{name}.yaml").read_text("utf-8")
    model = PretrainedModel(**yaml.safe_load(text))
    assert (model.task, model.source.kind) == (task, "wheel")
    assert model.source.licence == "Apache-2.0"
