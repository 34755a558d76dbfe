"""One cluster for all tests; a machine that cannot have one says why."""

import os
import shutil

import pytest
from tests.slurm.cluster.cluster import Cluster
from tests.slurm.cluster.packages import obstacle, search_path
from tests.slurm.controller import Controller
from tests.workflow.project import Project


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/slurm/" in str(item.path):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster():
    reason = obstacle()
    if reason is not None:
        pytest.skip(f"no test cluster on this machine: {reason}")
    os.environ["PATH"] = search_path()
    cluster = Cluster()
    cluster.up()
    yield cluster
    cluster.down()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The study as one machine without a cluster makes it."""
    project = Project.create(tmp_path_factory.mktemp("undisturbed") / "project")
    project.run()
    return project.folder / "results" / "tiny"


@pytest.fixture
def controller(cluster, tmp_path):
    """A project of one's own on the cluster; what is left of its jobs is cancelled."""
    project = Project.create(tmp_path / "project")
    yield Controller(project, cluster)
    cluster.cancel_all()
    shutil.rmtree(project.folder / "results", ignore_errors=True)
