"""Every stored file of a study: whatever happens to it, its producer runs again."""

import os
import shutil
from pathlib import Path

import pytest
from unverified import flipped, taken_unverified

from attnpipe.core.errors import UserError
from attnpipe.io.seal import read_seal, verify, write_seal
from attnpipe.pipeline.frozen import open_plan
from attnpipe.pipeline.staleness import forced_outputs, stale_jobs


class Stored:
    """A finished study whose files are damaged and put back."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.plan = open_plan(folder, {"study": "tiny"}, main=True)
        self.jobs = list(self.plan.jobs())
        self.outputs = [name for job in self.jobs for name in job.outputs]

    def producers(self, *names: str) -> set[str]:
        """Return all outputs of the jobs that make these files."""
        return {n for job in self.jobs if {*names} & {*job.outputs} for n in job.outputs}

    def forced(self) -> set[str]:
        return set(forced_outputs(self.jobs, self.root))

    def reasons(self) -> list[str]:
        return [stale.reason for stale in stale_jobs(self.jobs, self.root)]

    def of_both_runs(self) -> list[tuple[Path, Path]]:
        """Return the files of two runs in pairs, and their seals."""
        runs = [(self.root / f"results/tiny/runs/pool/seed-{seed}").iterdir() for seed in (1, 2)]
        return list(zip(*map(sorted, runs), strict=True))

    def put(self, path: Path, content: bytes, like: os.stat_result | None = None) -> None:
        """Replace a file; `like`: with the times that it had, as a fault of the disk does."""
        path.write_bytes(content)
        if like:
            os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))


@pytest.fixture(scope="module")
def stored(finished, tmp_path_factory):
    """A clone of the finished study: every test leaves it as it was."""
    project = finished.clone(tmp_path_factory.mktemp("damage") / "project")
    before = Path.cwd()
    os.chdir(project.folder)
    yield Stored(project.folder)
    os.chdir(before)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def test_nothing_is_wrong_with_a_finished_study(stored):
    assert stored.forced() == set()
    assert stored.reasons() == []
    suffixes = {Path(name).suffix for name in stored.outputs}
    assert suffixes >= {".parquet", ".csv", ".safetensors", ".json", ".png", ".svg", ".html", ".md"}


@pytest.mark.parametrize("damage", [flipped, cut])
def test_a_damaged_file_of_any_kind_is_named_and_its_producer_runs(stored, damage):
    for name in stored.outputs:
        path = stored.root / name
        content, stat = path.read_bytes(), path.stat()
        stored.put(path, damage(content))
        assert stored.forced() == stored.producers(name), name
        assert stored.reasons()[0] == f"{name} is not what its job wrote"
        stored.put(path, content, like=stat)
    assert stored.forced() == set()


def test_a_missing_file_is_made_again_even_if_nothing_reads_it(stored):
    several = [job for job in stored.jobs if len(job.outputs) > 1]
    assert any(name.endswith(".csv") for job in several for name in job.outputs)
    for name in (name for job in several for name in job.outputs):
        path = stored.root / name
        content, stat = path.read_bytes(), path.stat()
        path.unlink()
        assert stored.forced() == {name}
        assert stored.reasons()[0] == f"{name} is missing"
        stored.put(path, content, like=stat)
    assert stored.forced() == set()


def test_a_flipped_byte_that_left_no_trace_is_refused_by_who_reads_it(stored):
    """Size and time look right, as after a fault of the disk."""
    read = {name for job in stored.jobs for name in job.inputs} & {*stored.outputs}
    assert {Path(n).suffix for n in read} >= {".parquet", ".safetensors", ".json", ".png", ".svg"}
    for name in sorted(read):
        path = stored.root / name
        content, stat = path.read_bytes(), path.stat()
        stored.put(path, flipped(content), like=stat)
        with pytest.raises(UserError, match=r"is not what its job wrote \(checksum differs\); run"):
            verify(path)
        assert stored.forced() == stored.producers(name), name
        stored.put(path, content, like=stat)
    assert stored.forced() == set()


def test_every_script_refuses_every_input_with_such_a_byte(stored, monkeypatch):
    stages, taken = taken_unverified(stored.plan, monkeypatch)
    assert taken == []
    assert stages == {job.stage for job in stored.jobs} - {"prepare_data"}, "it reads from outside"
    assert stored.forced() == set(), "nothing was written"


def test_a_damaged_seal_vouches_for_nothing(stored):
    seals = sorted((stored.root / "results/tiny").rglob(".*.seal.json"))
    assert len(seals) == len(stored.jobs)
    for path in seals:
        content = path.read_bytes()
        (job,) = [
            job for job in stored.jobs
            if (stored.root / job.outputs[0]).parent == path.parent
            and path.name == f".{job.seal}.seal.json"
        ]  # fmt: skip
        for at in range(0, len(content), max(1, len(content) // 9)):
            for harmed in (content[:at], content[:at] + b"7" + content[at + 1 :]):
                if harmed == content:
                    continue
                path.write_bytes(harmed)
                assert stored.forced() == {*job.outputs}, (path.name, at)
        path.write_bytes(content)


def test_a_file_swapped_between_runs_is_noticed(stored):
    pairs = [p for p in stored.of_both_runs() if not p[0].name.startswith(".")]
    assert {a.suffix for a, _ in pairs} == {".parquet", ".safetensors", ".json"}
    for pair in pairs:
        if pair[0].read_bytes() == pair[1].read_bytes():  # probes of runs are the same
            continue
        swap([pair])
        names = [path.relative_to(stored.root).as_posix() for path in pair]
        assert stored.forced() == stored.producers(*names)
        assert "is not what its job wrote" in stored.reasons()[0]
        swap([pair])
    assert stored.forced() == set()


def test_runs_swapped_as_a_whole_are_noticed(stored):
    """With the seals that vouch for them: these name the run, and who read it knows its bytes."""
    pairs = stored.of_both_runs()
    swap(pairs)
    names = [path.relative_to(stored.root).as_posix() for pair in pairs for path in pair]
    assert stored.forced() > stored.producers(*names)
    assert stored.reasons()[0] == "seed: 2 → 1"
    swap(pairs)
    assert stored.forced() == set()


def swap(pairs):
    for a, b in pairs:
        aside = a.with_name("aside")
        a.rename(aside)
        b.rename(a)
        aside.rename(b)


def test_who_read_what_is_now_replaced_runs_again(stored):
    """A producer that ran anew and was stopped before its consumers did: times say nothing."""
    folder = stored.root / "results/tiny/runs/pool/seed-1"
    kept = shutil.copytree(folder, stored.root / "kept")
    replaced = (folder / "history.parquet").relative_to(stored.root).as_posix()
    (train,) = [job for job in stored.jobs if replaced in job.outputs]
    (stored.root / replaced).write_bytes(b"of another training")
    inputs = read_seal(folder / ".train.seal.json").inputs
    write_seal("train", "train", train.param, [stored.root / n for n in train.outputs], inputs)
    readers = [job for job in stored.jobs if replaced in job.inputs]
    assert stored.forced() == {name for job in readers for name in job.outputs}
    assert stored.reasons()[0] == f"{replaced} changed"
    shutil.rmtree(folder)
    kept.rename(folder)
    assert stored.forced() == set()
