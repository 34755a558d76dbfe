"""Building one model imports the modules of that model only."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pydantic import TypeAdapter
from attnpipe.models.build import count_parameters
from attnpipe.schema.model import ModelSpec
count_parameters(TypeAdapter(ModelSpec).validate_json(sys.argv[1]), 2, 3)
print(*sorted(m for m in sys.modules if m.startswith("attnpipe.models.")))
"""
MLP = '{"label": "a", "kind": "mlp", "input": "last", "hidden": [2]}'
SIMPLE = (
    '{"label": "a", "baseline": "b", "kind": "lstm", "hidden": 2, "layers": 1, '
    '"attention": {"kind": "simple"}}'
)


@pytest.mark.parametrize(
    ("spec", "members"), [(MLP, {"mlp"}), (SIMPLE, {"lstm", "simple"})], ids=["mlp", "simple"]
)
def test_other_models_stay_unimported(spec: str, members: set[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, spec]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = {m.removeprefix("attnpipe.models.") for m in out.split()}
    assert loaded & {"mlp", "lstm", "simple", "additive", "scaled_dot"} == members
