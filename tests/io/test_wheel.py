"""Fetching one file of a wheel from a local index."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.space import RESERVE
from attnpipe.io.wheel import default_cache, fetch_member

MEMBER = "tinyindex/data/series.bin"
CONTENT = b"0123456789" * 100


def build_wheel(folder: Path) -> Path:
    path = folder / "tinyindex-1.0-py3-none-any.whl"
    info = "tinyindex-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinyindex/__init__.py", "raise RuntimeError('imported')")
        archive.writestr(MEMBER, CONTENT)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinyindex\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """Return a folder that is pip's only source of wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_member_is_extracted_alone_and_reused_without_an_index(index, tmp_path):
    wheel = build_wheel(index)
    digest, cache = sha256(wheel), tmp_path / "cache"
    path = fetch_member("tinyindex", "1.0", digest, MEMBER, cache)
    assert path.read_bytes() == CONTENT
    files = sorted(p.name for p in cache.rglob("*") if p.is_file())
    assert files == ["series.bin", "series.bin.sha256.json"]
    wheel.unlink()
    assert fetch_member("tinyindex", "1.0", digest.upper(), MEMBER, cache) == path


def test_tampered_cache_is_fetched_anew(index, tmp_path):
    digest, cache = sha256(build_wheel(index)), tmp_path / "cache"
    path = fetch_member("tinyindex", "1.0", digest, MEMBER, cache)
    path.write_bytes(b"something else")
    assert fetch_member("tinyindex", "1.0", digest, MEMBER, cache).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sha256": "0" * 64},
            "tinyindex 1.0 has SHA-256 .* instead of 0000.*data.sha256.*data.path",
        ),
        (
            {"member": "tinyindex/absent.bin"},
            "tinyindex 1.0 has no file 'tinyindex/absent.bin'.*data.path",
        ),
        (
            {"version": "2.0"},
            r"cannot download tinyindex 2.0 \(ERROR: No match.*network.*data.path",
        ),
        ({"max_bytes": 999}, "series.bin' .* has 1000 bytes, more than the limit of 999"),
        ({"section": "models.chat", "version": "2.0"}, "set models.chat.path to a local copy"),
    ],
)
def test_what_cannot_be_had_is_named_with_its_cure(index, tmp_path, change, message):
    digest, cache = sha256(build_wheel(index)), tmp_path / "cache"
    request = {"package": "tinyindex", "version": "1.0", "sha256": digest, "member": MEMBER}
    with pytest.raises(UserError, match=message):
        fetch_member(**(request | {"cache": cache} | change))
    assert [p for p in cache.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"member": "../../escape"}, "data.member is '../../escape'"),
        ({"member": "/etc/passwd"}, "data.member is '/etc/passwd'"),
        ({"member": "a\\..\\b"}, "data.member is"),
        ({"member": ""}, "data.member is ''"),
        ({"package": "--index-url"}, "data.package is '--index-url'"),
        ({"package": "a/../../b"}, "data.package is"),
        ({"version": "1.0 --pre"}, "data.version is '1.0 --pre'"),
    ],
)
def test_names_that_could_lead_elsewhere_are_refused(tmp_path, change, message):
    request = {"package": "tinyindex", "version": "1.0", "sha256": "0" * 64, "member": MEMBER}
    with pytest.raises(UserError, match=message.replace("\\", "\\\\")):
        fetch_member(**(request | {"cache": tmp_path / "cache"} | change))
    assert not (tmp_path / "cache").exists()


def test_damaged_member_is_refused_and_leaves_nothing(index, tmp_path):
    wheel = build_wheel(index)
    wheel.write_bytes(wheel.read_bytes().replace(CONTENT[:20], b"x" * 20, 1))
    cache = tmp_path / "cache"
    with pytest.raises(UserError, match=r"cannot be unpacked .*CRC"):
        fetch_member("tinyindex", "1.0", sha256(wheel), MEMBER, cache)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_unusable_cache_folder_is_named(index, tmp_path):
    digest = sha256(build_wheel(index))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot use the cache folder .*ATTNPIPE_CACHE"):
        fetch_member("tinyindex", "1.0", digest, MEMBER, tmp_path / "file" / "cache")


def test_download_that_fills_the_disk_is_not_blamed_on_the_network(index, tmp_path, monkeypatch):
    said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    pip = subprocess.CompletedProcess([], 1, "", f"{said}\n\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pip)
    digest, cache = sha256(build_wheel(index)), tmp_path / "cache"
    with pytest.raises(UserError, match=r"no space is left .*tinyindex 1.0 .*/cache'.*TMPDIR") as e:
        fetch_member("tinyindex", "1.0", digest, MEMBER, cache)
    assert "network" not in str(e.value)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(("free", "what"), [(-1, "the wheel of tinyindex 1.0"), (999, MEMBER)])
def test_room_is_asked_for_before_a_wheel_is_fetched_and_unpacked(
    index, tmp_path, monkeypatch, free, what
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=RESERVE + free))
    digest, cache = sha256(build_wheel(index)), tmp_path / "cache"
    with pytest.raises(UserError, match=rf"the disk of '.*' has 67 MB free, but '?{what}'? needs"):
        fetch_member("tinyindex", "1.0", digest, MEMBER, cache)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_default_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTNPIPE_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv("ATTNPIPE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "attnpipe"
