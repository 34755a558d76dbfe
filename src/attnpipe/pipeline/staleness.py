"""Which jobs are out of date, and why: the plan compared with the seals."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import basename
from pathlib import Path
from typing import Any

from attnpipe.io.seal import Inputs, Seal, is_intact, read_seal, seal_file, sealed_digest
from attnpipe.pipeline.checked import Checked
from attnpipe.pipeline.plan import Job


@dataclass(frozen=True)
class Stale:
    """A job that must run, and the first reason."""

    job: Job
    reason: str


def stale_jobs(
    jobs: Iterable[Job], root: Path, recorded: bool = True, checked: Checked | None = None
) -> Iterator[Stale]:
    """Yield the jobs that are out of date, given in an order of producers first.

    Parameters
    ----------
    jobs
        All jobs of the plan.
    root
        The project folder.
    recorded
        Whether `config.json` holds the planned config; if not, the report is made again.
    checked
        Tells which outputs are intact.
    """
    checked = checked or Checked()
    pending: dict[str, str] = {}
    digests: dict[str, str] = {}
    for job in jobs:
        seal = read_seal(_seal_file(job, root))
        reason = _own_reason(job, seal, root, digests, checked) or _inherited_reason(job, pending)
        if job.stage == "report" and not recorded:
            reason = reason or "config.json holds another config"
        digests |= _digests(job, seal)
        if reason:
            pending |= dict.fromkeys(job.outputs, job.stage)
            yield Stale(job, reason)


def forced_outputs(jobs: Iterable[Job], root: Path, checked: Checked | None = None) -> list[str]:
    """Return outputs whose jobs must run although Snakemake would not see why.

    Snakemake is asked for times alone: it re-runs the consumers of a file that other hands
    changed, does not miss a file whose consumers are complete, and takes what is older for
    unchanged, whatever the clock did. Forced are the producers of: files
    that are not what a finished job with the planned param wrote from these inputs, and
    missing files that a job with outputs has read, or beside which others of their job are left.

    Parameters
    ----------
    jobs
        In an order of producers first, all or some of the plan.
    root
        The project folder.
    checked
        Tells which outputs are intact.
    """
    checked = checked or Checked()
    digests: dict[str, str] = {}
    begun: list[_Begun] = []
    absent: set[str] = set()
    partial: set[str] = set()
    for job in jobs:  # not kept: there may be tens of thousands
        seal = read_seal(_seal_file(job, root))
        digests |= _digests(job, seal)
        missing = [name for name in job.outputs if not os.path.exists(f"{root}/{name}")]
        absent.update(missing)
        if len(missing) < len(job.outputs):
            partial.update(missing)
            there = [name for name in job.outputs if name not in missing]
            if seal and (seal.param != job.param or _damaged(there, seal, root, checked)):
                seal = None
            begun.append(_Begun(job.inputs, job.outputs, seal.inputs if seal else None))
    read = {name for job in begun for name in job.inputs}
    untrusted = {
        name
        for job in begun
        if job.recorded is None or _changed_inputs(job.inputs, job.recorded, root, digests)
        for name in job.outputs
    }
    return sorted((absent & read) | partial | untrusted)


@dataclass(frozen=True)
class _Begun:
    """A job with outputs; what it read, if these are what it wrote with the planned param."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    recorded: Inputs | None


def is_finished(job: Job, root: Path) -> bool:
    """Whether outputs are what the job makes of its inputs as they are, with the planned param."""
    digests = {name: sealed_digest(root / name) or "none" for name in job.inputs}
    return _own_reason(job, read_seal(_seal_file(job, root)), root, digests, Checked()) is None


def _digests(job: Job, seal: Seal | None) -> dict[str, str]:
    """Return output → SHA-256 that a seal states."""
    marks = seal.outputs if seal else {}
    return {n: marks[basename(n)].sha256 for n in job.outputs if basename(n) in marks}


def _damaged(names: Iterable[str], seal: Seal, root: Path, checked: Checked) -> list[str]:
    """Return those of a job's outputs that are not what it wrote."""
    return [
        name
        for name in names
        if not (expected := seal.outputs.get(basename(name)))
        or not checked.is_intact(f"{root}/{name}", expected)
    ]


def _seal_file(job: Job, root: Path) -> str:
    return seal_file(f"{root}/{job.outputs[0]}", job.seal)


def _own_reason(
    job: Job, seal: Seal | None, root: Path, digests: Mapping[str, str], checked: Checked
) -> str | None:
    for name in job.outputs:
        if not os.path.exists(f"{root}/{name}"):
            return f"{name} is missing"
    if seal is None:
        return "was not finished"
    if seal.param != job.param:
        return _difference(json.loads(seal.param), json.loads(job.param))
    if damaged := _damaged(job.outputs, seal, root, checked):
        return f"{damaged[0]} is not what its job wrote"
    return _changed_inputs(job.inputs, seal.inputs, root, digests)


def _changed_inputs(
    inputs: Sequence[str], recorded: Inputs, root: Path, digests: Mapping[str, str]
) -> str | None:
    for name in inputs:
        if name in recorded.sealed:
            changed = digests.get(name, recorded.sealed[name]) != recorded.sealed[name]
        elif name in recorded.outside:
            changed = not is_intact(root / name, recorded.outside[name])
        else:
            return f"new input {name}"
        if changed:
            return f"{name} changed"
    removed = sorted({*recorded.sealed, *recorded.outside} - {*inputs})
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
        if old.keys() != new.keys():  # all that differs has no value
            return f"{key}: {_changed_entries(sorted(old), sorted(new))}".removeprefix(": ")
    if key == "fingerprint":
        return "its source code or a library version changed"
    if key == CHECKSUM:
        return "another part of the config changed, which findings name by its checksum"
    if isinstance(old, list) and isinstance(new, list) and max(map(_length, (old, new))) > SHOWN:
        return f"{key}: {_changed_entries(old, new)}"
    return f"{key}: {_short(old)} → {_short(new)}"


CHECKSUM = "provenance.config_sha256"
"""Key of the param of findings."""
SHOWN = 60
"""Characters of a value that are shown."""


def _length(value: Any) -> int:
    return len(json.dumps(value))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _changed_entries(old: list[Any], new: list[Any]) -> str:
    """Say how many entries of a long list are gone or new, with the first of each."""
    said = [
        f"{len(which)} {word}, e.g. {_short(which[0])}"
        for word, which in (
            ("removed", [entry for entry in old if entry not in new]),
            ("added", [entry for entry in new if entry not in old]),
        )
        if which
    ]
    return "; ".join(said) or "in another order"
