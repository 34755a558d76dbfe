"""Compile `rows.c` with the machine's C compiler, once, and load it."""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_bytes
from attnpipe.io.wheel import default_cache

_HEADERS = ("add", "hidden", "lanes", "large", "measure", "pairs", "ranks", "visit")
SOURCES = tuple(
    Path(__file__).with_name(name) for name in ("rows.c", *(f"{name}.h" for name in _HEADERS))
)
SHA256 = "cc7ae0d13ed71edab150553aa67f04bb4d0a3a24087a942dab59e91d334d7615"
"""Of all `SOURCES`, checked before use: fingerprints of stages cover Python, and so these too."""

_FAST = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd")
FLAGS = ((*_FAST, "-march=native"), (*_FAST, "-mcpu=native"), ("-O2",))
"""Tried in this order: not every compiler knows every flag."""

_SECONDS = 120.0
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Native:
    """The loaded library, or why there is none.

    Attributes
    ----------
    library
        With the functions of `rows.c`; None: not available.
    note
        Where it is, or why it is not available.
    """

    library: ctypes.CDLL | None
    note: str


def native() -> Native:
    """Return the compiled functions of `rows.c`.

    They are compiled at the first use on a machine, with ``$CC``, ``cc``, ``gcc``, ``clang`` or
    the one in the package ziglang, if it is installed, and kept in ``<cache>/kernel``
    (`io.wheel.default_cache`), under a name made from source, compiler and processor: machines
    that share a home folder do not share instructions. A machine without a compiler is nothing
    unusual, and a compiler that fails a warning (`RuntimeWarning`), for there is another engine
    (`array_rows`).

    Raises
    ------
    UserError
        The sources are not the files that belong to this module.
    """
    with _LOCK:
        return _native()


@cache
def _native() -> Native:
    source = b"".join(path.read_bytes() for path in SOURCES)
    if (found := hashlib.sha256(source).hexdigest()) != SHA256:
        raise UserError(
            f"the C sources in '{SOURCES[0].parent}' have SHA-256 {found}, not {SHA256}: "
            "install attnpipe again (if you changed them, put their hash into native.py)"
        )
    compiler = _compiler()
    if compiler is None:
        return Native(None, "no C compiler: cc, gcc, clang and the package ziglang not found")
    try:
        key = b"\0".join(
            [source, *(x.encode() for x in (*compiler, _version(compiler), _processor()))]
        )
        target = default_cache() / "kernel" / f"{hashlib.sha256(key).hexdigest()[:24]}.so"
        if not _is_whole(target):
            _make(compiler, target)
        return Native(_declared(ctypes.CDLL(str(target))), str(target))
    except (OSError, AttributeError, UserError, subprocess.SubprocessError) as error:
        note = f"rows.c could not be compiled or loaded: {error}"
        warnings.warn(f"the slower attention engine is used: {note}", RuntimeWarning, stacklevel=2)
        return Native(None, note)


def _is_whole(target: Path) -> bool:
    """Return whether a kept library ends in the hash of the rest: loading others may crash."""
    content = target.read_bytes() if target.is_file() else b""
    size = hashlib.sha256().digest_size
    return hashlib.sha256(content[:-size]).digest() == content[-size:]


def _make(compiler: list[str], target: Path) -> None:
    """Compile, and append the hash, which loaders pass over."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "rows.so"
        _compile(compiler, made)
        content = made.read_bytes()
    write_bytes(target, content + hashlib.sha256(content).digest())


def _compiler() -> list[str] | None:
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in (chosen, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def _version(compiler: list[str]) -> str:
    done = subprocess.run(
        [*compiler, "--version"], capture_output=True, text=True, timeout=_SECONDS
    )
    return done.stdout


def _processor() -> str:
    """Return what tells processors with different instructions apart."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = ("model name", "flags", "CPU part", "Features")
    told = sorted({line for line in lines if line.startswith(names)})
    return "\n".join([platform.machine(), platform.processor(), *told])


def _compile(compiler: list[str], target: Path) -> None:
    for flags in FLAGS:
        command = [*compiler, *flags, "-shared", "-fPIC", str(SOURCES[0]), "-o", str(target), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        if done.returncode == 0:
            return
    raise subprocess.SubprocessError(f"{compiler[0]} failed: {done.stderr.strip()[-300:]}")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, i32, i64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    library.attnpipe_scratch_bytes.argtypes = [i32, i32]
    library.attnpipe_scratch_bytes.restype = i64
    library.attnpipe_rows.argtypes = [
        *(pointer, i64, i32, i32),  # scores, stride, rows, width
        *(pointer, pointer, pointer),  # first, last, counted
        *(i32, i32, i32, pointer),  # low, query, queries, asked
        *(pointer, i32),  # removed
        *(pointer, pointer, pointer),  # all, rest, scratch
    ]
    library.attnpipe_rows.restype = None
    library.attnpipe_distances.argtypes = [pointer, i32, i32, i32, pointer, pointer]
    library.attnpipe_distances.restype = None
    return library
