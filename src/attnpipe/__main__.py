"""`python -m attnpipe`: what a study would do, without doing it."""

import sys

from attnpipe.pipeline.cli import main

sys.exit(main(sys.argv[1:]))
