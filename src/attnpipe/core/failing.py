"""Runs that their own code ends: one such run does not stop a study."""

import traceback

from attnpipe.core.errors import UserError

OF_THE_MACHINE = (UserError, OSError, MemoryError)
"""What another try may not meet, or what is wrong with more than one run."""


def reason_of_failure(error: Exception, run: str) -> str:
    """Return why a run failed, in one sentence; the traceback goes to stderr.

    Parameters
    ----------
    error
        What a model, its training or its capture raised.
    run
        Of whom, for the sentence: ``model 'lstm', seed 7``.

    Raises
    ------
    Exception
        `error` itself, if it tells of the machine or of the data instead of the run: then the
        job fails, and runs again with the next command.
    """
    said = " ".join(str(error).split()).rstrip(".")
    # torch has no exception of its own for a full memory of the CPU
    if isinstance(error, OF_THE_MACHINE) or "memory" in said.lower():
        raise error
    traceback.print_exception(error)
    kind = type(error).__name__
    return f"{kind}{f': {said}' if said else ''} ({run}): mend its code or take it out of the study"
