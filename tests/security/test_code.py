"""Nothing in the project can run what data hold: no pickle, no shell, no code of models."""

import ast
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import read_array
from attnpipe.pipeline.config import load_study

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for part in ("src", "workflow", "benchmarks") for path in (ROOT / part).rglob("*.py")
)
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads",
    "torch.load", "torch.save", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
    "pandas.read_pickle", "pd.read_pickle", "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
STARTS = {f"subprocess.{n}" for n in ("run", "Popen", "call", "check_call", "check_output")}
MUST_BE = {"allow_pickle": False, "trust_remote_code": False, "shell": False, "weights_only": True}


def faults(text: str) -> list[str]:
    """Return what a source does that could run data."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in PICKLES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in CALLS else []
            found += [
                f"{name}({k.arg}={ast.unparse(k.value)})"
                for k in node.keywords
                if k.arg in MUST_BE
                and not (isinstance(k.value, ast.Constant) and k.value.value is MUST_BE[k.arg])
            ]
            if (
                name in STARTS
                and node.args
                and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
            ):
                found.append(f"{name} of a text")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from joblib import load", "import torch\ntorch.load('x')",
        "np.load('x', allow_pickle=True)", "np.load('x', allow_pickle=flag)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)", "yaml.load(f, Loader=L)",
        "subprocess.run('ls', shell=True)", "subprocess.run(f'ls {x}')", "eval('1')",
        "os.system('ls')", "torch.load('x', weights_only=False)",
    ],
)  # fmt: skip
def test_every_dangerous_call_is_found(text):
    assert faults(text)


def test_no_source_can_run_what_data_hold():
    assert len(SOURCES) > 200
    found = {path.relative_to(ROOT): faults(path.read_text("utf-8")) for path in SOURCES}
    assert {path: what for path, what in found.items() if what} == {}


def test_no_rule_has_a_shell_command_into_which_config_could_go():
    assert len(RULES) > 5
    for path in RULES:
        text = path.read_text("utf-8")
        assert not re.search(r"^\s*(shell|run|wrapper|notebook|cwl)\s*:", text, re.MULTILINE), path
        assert "shell(" not in text, path


# --------------------------------------------------------------------------- crafted files


class Bomb:
    """A pickle that leaves a file when it is opened."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self):
        return (Path.touch, (self.flag,))


@pytest.fixture
def flag(tmp_path):
    """Where a file is if anything ran."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists()


def test_the_bomb_works(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "proof")))
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_a_pickle_under_the_name_of_an_array_is_refused(tmp_path, flag, suffix):
    (tmp_path / f"a{suffix}").write_bytes(pickle.dumps(Bomb(flag)))
    with pytest.raises(UserError):
        read_array(tmp_path, f"a{suffix}", limit_bytes=10**6)


@pytest.mark.parametrize("packed", [False, True])
def test_an_array_of_objects_is_refused(tmp_path, flag, packed):
    path = tmp_path / ("a.npz" if packed else "a.npy")
    array = np.array([Bomb(flag)], dtype=object)
    np.savez(path, a=array) if packed else np.save(path, array, allow_pickle=True)
    with pytest.raises(UserError, match="Python objects"):
        read_array(tmp_path, path.name, limit_bytes=10**6)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_weights_that_are_a_pickle_are_refused(tmp_path, flag, name):
    from tests.pretrained import tiny

    from attnpipe.pretrained.folder import take_folder

    folder = tiny.write_folder(tmp_path / "model", tiny.llama())
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / name, "w") as archive:  # as torch.save writes it
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(flag)))
    (tmp_path / "target").mkdir()
    with pytest.raises(UserError):
        take_folder(folder, tmp_path / "target", "causal_lm")


def test_code_that_comes_with_a_model_is_not_run(tmp_path, flag):
    from tests.pretrained import tiny

    from attnpipe.pretrained.folder import take_folder
    from attnpipe.pretrained.load import load_model

    folder = tiny.write_folder(tmp_path / "model", tiny.llama())
    for name in ("modeling_x.py", "configuration_x.py", "tokenization_x.py", "conftest.py"):
        (folder / name).write_text(f"open({str(flag)!r}, 'w')\nclass X: pass\n")
    auto = {
        "AutoModelForCausalLM": "modeling_x.X", "AutoConfig": "configuration_x.X",
        "AutoTokenizer": ["tokenization_x.X", None],
    }  # fmt: skip
    for file in ("config.json", "tokenizer_config.json"):
        tiny.edit_json(folder / file, auto_map=auto)
    (tmp_path / "target").mkdir()
    take_folder(folder, tmp_path / "target", "causal_lm")
    load_model(tmp_path / "target", "causal_lm")
    taken = sorted(path.name for path in (tmp_path / "target").iterdir())
    assert taken == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert "auto_map" not in json.loads((tmp_path / "target" / "config.json").read_text())


@pytest.mark.parametrize(
    "override",
    [
        "+data._target_=os.system", "+models.lstm_small._target_=os.abort",
        "+_target_=os.abort", "title={_target_:os.abort}", "title=${eval:1}",
    ],
)  # fmt: skip
def test_config_names_no_code(override):
    with pytest.raises(UserError):
        load_study(ROOT / "config", {"overrides": override})
