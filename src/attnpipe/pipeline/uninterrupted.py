"""Starts a command that Ctrl-C does not reach before it is ready for it.

A job takes seconds to import what it needs. A blocked signal waits, also through the start of
another program: a Ctrl-C in that time is met by `attnpipe.pipeline.job`, with one sentence.
"""

import os
import shlex
import signal
import sys


def prefix() -> str:
    """Return what stands before the commands of Snakemake's shell.

    The shell itself ignores SIGINT: it would end before its command.
    """
    start = shlex.join([sys.executable, "-I", "-S", __file__])
    return f"set -euo pipefail; trap '' INT; exec {start}"


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
