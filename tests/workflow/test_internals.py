"""What the rules replace of Snakemake's own is there, in the version that is pinned."""

import inspect
import re
from pathlib import Path

import pytest
import snakemake.cli  # noqa: F401 - its modules import each other in a circle, which begins here
from snakemake.dag import DAG
from snakemake.io import _IOFile
from snakemake.jobs import Job, Reason
from snakemake.persistence import PersistenceBase
from snakemake.workflow import Workflow

ROOT = Path(__file__).parents[2]
REPLACED = {
    DAG.check_directory_outputs: ["self"],
    DAG.update_conda_envs: ["self"],
    DAG.update_container_imgs: ["self"],
    Job.is_pipe_or_service_input: ["self", "path"],
    PersistenceBase.has_metadata: ["self", "job"],
    PersistenceBase.has_outdated_metadata: ["self", "job"],
    _IOFile.checksum: ["self", "threshold", "force", "algorithm"],
}


@pytest.mark.parametrize(
    ("method", "arguments"), REPLACED.items(), ids=lambda of: getattr(of, "__name__", "")
)
def test_what_is_replaced_takes_what_its_replacement_takes(method, arguments):
    assert [*inspect.signature(method).parameters] == arguments


def test_what_else_is_replaced_is_there():
    assert callable(Workflow._prepare_dag)
    assert isinstance(_IOFile.is_storage, property)


def test_a_missing_note_is_no_reason_to_run():
    """So that not to look for notes hides nothing."""
    reason = Reason()
    reason.no_metadata = reason.outdated_metadata = True
    assert not reason


def test_every_method_that_the_rules_replace_is_looked_at_here():
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    found = set(re.findall(r"\b(?:DAG|Job|PersistenceBase|_IOFile)\.(\w+) = ", rules))
    assert found - {"is_storage"} <= {method.__name__ for method in REPLACED}
    assert {"has_metadata", "update_conda_envs", "checksum"} <= found
