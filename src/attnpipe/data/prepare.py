"""From a data section of the config to windows or tokens that tasks can use."""

from pathlib import Path

from attnpipe.data.registry import SOURCES
from attnpipe.data.storage import Dataset
from attnpipe.schema.data import Source


def prepare(spec: Source, *, cache: Path) -> Dataset:
    """Read, check, split and scale the data of a study.

    The result depends on `spec` and on the bytes of the source alone, never on a seed of
    the runs.

    Parameters
    ----------
    spec
        The data section; its `kind` chooses the source.
    cache
        Folder for downloads, see `attnpipe.io.wheel.default_cache`.

    Raises
    ------
    UserError
        When the source cannot be had, is faulty, or is too short for the windows asked for.
    """
    dataset: Dataset = SOURCES.load(spec.kind)(spec, cache=cache)
    return dataset
