"""The machine, and environments for what cannot be installed beside attnpipe."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def one_thread() -> dict[str, str]:
    """Return the environment of a process that uses one thread and no network."""
    return os.environ | dict.fromkeys(THREADS, "1") | {"HF_HUB_OFFLINE": "1"}


def environment(name: str) -> str:
    """Return the Python of an environment with `<name>-requirements.txt`, made if need be."""
    requirements = Path(__file__).with_name(f"{name}-requirements.txt")
    folder = Path.home() / ".cache" / "attnpipe" / f"benchmark-{name}"
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = requirements.read_text()
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {name} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        done.write_text(wanted)
    return str(python)


def instructions() -> str:
    """Return the widest vectors of an x86 processor: others of the same name lack them."""
    flags = Path("/proc/cpuinfo").read_text().split()
    known = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return next((name for flag, name in known.items() if flag in flags), "")


def machine() -> dict[str, str]:
    """Return what decides times."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    processor = model[0] if model else platform.processor()
    return {
        "processor": f"{processor}, {instructions()}" if instructions() else processor,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "scipy", "transformers")},
    }
