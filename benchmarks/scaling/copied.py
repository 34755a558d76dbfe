"""A copy of what of the project is run, without what was run there."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "workflow", "profiles", "src", "pyproject.toml")


def copy_project(folder: Path) -> None:
    """Copy the project's parts to a folder, which is made if need be."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
