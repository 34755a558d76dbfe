"""The C engine is compiled once, checked, and done without where it cannot be had."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from attnpipe.attention.kernel import native as module
from attnpipe.attention.kernel.fused import FusedBattery
from attnpipe.core.errors import UserError
from attnpipe.schema.analysis import MetricsSpec

pytestmark = pytest.mark.skipif(module._compiler() is None, reason="no C compiler")


FLAGS, QUICK = module.FLAGS, (("-O0",),)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give each test a cache of its own, and a compiler that is quick."""
    monkeypatch.setenv("ATTNPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "FLAGS", QUICK)
    module._native.cache_clear()
    yield
    module._native.cache_clear()


def hide_compilers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)


def fake_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    path = tmp_path / "fake-cc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))


def test_the_hash_is_that_of_the_sources() -> None:
    files = sorted(module.SOURCES[0].parent.glob("*.[ch]"))
    assert files == sorted(module.SOURCES)
    content = b"".join(path.read_bytes() for path in module.SOURCES)
    assert hashlib.sha256(content).hexdigest() == module.SHA256


def test_a_changed_source_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = tmp_path / "ranks.h"
    changed.write_bytes(module.SOURCES[1].read_bytes() + b"\n")
    monkeypatch.setattr(module, "SOURCES", (module.SOURCES[0], changed))
    for kind in (None, "native"):
        with pytest.raises(UserError, match=r"have SHA-256 .*, not .*: install"):
            FusedBattery(MetricsSpec(), kind)
    assert FusedBattery(MetricsSpec(), "array").engine.name == "array"


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = module.native()
    kept, content = Path(found.note), Path(found.note).read_bytes()
    module._native.cache_clear()
    monkeypatch.setattr(module, "FLAGS", (("--no-such-flag",),))  # compiling again would fail
    assert module.native().library is not None
    assert kept.read_bytes() == content
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_library_is_made_again(damage: str) -> None:
    kept = Path(module.native().note)
    content = kept.read_bytes()
    broken = {"cut": content[:5000], "flipped": content[:-1] + b"\0"}[damage]
    kept.unlink()  # the loaded file itself must not be written to
    kept.write_bytes(broken)
    module._native.cache_clear()
    assert module.native().library is not None
    assert module._is_whole(kept)


def test_without_a_compiler_the_array_engine_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide_compilers(monkeypatch, tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert FusedBattery(MetricsSpec()).engine.name == "array"
    with pytest.raises(UserError, match=r"no C compiler: .*not found\): install gcc, or"):
        FusedBattery(MetricsSpec(), "native")


def test_the_package_ziglang_compiles_where_the_machine_has_no_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = shutil.which(module._compiler()[0])
    package, log = tmp_path / "packages" / "ziglang", tmp_path / "log"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(
        "import subprocess, sys\n"
        "assert sys.argv[1] == 'cc'\n"
        f"print(*sys.argv[1:], file=open({str(log)!r}, 'a'))\n"
        f"env = {{'PATH': {os.environ['PATH']!r}}}\n"
        f"sys.exit(subprocess.run([{compiler!r}, *sys.argv[2:]], env=env).returncode)\n"
    )
    hide_compilers(monkeypatch, tmp_path)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)
    assert FusedBattery(MetricsSpec()).engine.name == "native"
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["cc", "--version"],
        ["cc", *QUICK[0]],
    ]


@pytest.mark.slow
def test_the_real_package_ziglang_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    (wanted,) = extras["optional-dependencies"]["compiler"]
    packages = tmp_path / "packages"
    install = ["-m", "pip", "install", "--quiet", "--target", str(packages), wanted]
    subprocess.run([sys.executable, *install], check=True)
    hide_compilers(monkeypatch, tmp_path)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
    monkeypatch.setattr(module, "FLAGS", FLAGS)
    assert FusedBattery(MetricsSpec()).engine.name == "native"


def test_a_compiler_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_compiler(monkeypatch, tmp_path, "echo out of order >&2; exit 1")
    with pytest.warns(RuntimeWarning, match=r"slower .*fake-cc failed: out of order"):
        assert FusedBattery(MetricsSpec()).engine.name == "array"
    with pytest.raises(UserError, match="out of order"):
        FusedBattery(MetricsSpec(), "native")


def test_a_library_without_the_functions_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = 'for word; do [ "$last" = -o ] && target=$word; last=$word; done'
    fake_compiler(
        monkeypatch,
        tmp_path,
        f'{target}\necho "int x;" | cc -shared -x c - -o "${{target:-/dev/null}}"',
    )
    with pytest.warns(RuntimeWarning, match="attnpipe_scratch_bytes"):
        assert module.native().library is None


def test_an_old_compiler_gets_plain_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "FLAGS", (("-march=native",), *QUICK))
    refuse = 'case "$*" in *native*) echo no such processor >&2; exit 1;; esac'
    fake_compiler(monkeypatch, tmp_path, f'{refuse}\nexec cc "$@"')
    assert module.native().library is not None


def test_processes_may_compile_at_the_same_time(tmp_path: Path) -> None:
    code = (
        "from attnpipe.attention.kernel import native; "
        f"native.FLAGS = {QUICK}; print(native.native().note)"
    )
    env = os.environ | {"ATTNPIPE_CACHE": str(tmp_path / "shared")}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    notes = {process.communicate(timeout=120)[0].strip() for process in started}
    assert len(notes) == 1
    (kept,) = (tmp_path / "shared" / "kernel").iterdir()
    assert notes == {str(kept)}
    assert module._is_whole(kept)
