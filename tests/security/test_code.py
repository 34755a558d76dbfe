"""Nothing in the project can run what data hold: no pickle, no shell, no code of models."""

import ast
import json
import pickle
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from snakemake.parser import parse
from snakemake.sourcecache import infer_source_file

from attnpipe.core.errors import UserError
from attnpipe.io.outside.read import read_array
from attnpipe.pipeline.config import load_study

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for part in ("src", "workflow", "benchmarks") for path in (ROOT / part).rglob("*.py")
)
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
NEVER = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pty.spawn",
    "torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load",
    "yaml.full_load_all", "pandas.read_pickle", "numpy.core.multiarray._reconstruct",
    "hydra.utils.instantiate", "hydra.utils.call", "subprocess.getoutput",
    "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
    "polars.DataFrame.deserialize", "polars.LazyFrame.deserialize",
}  # fmt: skip
SELDOM = {"importlib.import_module", "os.execvp"}
"""Of use where the names are the project's own."""
ALLOWED = {
    "src/attnpipe/core/registry.py": ["importlib.import_module"],
    "src/attnpipe/pipeline/uninterrupted.py": ["os.execvp"],
    "benchmarks/capturing/worker.py": ["importlib.import_module"],
}
STARS = {name.rpartition(".")[0] for name in NEVER | SELDOM if "." in name} | {"builtins"}
STARTS = {f"subprocess.{n}" for n in ("run", "Popen", "call", "check_call", "check_output")}
MUST_BE = {"allow_pickle": False, "trust_remote_code": False, "shell": False, "weights_only": True}
AT = {
    "numpy.load": ("allow_pickle", 2),
    "numpy.save": ("allow_pickle", 2),
    "numpy.lib.format.read_array": ("allow_pickle", 1),
    "numpy.lib.format.write_array": ("allow_pickle", 3),
    "numpy.lib.npyio.NpzFile": ("allow_pickle", 2),
    **dict.fromkeys(STARTS, ("shell", 8)),
}
"""Where arguments stand that are not named."""


class Names:
    """What the names of a source stand for: of imports, wherever they are made."""

    def __init__(self, tree: ast.AST) -> None:
        self._meant: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for a in node.names:
                    first = a.name.partition(".")[0]
                    self._meant[a.asname or first] = a.name if a.asname else first
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for a in node.names:
                    self._meant[a.asname or a.name] = f"{node.module}.{a.name}"

    def of(self, node: ast.AST) -> str:
        """Return the full name of an expression such as `np.load`; what else is, as written."""
        if isinstance(node, ast.Name):
            name = self._meant.get(node.id, node.id)
        elif isinstance(node, ast.Attribute):
            name = f"{self.of(node.value)}.{node.attr}"
        elif isinstance(node, ast.Call) and self.of(node.func) == "getattr" and len(node.args) > 1:
            name = f"{self.of(node.args[0])}.{getattr(node.args[1], 'value', '?')}"
        else:
            return ast.unparse(node)
        return name.removeprefix("builtins.")


def faults(text: str) -> list[str]:
    """Return what a source does that could run data."""
    tree = ast.parse(text)
    names = Names(tree)
    return [found for node in ast.walk(tree) for found in _faults(node, names)]


def _faults(node: ast.AST, names: Names) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names if a.name.partition(".")[0] in PICKLES]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        star = module in STARS and node.names[0].name == "*"
        return [module] if module.partition(".")[0] in PICKLES or star else []
    found = []
    if isinstance(node, ast.Name | ast.Attribute | ast.Call) and names.of(node) in NEVER | SELDOM:
        found.append(names.of(node))
    if isinstance(node, ast.Call):
        found += _arguments(node, names.of(node.func))
    return found


