"""Libraries that talk: silent inside, as they were afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import logging as hub
from transformers.utils import logging


@contextmanager
def quiet() -> Iterator[None]:
    """Neither log lines nor progress bars of transformers and its hub."""
    verbosity, hub_verbosity = logging.get_verbosity(), hub.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        hub.set_verbosity(hub_verbosity)
        if bars:
            logging.enable_progress_bar()
