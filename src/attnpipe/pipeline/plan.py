"""All jobs of a study: their inputs, outputs and the one param that decides re-running."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.core.registry import NEAR, nearest
from attnpipe.io.json import canonical
from attnpipe.pipeline.config import Study
from attnpipe.pipeline.files import SeededFiles
from attnpipe.pipeline.files_base import Inputs, StageFiles
from attnpipe.pipeline.files_text import TextFiles
from attnpipe.pipeline.members import fingerprint_key, members
from attnpipe.pipeline.params import StudyParams
from attnpipe.pipeline.params_text import TextParams
from attnpipe.pipeline.paths import RESULTS, SEAL_NAME
from attnpipe.schema.resources import JobResources

RULE_FILES = {
    "trained": ("train", "aggregate", "compression", "report"),
    "saved": ("saved_weights", "aggregate", "report"),
    "text": ("text", "compression", "report"),
}

WILDCARD = re.compile(r"\\{([a-z]+)\\}")
"""A wildcard in an escaped path."""


@dataclass(frozen=True)
class Job:
    """One job: what it reads, writes, and depends on."""

    stage: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    param: str

    @property
    def seal(self) -> str:
        """Name of the job's seal."""
        return SEAL_NAME.get(self.stage, self.stage).format(**self.wildcards)


Task = tuple[str, tuple[tuple[str, str], ...]]
"""A stage and its wildcards, sorted by name."""


def _task(stage: str, wildcards: Mapping[str, str]) -> Task:
    return stage, tuple(sorted(wildcards.items()))


class Makers:
    """Which job makes a file, by its name alone.

    Parameters
    ----------
    patterns
        Stage → output name → path with wildcards in braces.
    """

    def __init__(self, patterns: Mapping[str, Mapping[str, str]]) -> None:
        self._known = [
            (stage, re.compile(WILDCARD.sub(r"(?P<\1>[A-Za-z0-9_-]+)", re.escape(path))))
            for stage, paths in patterns.items()
            for path in paths.values()
        ]

    def of(self, file: str) -> Iterator[Task]:
        """Yield the jobs that would make a file, whether or not the study has them."""
        for stage, pattern in self._known:
            if found := pattern.fullmatch(file):
                yield _task(stage, found.groupdict())


