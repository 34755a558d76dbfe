"""The cluster that `python -m tests.slurm.cluster` brought up, shared by all workers."""

import fcntl
import os
import shutil
from contextlib import ExitStack, contextmanager

import pytest
from tests.slurm.cluster.cluster import Cluster
from tests.slurm.cluster.packages import search_path
from tests.slurm.controller import SHOWN, TITLE, Controller
from tests.workflow.project import Project


def pytest_terminal_summary(terminalreporter):
    """Print what the accounting has of a study."""
    passed = terminalreporter.stats.get("passed", [])
    for name, row in (told for report in passed for told in report.user_properties):
        if name == SHOWN:
            terminalreporter.write_line(f"{name}: {row}")


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/slurm/" in str(item.path):
            item.add_marker(pytest.mark.cluster)


@contextmanager
def locked(path, how):
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


def attached(how):
    os.environ["PATH"] = search_path()
    cluster = Cluster()
    if not cluster.answers():
        pytest.fail("no cluster runs: python -m tests.slurm.cluster up, or make test-slurm")
    with locked(cluster.folder / "tests.lock", how):
        yield cluster


@pytest.fixture(scope="module")
def cluster():
    """The cluster, beside other tests."""
    yield from attached(fcntl.LOCK_SH)


@pytest.fixture(scope="module")
def whole_cluster():
    """The cluster alone: for tests that break it."""
    yield from attached(fcntl.LOCK_EX)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The results of a machine without a cluster, made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "undisturbed"
    with locked(shared.with_suffix(".lock"), fcntl.LOCK_EX):
        if not (shared / "done").exists():
            shutil.rmtree(shared, ignore_errors=True)
            Project.create(shared / "project").run(overrides=TITLE)
            (shared / "done").touch()
    return shared / "project" / "results" / "tiny"


@pytest.fixture
def controlled(tmp_path):
    """Return a project of one's own on a cluster."""
    with ExitStack() as ends:
        yield lambda cluster: ends.enter_context(
            Controller(Project.create(tmp_path / "project"), cluster)
        )
