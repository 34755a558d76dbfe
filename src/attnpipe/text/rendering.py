"""Chat templates rendered in a process of their own, which ends when one asks for too much.

The sandbox keeps a template from files and from Python, but not from loops without end, powers of
huge numbers or texts that double: these only the system can stop. The process runs `sandbox` as a
script, and is kept for the next prompt, as a new one takes a tenth of a second.
"""

import atexit
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from attnpipe.text import sandbox


class RenderError(Exception):
    """Why a template makes no text, in one line."""


class Renderer:
    """A process that renders one template after another; a new one when it had to end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def render(self, source: str, variables: Mapping[str, Any]) -> str:
        """Return what a template makes of variables that JSON can hold.

        Raises
        ------
        RenderError
            When it fails, does what the sandbox forbids, takes more than `sandbox.SECONDS` or
            `sandbox.MEMORY`, or writes more than `sandbox.LONGEST`.
        """
        try:
            answer = self._ask(json.dumps([source, dict(variables)]))
        except BaseException:  # an answer that nobody waited for would be taken for the next one
            self.close()
            raise
        if not answer:
            raise RenderError(_why_ended(self.close()))
        text, reason = json.loads(answer)
        if text is None:
            raise RenderError(reason)
        return str(text)

    def close(self) -> int:
        """End the process; return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with process:  # closes its pipes and waits
            process.kill()
        return process.returncode

    def _ask(self, question: str) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", sandbox.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(question + "\n")
        stdin.flush()
        return stdout.readline()


def _why_ended(status: int) -> str:
    if status == -signal.SIGPROF:
        return f"it takes more than {sandbox.SECONDS} s"
    return f"it ends the process that renders it, with status {status}"


@cache
def renderer() -> Renderer:
    """Return the renderer of this process."""
    made = Renderer()
    atexit.register(made.close)
    return made
