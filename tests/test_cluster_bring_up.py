"""What a machine cannot have is said before anything is installed, and nothing is left running."""

import socket
import time
from contextlib import nullcontext

import pytest
from tests.slurm.cluster import __main__ as main
from tests.slurm.cluster import obstacle, packages, session
from tests.slurm.cluster.obstacle import ObstacleError


class Absent:
    """A cluster that cannot be brought up further than its packages."""

    def claimed(self):
        return nullcontext()


@pytest.fixture
def apt_get(tmp_path, monkeypatch):
    """Put an `apt-get` of these lines before any other, and miss a package."""

    def put(*lines):
        (tmp_path / "apt-get").write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        (tmp_path / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        monkeypatch.setattr(packages, "PROGRAMS", {"no-such-program": "some-package"})
        monkeypatch.setattr(packages, "FETCH_SECONDS", 0.5)

    return put


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            ["echo W: nothing fetched", "echo E: Unable to locate package >&2", "exit 100"],
            "E: Unable to locate package",
        ),
        (["exec sleep 60"], "apt-get update is not done after 0.5 s"),
        (["exit 1"], "apt-get does not say why"),
    ],
)
def test_packages_that_cannot_be_had_are_no_failure(apt_get, capfd, lines, why):
    apt_get(*lines)
    assert main.around(Absent(), 1, ["false"]) == 0
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("NOT RUN: ")
    assert last.endswith(f"some-package cannot be installed: {why}")


def test_packages_that_cannot_be_unpacked_are_a_failure(apt_get, tmp_path, monkeypatch):
    apt_get('case "$*" in *--no-download*) echo broken; exit 100;; esac')
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy")
    with pytest.raises(SystemExit, match="apt-get install failed:\nbroken"):
        main.around(Absent(), 1, ["false"])
    assert not (tmp_path / "policy").exists()


def test_one_cluster_per_host(tmp_path, monkeypatch):
    monkeypatch.setattr(obstacle, "LOCK", tmp_path / "lock")
    with (
        obstacle.alone(),
        pytest.raises(ObstacleError, match="another process"),
        obstacle.alone(),
    ):
        pass
    with obstacle.alone():
        pass


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ObstacleError, match=f"port {port} is taken"):
            obstacle.check_free([port])
    obstacle.check_free([port])


def test_a_host_whose_name_has_no_address_is_named(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    with pytest.raises(ObstacleError, match=r"'no-such-host\.invalid', has no address"):
        obstacle.address()


@pytest.mark.parametrize(("sleeps", "limit", "code"), [(0, 60, 0), (60, 1, session.TIME_IS_UP)])
def test_nothing_outlives_a_command_however_that_ends(tmp_path, sleeps, limit, code):
    pid = tmp_path / "pid"
    # with -m, a child gets a process group of its own
    starts = f"set -m; sleep 60 & echo $! >'{pid}'; sleep {sleeps}"
    assert session.run(["sh", "-c", starts], limit) == code
    end = time.monotonic() + 5
    while session.stat(int(pid.read_text()))[:1] not in ([], ["Z"]):
        assert time.monotonic() < end
        time.sleep(0.01)
