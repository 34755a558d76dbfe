"""The machine, and environments for what cannot be installed beside attnpipe."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("lens-requirements.txt")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def one_thread() -> dict[str, str]:
    """Return the environment of a process that uses one thread and no network."""
    return os.environ | dict.fromkeys(THREADS, "1") | {"HF_HUB_OFFLINE": "1"}


def lens_python() -> str:
    """Return the Python of an environment with TransformerLens, made if it is not there."""
    folder = Path.home() / ".cache" / "attnpipe" / "benchmark-transformer-lens"
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text()
    if not done.exists() or done.read_text() != wanted:
        print("installing TransformerLens …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
        done.write_text(wanted)
    return str(python)


def machine() -> dict[str, str]:
    """Return what decides times."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "scipy", "transformers")},
    }
