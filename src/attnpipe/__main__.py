"""`python -m attnpipe`: what a study would do, without doing it."""

import os
import sys

from attnpipe.pipeline.cli import main

try:
    code = main(sys.argv[1:])
    sys.stdout.flush()
except BrokenPipeError:  # as in `describe | head`
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    code = 1
sys.exit(code)
