"""From a data section of the config to windows that tasks can use."""

from pathlib import Path

from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.registry import SOURCES
from attnpipe.schema.data import Source


def prepare(spec: Source, *, cache: Path) -> SequenceDataset:
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
    dataset: SequenceDataset = SOURCES.load(spec.kind)(spec, cache=cache)
    return dataset
