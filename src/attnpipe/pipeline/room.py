"""Whether the results of a study fit on their disk, as far as can be told beforehand."""

import shutil
from pathlib import Path

from attnpipe.pipeline.disk import disk_bytes
from attnpipe.pipeline.parameters import known_parameters, most_parameters
from attnpipe.pipeline.paths import RESULTS
from attnpipe.pipeline.plan import Plan


def lacking(root: Path, study: str, size: int) -> str | None:
    """Return a sentence if results will take more than their disk has free, else None.

    Parameters
    ----------
    root
        The project folder.
    study
        Name of the study.
    size
        Bytes that its results take. What lies in their folder, of models that were removed,
        too, counts as there already.
    """
    folder = root / RESULTS / study
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if size <= free:
            return None
        need = size - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError:  # a file that vanishes: whoever writes says what cannot be written
        return None
    if need <= free:
        return None
    return (
        f"'{RESULTS}/{study}' will take about {size_in_words(need)} more, but its disk has "
        f"{size_in_words(free)} free; free space or make the study smaller (fewer seeds, smaller "
        "models, a larger training.capture_every)"
    )


def shortage(plan: Plan, root: Path) -> str | None:
    """Return the sentence of `lacking` for a study that is about to run.

    Parameters are counted, which takes torch and two seconds, only where a bound on them does
    not fit. The weights of pretrained models are left out: to obtain one looks at the disk.
    """
    study, jobs = plan.study, plan.count()
    if lacking(root, study.spec.name, disk_bytes(study, most_parameters(study), jobs)) is None:
        return None
    parameters = known_parameters(plan, root, []) if study.trained else {}
    return lacking(root, study.spec.name, disk_bytes(study, parameters, jobs))


def size_in_words(size: int) -> str:
    """Return a number of bytes as a person reads it."""
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.1f} GiB"
