"""The command line beside Snakemake's."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_text
from attnpipe.pipeline.describe import describe
from attnpipe.pipeline.describe_text import as_text
from attnpipe.pipeline.frozen import open_plan
from attnpipe.pipeline.pages import pages

CONFIG_FLAGS = ("--config", "-C")
"""Snakemake's; what stands behind them may be copied from its command line."""


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m attnpipe")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "describe",
        help="print the resolved study and what is out of date, without running anything",
        description="Print the resolved study: models, seeds, data, jobs, disk, and which "
        "stages are out of date and why. Nothing is run, no result is written.",
    )
    command.add_argument(
        "override",
        nargs="*",
        help="study=…, scale=…, overrides='…', or single overrides such as seeds=[0,1]",
    )
    command.add_argument("--json", action="store_true", help="machine-readable output")
    commands.add_parser("docs", help="write the pages of docs/ that are generated from the code")
    arguments = [argument for argument in arguments if argument not in CONFIG_FLAGS]
    # argparse takes no overrides after a flag that stands between them
    options = parser.parse_args(sorted(arguments, key=lambda argument: argument == "--json"))
    try:
        root = Path.cwd()
        if not (root / "Snakefile").is_file() or not (root / "config").is_dir():
            raise UserError(
                f"'{root.name}' holds no Snakefile and config; run this in the project folder"
            )
        if options.command == "docs":
            for name, text in pages(root / "config").items():
                write_text(root / "docs" / name, text)
            return 0
        plan = open_plan(root, configuration(options.override), main=True)
        facts = describe(plan, root)
    except UserError as error:
        print(f"attnpipe: {error}", file=sys.stderr)
        return 1
    print(json.dumps(facts, indent=1) if options.json else as_text(facts))
    return 0


def configuration(arguments: Sequence[str]) -> dict[str, str]:
    """Return the `--config` values that the arguments stand for."""
    chosen: dict[str, str] = {}
    single: list[str] = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key in ("study", "scale", "overrides") and equals:
            chosen[key] = value
        else:
            single.append(argument)
    overrides = " ".join([chosen.get("overrides", ""), *single]).strip()
    return chosen | ({"overrides": overrides} if overrides else {})
