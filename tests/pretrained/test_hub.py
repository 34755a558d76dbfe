"""Models from a hub, against a server on this machine that speaks its protocol."""

import shutil
import time

import huggingface_hub.constants as hub_constants
import pytest
import torch
from tests.pretrained import tiny
from tests.pretrained.hub_server import COMMIT, REPOSITORY, serving

from attnpipe.core.errors import UserError
from attnpipe.pretrained.hub import check_cached
from attnpipe.pretrained.load import load_model
from attnpipe.pretrained.obtain import obtain
from attnpipe.schema.pretrained import HubSource


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return a hub with one small Llama; the client's own cache is an empty folder."""
    folder = tiny.write_folder(tmp_path / "repository", tiny.llama())
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "modeling_evil.py").write_text("raise RuntimeError('run')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    with serving(folder) as server:
        url = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(hub_constants, "ENDPOINT", server.url)
        monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.setattr(time, "sleep", lambda _: None)  # between the client's retries
        yield server


def fetch(target, task="causal_lm", **changes):
    options = {"id": REPOSITORY, "revision": COMMIT}
    source = HubSource(kind="hub", **(options | changes))
    return obtain(source, task, target, cache=target, section="models.tiny.source")


def test_commit_is_downloaded_once_and_only_what_is_needed(hub, tmp_path, capfd):
    facts = fetch(tmp_path / "out")
    assert facts["source"]["revision"] == COMMIT
    assert facts["source"]["id"] == REPOSITORY
    assert facts["licence"] == "mit"
    ids = torch.tensor([[5, 80, 17]])
    found = load_model(tmp_path / "out", "causal_lm")(input_ids=ids).logits
    assert torch.equal(found, tiny.llama().requires_grad_(False)(input_ids=ids).logits)
    names = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(hub.downloaded) == [*names, "tokenizer_config.json"]
    assert capfd.readouterr() == ("", "")
    fetch(tmp_path / "again")
    assert len(hub.downloaded) == len(names) + 1


def test_checksums_are_those_of_git(tmp_path):
    """``git hash-object`` of the text ``hello`` and a line end."""
    blob = tmp_path / "ce013625030ba8dba906f756967f9e9ca394464a"
    blob.write_bytes(b"hello\n")
    (tmp_path / "a.json").symlink_to(blob.name)
    check_cached(tmp_path, ["*.json"])
    blob.write_bytes(b"hullo\n")
    with pytest.raises(UserError, match=r"'a.json' in the hub's cache is not what the hub sent"):
        check_cached(tmp_path, ["*.json"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("offline", [False, True])
def test_a_cached_file_that_was_changed_is_refused_until_it_is_deleted(
    hub, tmp_path, monkeypatch, name, offline
):
    first = fetch(tmp_path / "out")
    (blob,) = (path.resolve() for path in (tmp_path / "hub-cache").rglob(name))
    content = blob.read_bytes()
    blob.write_bytes(content.replace(b"a", b"b", 1))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", offline)
    with pytest.raises(UserError) as refused:
        fetch(tmp_path / "again")
    assert str(refused.value) == (
        f"'{name}' in the hub's cache is not what the hub sent (checksum differs); delete "
        f"'{blob}' and run again"
    )
    blob.unlink()
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
    assert fetch(tmp_path / "again") == first
    assert blob.read_bytes() == content


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_what_arrives_otherwise_than_announced_is_refused(hub, tmp_path, name):
    content = (hub.folder / name).read_bytes()
    hub.sent[name] = content.replace(b"a", b"b", 1)
    with pytest.raises(UserError, match=rf"'{name}' in the hub's cache is not what the hub sent"):
        fetch(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_cached_model_needs_no_hub(hub, tmp_path):
    first = fetch(tmp_path / "out")
    hub.error = (503, "")
    assert fetch(tmp_path / "again") == first


def test_cached_model_needs_no_network(hub, tmp_path, monkeypatch):
    first = fetch(tmp_path / "out")
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    assert fetch(tmp_path / "again") == first


@pytest.mark.parametrize(
    ("error", "changes", "message"),
    [
        (None, {"id": "someone/absent"}, "no model 'someone/absent'.* models.tiny.source.id"),
        (None, {"revision": "f" * 40}, "no commit 'ffff.*' of 'someone/tiny'; set models.tiny"),
        ((403, "GatedRepo"), {}, "'someone/tiny' is gated; accept its conditions"),
        ((503, ""), {}, r"cannot get 'someone/tiny' from the hub \(.*503.*\); check the network"),
        (None, {"files": ["config.json"]}, "'someone/tiny' at 0123.* has no model.safetensors"),
    ],
)
def test_what_cannot_be_had_is_named_with_its_cure(hub, tmp_path, error, changes, message):
    hub.error = error
    with pytest.raises(UserError, match=message) as caught:
        fetch(tmp_path / "out", **changes)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_hub_that_does_not_answer_is_named(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_constants, "ENDPOINT", "http://127.0.0.1:9")
    message = r"cannot get 'someone/tiny' from the hub \(.*\); check .*models.tiny.source={kind: lo"
    with pytest.raises(UserError, match=message):
        fetch(tmp_path / "out")


def test_being_offline_is_named(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"cannot get 'someone/tiny' .* HF_HUB_OFFLINE"):
        fetch(tmp_path / "out")
    assert hub.downloaded == []


def test_only_a_pickle_is_refused_before_downloading(hub, tmp_path):
    (hub.folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"'someone/tiny' at 0123.* has no model.safetensors"):
        fetch(tmp_path / "out")
    assert hub.downloaded == []


def test_model_for_another_task_is_refused_before_its_weights_come(hub, tmp_path):
    with pytest.raises(UserError, match=r"LlamaForCausalLM.*set task to 'causal_lm'"):
        fetch(tmp_path / "out", task="encoder")
    assert hub.downloaded == ["config.json"]


def test_disk_without_room_is_found_before_the_weights_come(hub, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=64 * 1024**2 + 1000))
    with pytest.raises(UserError, match=r"hub-cache.* has 67 MB free, but the model needs"):
        fetch(tmp_path / "out")
    assert hub.downloaded == ["config.json"]