class Plan:
    """Inputs, outputs and params of every stage of a study.

    The Snakefile and `describe` both ask the plan, so that they cannot disagree.

    Parameters
    ----------
    study
        The study.
    fingerprint
        Gives the fingerprint of a script with its members.
    versions
        Version of each package that reports name.
    """

    def __init__(
        self, study: Study, fingerprint: Callable[..., str], versions: Mapping[str, str]
    ) -> None:
        self.study = study
        text = study.mode == "text"
        self._files: StageFiles = TextFiles(study) if text else SeededFiles(study)
        params = TextParams if text else StudyParams
        self._params = params(study, self._files.tables, versions)
        self.versions = versions
        self._fingerprint = fingerprint
        self._known: dict[tuple[str, ...], str] = {}
        self._code: dict[tuple[str, ...], tuple[str, str]] = {}

    @property
    def rule_files(self) -> tuple[str, ...]:
        """Names of the files of rules that this study uses, beside the common ones."""
        return RULE_FILES[self.study.mode]

    def patterns(self, stage: str) -> dict[str, str]:
        """Return the output paths of a stage, with wildcards in braces."""
        return self._files.patterns(stage)

    def out(self, stage: str, **wildcards: Any) -> dict[str, str]:
        """Return the output paths of one job."""
        return self._files.out(stage, **wildcards)

    def resources(self, stage: str) -> JobResources:
        """Return what one job of a stage asks a cluster for."""
        return self.study.spec.resources[stage]

    def inputs(self, stage: str, wildcards: Mapping[str, Any]) -> Inputs:
        """Return the named inputs of one job."""
        return self._files.inputs(stage, wildcards)

    def param(self, stage: str, wildcards: Mapping[str, Any]) -> str:
        """Return the canonical JSON of what a job depends on besides its inputs."""
        key = (stage, *(value for _, value in sorted(wildcards.items())))
        if key not in self._known:  # asked for twice: by the plan's own check, and by Snakemake
            self._known[key] = self._param(stage, wildcards)
        return self._known[key]

    def _param(self, stage: str, wildcards: Mapping[str, Any]) -> str:
        values = self._params.values(stage, wildcards)
        if stage == "report":  # it shows what source made the study
            values["fingerprints"] = self.fingerprints()
        return canonical(values | {"fingerprint": self._code_of(stage, wildcards)[1]})

    def fingerprints(self) -> dict[str, str]:
        """Return every fingerprint of the study: script and members → hash."""
        return dict(self._code_of(stage, wildcards) for stage, wildcards in self._tasks())

    def _code_of(self, stage: str, wildcards: Mapping[str, Any]) -> tuple[str, str]:
        """Return key and fingerprint of what a job runs: the same for all seeds of a model."""
        kind = (stage, *(value for name, value in sorted(wildcards.items()) if name != "seed"))
        if kind not in self._code:
            used = members(stage, wildcards, self.study)
            script = f"{stage}.py"
            self._code[kind] = fingerprint_key(script, used), self._fingerprint(script, used)
        return self._code[kind]

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the study, producers before consumers."""
        return (self.job(stage, wildcards) for stage, wildcards in self._tasks())

    def count(self) -> int:
        """Return how many jobs there are."""
        return sum(1 for _ in self._tasks())

    def jobs_for(self, files: Iterable[str]) -> Iterator[Job]:
        """Yield the jobs that make these files, and all jobs before them, in any order.

        What no job of the study makes is left out.
        """
        left = {_task(stage, wildcards) for stage, wildcards in self._tasks()}
        makers = Makers({stage: self.patterns(stage) for stage, _ in left})
        waiting = list(files)
        while waiting:
            for task in makers.of(waiting.pop()):
                if task in left:
                    left.remove(task)
                    job = self.job(task[0], dict(task[1]))
                    waiting += job.inputs
                    yield job

    def check_targets(self, files: Iterable[str]) -> None:
        """Refuse files that look like results, or would lie beside them, and that no job makes.

        Raises
        ------
        UserError
            Which name in the first of them the study does not have, and the nearest.
        """
        root = f"{RESULTS / self.study.spec.name}/"
        paths = [file for file in files if "/" in file]  # others are names of rules
        tasks = {_task(stage, wildcards) for stage, wildcards in self._tasks()} if paths else set()
        makers = Makers({stage: self.patterns(stage) for stage, _ in tasks})
        for file in paths:
            found = list(makers.of(file))
            if not tasks.isdisjoint(found) or not (found or file.startswith(root)):
                continue
            if not found:
                raise UserError(
                    f"no job of study '{self.study.spec.name}' makes '{file}'; "
                    f"{self._alike(file, root, tasks)}"
                )
            stage, asked = found[0]
            alike = [dict(wildcards) for other, wildcards in tasks if other == stage]
            why = "choose another"
            for name, value in asked:
                known = sorted({wildcards[name] for wildcards in alike})
                if value not in known:
                    why = f"it has no {name} '{value}' there: {nearest(value, known)}"
            raise UserError(f"no job of study '{self.study.spec.name}' makes '{file}'; {why}")

    def _alike(self, file: str, root: str, tasks: Iterable[Task]) -> str:
        """Return a hint: the file of the study whose name is nearest."""
        made = {
            path.removeprefix(root)
            for stage, wildcards in tasks
            for path in self.out(stage, **dict(wildcards)).values()
        }
        close = get_close_matches(file.removeprefix(root), sorted(made), n=1, cutoff=NEAR)
        return f"did you mean '{root}{close[0]}'?" if close else "docs/results.md lists all files"

    def job(self, stage: str, wildcards: Mapping[str, str]) -> Job:
        """Return one job."""
        read: list[str] = []
        for value in self.inputs(stage, wildcards).values():
            read += [value] if isinstance(value, str) else value
        written = tuple(self.out(stage, **wildcards).values())
        return Job(stage, wildcards, tuple(read), written, self.param(stage, wildcards))

    def _tasks(self) -> Iterator[tuple[str, dict[str, str]]]:
        yield from self._text_tasks() if self.study.mode == "text" else self._run_tasks()
        if self.study.shortened:
            yield "compression", {}
        for figure in self.study.spec.figure.show:
            yield "figure", {"figure": figure}
        for stage in ("diagnose", "report", "verify"):
            yield stage, {}

    def _run_tasks(self) -> Iterator[tuple[str, dict[str, str]]]:
        spec, trained = self.study.spec, self.study.trained
        yield "prepare_data" if trained else "list_weights", {"dataset": spec.data.name}
        intervened, shortened = {*self.study.intervened}, {*self.study.shortened}
        for model, seed in self.study.runs:
            run = {"model": model, "seed": str(seed)}
            yield "train" if trained else "import_weights", run
            if self.study.has_attention(model):
                if trained:
                    yield "extract", run
                yield "measure", run
            if (model, seed) in intervened:
                yield "intervene", run
            if (model, seed) in shortened:
                yield "compress", run
        for model in self.study.models:
            yield "aggregate", {"model": model}
        yield "compare", {}
        if trained:
            yield "contrast", {}
            yield "effects", {}

    def _text_tasks(self) -> Iterator[tuple[str, dict[str, str]]]:
        spec = self.study.spec
        for model in spec.models:
            yield "obtain_model", {"model": model}
        yield "prepare_texts", {"dataset": spec.data.name}
        for model, seed in self.study.runs:
            run = {"model": model, "seed": str(seed)}
            for stage in ("extract_text", "measure_text"):
                yield stage, run
            if (model, seed) in self.study.intervened:
                yield "intervene_text", run
            if (model, seed) in self.study.shortened:
                yield "compress_text", run
        for model in spec.models:
            for stage in ("aggregate_text", "export_text"):
                yield stage, {"model": model}
        yield "compare_text", {}