def _arguments(node: ast.Call, name: str) -> list[str]:
    given = {k.arg: k.value for k in node.keywords if k.arg}
    argument, at = AT.get(name, ("", len(node.args)))
    if at < len(node.args) and not any(isinstance(a, ast.Starred) for a in node.args[:at]):
        given[argument] = node.args[at]
    found = [
        f"{name}({argument}={ast.unparse(value)})"
        for argument, value in given.items()
        if argument in MUST_BE
        and not (isinstance(value, ast.Constant) and value.value is MUST_BE[argument])
    ]
    if name in AT and any(k.arg is None for k in node.keywords):
        found.append(f"{name}(**…)")
    if name in STARTS and isinstance(
        (node.args or [given.get("args")])[0], ast.Constant | ast.JoinedStr | ast.BinOp
    ):
        found.append(f"{name} of a text")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "import pickle as p", "from joblib import load", "import dill.source",
        "def f():\n    from pickle import loads", "__import__('pickle').loads(b)",
        "import importlib\nimportlib.import_module('pickle').loads(b)",
        "from importlib import import_module as take\ntake('pickle')",
        "import torch\ntorch.load('x')", "from torch import load\nload('x')",
        "from torch import load as l\nl('x')", "import torch as t\nt.jit.load('x')",
        "import torch.jit as j\nj.load('x')", "import torch\ntorch.hub.load('a', 'b')",
        "from torch import *", "import torch\nread = torch.load",
        "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)", "np.load('x', allow_pickle=flag)",
        "import numpy as np\nnp.load('x', None, True)", "import numpy\nnumpy.load('x', None, flag)",
        "from numpy import load\nload('x', None, True)",
        "import numpy as np\nnp.load('x', **given)",
        "from numpy.lib.format import read_array\nread_array(f, True)",
        "import numpy as np\nnp.lib.npyio.NpzFile(f, True, True)",
        "import pandas as pd\npd.read_pickle('x')",
        "import polars as pl\npl.DataFrame.deserialize(f)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
        "import yaml\nyaml.load(f, Loader=L)", "import yaml\nyaml.load_all(f, L)",
        "from yaml import unsafe_load as read\nread(f)", "import yaml as y\ny.full_load(f)",
        "import hydra\nhydra.utils.instantiate(c)",
        "from hydra.utils import instantiate\ninstantiate(c)",
        "eval('1')", "import builtins\nbuiltins.eval('1')",
        "from builtins import exec as e\ne('1')",
        "list(map(eval, texts))", "run = exec",
        "import os\nos.system('ls')", "import os as o\no.system('x')",
        "from os import system\nsystem('ls')", "import os\ngetattr(os, 'system')('ls')",
        "import os\nos.popen('ls')", "import os\nos.execvp(a, b)", "from os import *",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess as s\ns.run(f'ls {x}')", "from subprocess import run\nrun(f'ls {x}')",
        "from subprocess import run\nrun('ls ' + x)",
        "from subprocess import Popen as P\nP(args='x')",
        "from subprocess import run\nrun(a, -1, None, None, None, None, None, True, True)",
        "import subprocess\nsubprocess.getoutput('ls')",
        "import asyncio\nasyncio.create_subprocess_shell('x')",
    ],
)  # fmt: skip
def test_every_dangerous_call_is_found(text):
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "import re\nre.compile('x')", "import torch\ntorch.compile(m)", "import json\njson.load(f)",
        "from safetensors.torch import load_file\nload_file('x')", "model.eval()",
        "import numpy as np\nnp.load('x', None, False)", "np.load('x', allow_pickle=False)",
        "import yaml\nyaml.safe_load(f)", "import subprocess\nsubprocess.run(['ls', x])",
        "from torch.nn import *", "from .pickles import x", "FIGURES.load(name)",
    ],
)  # fmt: skip
def test_nothing_else_is(text):
    assert faults(text) == []


def python_of(path: Path) -> str:
    """Return the Python that Snakemake makes of a file of rules."""
    cache = SimpleNamespace(open=lambda file, mode="r": path.open(mode))
    return parse(infer_source_file(path), SimpleNamespace(sourcecache=cache), {})[0]


def test_no_source_can_run_what_data_hold():
    assert len(SOURCES) > 200
    found = {path: faults(path.read_text("utf-8")) for path in SOURCES}
    found |= {path: faults(python_of(path)) for path in RULES}
    named = {path.relative_to(ROOT).as_posix(): what for path, what in found.items() if what}
    assert named == ALLOWED


def test_no_rule_has_a_shell_command_into_which_config_could_go():
    """Each runs one script, by its name."""
    assert len(RULES) > 5
    rules = 0
    for path in RULES:
        text = path.read_text("utf-8")
        assert not re.search(r"^\s*(shell|run|wrapper|notebook|cwl)\s*:", text, re.MULTILINE), path
        tree = ast.parse(python_of(path))
        called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert "shell" not in map(ast.unparse, called), path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("__rule_"):
                (does,) = node.body
                written = ast.unparse(does)
                assert node.name == "__rule_all" or written.startswith("script('../scripts/"), path
                rules += 1
    assert rules > 20


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
