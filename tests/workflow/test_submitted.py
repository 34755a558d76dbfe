"""What a cluster gets to run, by an executor that hands it to a shell at once."""

import json
import os

import pytest
from project import Project

PLUGIN = """
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    jobname_prefix: str = field(default="", metadata={"help": "what names of jobs begin with"})


class Executor(RemoteExecutor):
    def additional_general_args(self):
        return "--executor local"

    def run_job(self, job):
        line = self.format_job_exec(job)
        with Path("submitted.jsonl").open("a") as file:
            print(line, file=file)
        subprocess.run(["sh", "-s"], input=line, text=True, check=True)
        self.report_job_submission(SubmittedJobInfo(job))

    async def check_active_jobs(self, active_jobs):
        for job in active_jobs:
            self.report_job_success(job)
        return
        yield

    def cancel_jobs(self, active_jobs):
        pass
"""
TITLE = r"""title='A \'tiny\' "study" of $(>ran) `>ran2` \'or\' \\'"""
SEEN = """A 'tiny' "study" of $(>ran) `>ran2` 'or' \\"""
TARGET = "results/tiny/runs/mlp/seed-1/outcome.json"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project beside an executor that submits to a shell."""
    plugin = tmp_path / "plugins" / "snakemake_executor_plugin_shell" / "__init__.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PLUGIN)
    made = Project.create(tmp_path / "project")
    made.extra_path = [str(tmp_path / "plugins")]
    queue = tmp_path / "bin" / "squeue"  # of this test's cluster: the machine may have another
    queue.parent.mkdir()
    queue.write_text("#!/bin/sh\n")
    queue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{queue.parent}{os.pathsep}{os.environ['PATH']}")
    return made


def test_no_shell_sees_the_config(project):
    config = project.folder / "more.json"
    config.write_text(json.dumps({"scale": "quick"}))
    submit = ["--executor", "shell", "--jobs", "1", "--configfile", config.name]
    project.run(TARGET, *submit, overrides=TITLE)
    (line,) = (project.folder / "submitted.jsonl").read_text().splitlines()
    assert "--config 'frozen=" in line
    assert [part for part in ("title", "ran", "study=", config.name) if part in line] == []
    assert list(project.folder.glob("ran*")) == []
    record = json.loads((project.folder / "results" / "tiny" / "config.json").read_text())
    assert record["config"]["title"] == SEEN
    assert record["choice"]["overrides"].startswith("title=")
    assert (project.folder / TARGET).exists()
