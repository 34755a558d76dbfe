"""Runs Snakemake and leaves what its own process and its jobs took.

    python controller.py [--trivial | --first-job] <file> <arguments of snakemake>

The file gets a `Cost` as JSON. With `--first-job` everything ends where the first job would begin:
what was taken so far is planning. With `--trivial` no script is run: in the place of its Python
process an empty one is started and waited for, and its outputs, a few bytes each, and their seal
are written here, in CPU time that is not counted. All else that Snakemake does for a job stays.
"""

import atexit
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from snakemake.cli import main
from snakemake.script import PythonScript

from attnpipe.io.atomic import write_text
from attnpipe.io.seal import Inputs, write_seal
from attnpipe.pipeline.paths import SEAL_NAME

_lock = threading.Lock()
_uncounted = [0.0]


def leave(path: Path) -> None:
    """Write what this process and those that it waited for took so far."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    jobs = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "seconds": own.ru_utime + own.ru_stime - _uncounted[0],
        "megabytes": own.ru_maxrss / 1024,
        "jobs_seconds": jobs.ru_utime + jobs.ru_stime,
        "jobs_megabytes": jobs.ru_maxrss / 1024,
    }
    path.write_text(json.dumps(cost))


def trivial(script: Any, fname: str, edit: bool = False) -> None:
    """Write what a script would have written."""
    subprocess.run(["true"], check=True)
    start = time.thread_time()
    wildcards = dict(script.wildcards.items())
    inputs = Inputs.of(Path(name) for name in script.input)
    written = [Path(name) for name in script.output]
    for path in written:
        write_text(path, f"{script.rulename} {wildcards}\n")
    name = SEAL_NAME.get(script.rulename, script.rulename).format(**wildcards)
    write_seal(name, script.rulename, script.params.spec, written, inputs)
    with _lock:
        _uncounted[0] += time.thread_time() - start


if __name__ == "__main__":
    arguments = sys.argv[1:]
    mode = arguments.pop(0) if arguments[0].startswith("--") else ""
    cost = Path(arguments.pop(0)).resolve()

    def first_job(*_: Any, **__: Any) -> None:
        """Leave at once: nothing of the job is done."""
        leave(cost)
        os._exit(0)

    if mode:
        PythonScript.execute_script = {"--trivial": trivial, "--first-job": first_job}[mode]
    atexit.register(leave, cost)
    main(arguments)
