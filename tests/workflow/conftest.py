import fcntl
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished tiny study, made once for all workers; tests work on clones of it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished-study"
    with (shared.parent / "finished-study.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            shutil.rmtree(shared, ignore_errors=True)
            Project.create(shared / "project").run()
            (shared / "done").touch()
    return Project(shared / "project")


@pytest.fixture
def project(finished, tmp_path):
    """A finished study of one's own."""
    return finished.clone(tmp_path / "project")
