"""Which jobs are out of date, and why: the plan compared with the seals."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnpipe.io.seal import Inputs, Seal, is_intact, read_seal, seal_path
from attnpipe.pipeline.plan import Job


@dataclass(frozen=True)
class Stale:
    """A job that must run, and the first reason."""

    job: Job
    reason: str


def stale_jobs(jobs: Iterable[Job], root: Path, recorded: bool = True) -> Iterator[Stale]:
    """Yield the jobs that are out of date, given in an order of producers first.

    Parameters
    ----------
    jobs
        All jobs of the plan.
    root
        The project folder.
    recorded
        Whether `config.json` holds the planned config; if not, the report is made again.
    """
    pending: dict[str, str] = {}
    digests: dict[str, str] = {}
    for job in jobs:
        seal = read_seal(_seal_file(job, root))
        reason = _own_reason(job, seal, root, digests) or _inherited_reason(job, pending)
        if job.stage == "report" and not recorded:
            reason = reason or "config.json holds another config"
        digests |= _digests(job, seal)
        if reason:
            pending |= dict.fromkeys(job.outputs, job.stage)
            yield Stale(job, reason)


def forced_outputs(jobs: Iterable[Job], root: Path) -> list[str]:
    """Return outputs whose jobs must run although Snakemake would not see why.

    Snakemake re-runs the consumers of a file that other hands changed, trusts any file
    where its own notes are lost, does not miss a file whose consumers are complete, and takes
    what is older for unchanged, whatever the clock did. Forced are the producers of: files
    that are not what a finished job with the planned param wrote from these inputs, and
    missing files that a job with outputs has read.
    """
    planned = list(jobs)
    seals = [read_seal(_seal_file(job, root)) for job in planned]
    digests: dict[str, str] = {}
    for job, seal in zip(planned, seals, strict=True):
        digests |= _digests(job, seal)
    read: set[str] = set()
    untrusted: set[str] = set()
    for job, seal in zip(planned, seals, strict=True):
        if any((root / name).exists() for name in job.outputs):
            read |= {*job.inputs}
            if not _is_trusted(job, seal, root, digests):
                untrusted |= {*job.outputs}
    missing = {n for job in planned for n in job.outputs if n in read and not (root / n).exists()}
    return sorted(missing | untrusted)


def is_finished(job: Job, root: Path) -> bool:
    """Whether outputs are what the job makes of its inputs as they are, with the planned param."""
    return _own_reason(job, read_seal(_seal_file(job, root)), root, {}) is None


def _is_trusted(job: Job, seal: Seal | None, root: Path, digests: Mapping[str, str]) -> bool:
    return (
        seal is not None
        and seal.param == job.param
        and not _damaged(job, seal, root)
        and not _changed_inputs(job, seal.inputs, root, digests)
    )


def _digests(job: Job, seal: Seal | None) -> dict[str, str]:
    """Return output → SHA-256 that a seal states."""
    marks = seal.outputs if seal else {}
    return {n: marks[Path(n).name].sha256 for n in job.outputs if Path(n).name in marks}


def _damaged(job: Job, seal: Seal, root: Path) -> list[str]:
    """Return the existing outputs of a job that are not what it wrote."""
    found = []
    for name in job.outputs:
        expected = seal.outputs.get(Path(name).name)
        if (root / name).exists() and not (expected and is_intact(root / name, expected)):
            found.append(name)
    return found


def _seal_file(job: Job, root: Path) -> Path:
    return seal_path(root / job.outputs[0], job.seal)


def _own_reason(job: Job, seal: Seal | None, root: Path, digests: Mapping[str, str]) -> str | None:
    for name in job.outputs:
        if not (root / name).exists():
            return f"{name} is missing"
    if seal is None:
        return "was not finished"
    if seal.param != job.param:
        return _difference(json.loads(seal.param), json.loads(job.param))
    if damaged := _damaged(job, seal, root):
        return f"{damaged[0]} is not what its job wrote"
    return _changed_inputs(job, seal.inputs, root, digests)


def _changed_inputs(
    job: Job, recorded: Inputs, root: Path, digests: Mapping[str, str]
) -> str | None:
    for name in job.inputs:
        if name in recorded.sealed:
            changed = digests.get(name, recorded.sealed[name]) != recorded.sealed[name]
        elif name in recorded.outside:
            changed = not is_intact(root / name, recorded.outside[name])
        else:
            return f"new input {name}"
        if changed:
            return f"{name} changed"
    removed = sorted({*recorded.sealed, *recorded.outside} - {*job.inputs})
    return f"no longer reads {removed[0]}" if removed else None


def _inherited_reason(job: Job, pending: Mapping[str, str]) -> str | None:
    stages = sorted({pending[name] for name in job.inputs if name in pending})
    return f"follows {', '.join(stages)}" if stages else None


def _difference(old: Any, new: Any, key: str = "") -> str:
    """Return the first difference between two params as 'key: old → new'."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new), key=lambda n: (n == "fingerprint", n)):
            if old.get(name) != new.get(name):
                return _difference(old.get(name), new.get(name), f"{key}.{name}".lstrip("."))
    if key == "fingerprint":
        return "its source code or a library version changed"
    return f"{key}: {json.dumps(old)} → {json.dumps(new)}"
