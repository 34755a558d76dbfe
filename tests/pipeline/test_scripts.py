"""Scripts of the workflow and packages import no more than they need."""

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
WITH_TORCH = {
    "train", "extract", "intervene", "compress",
    "obtain_model", "extract_text", "intervene_text", "compress_text",
}  # fmt: skip

# Runs the imports of one script after the other, and tells after which of them torch was there.
PROGRAM = """
import json, sys
for name, imports in json.loads(sys.argv[1]).items():
    exec(imports)
    assert "torch" not in sys.modules, name
"""


def imports_of(script):
    tree = ast.parse(script.read_text())
    found = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, found))


def run(scripts):
    imports = json.dumps({script.stem: imports_of(script) for script in scripts})
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, imports], capture_output=True, text=True, check=False
    )


def test_jobs_that_need_no_torch_do_not_pay_for_it():
    scripts = sorted(SCRIPTS.glob("*.py"))
    assert {script.stem for script in scripts} > WITH_TORCH
    done = run([script for script in scripts if script.stem not in WITH_TORCH])
    assert done.returncode == 0, done.stderr


def test_a_script_that_imports_torch_is_found():
    done = run([SCRIPTS / "aggregate.py", SCRIPTS / "train.py"])
    assert done.stderr.strip().endswith("AssertionError: train")


def test_init_files_are_empty():
    """Importing a package imports nothing: fingerprints and start-up times rest on that."""
    files = list((ROOT / "src").rglob("__init__.py"))
    assert len(files) > 20
    assert [file for file in files if file.read_bytes()] == []
