"""Whether the recurrent models of a finished study forecast better than the trivial predictor.

Run in the project folder:

    python benchmarks/skill.py [study=… overrides…] [--check]

Prints skill with its 95 % interval over seeds and test units. With `--check` the exit code is
not 0 unless every lower bound is above 0.
"""

import argparse
from pathlib import Path

import polars as pl

from attnpipe.pipeline.cli import configuration
from attnpipe.pipeline.frozen import open_plan
from attnpipe.schema.model import LstmModel


def main() -> None:
    """Print a line per recurrent model, the weakest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("override", nargs="*", help="study=…, scale=…, overrides")
    parser.add_argument("--check", action="store_true", help="fail unless all have skill")
    options = parser.parse_args()
    study = open_plan(Path.cwd(), configuration(options.override), main=True).study
    recurrent = [n for n, of in study.spec.models.items() if isinstance(of, LstmModel)]
    path = Path("results") / study.spec.name / "aggregate" / "comparisons.csv"
    if not path.exists():
        raise SystemExit("finish the study first")
    table = pl.read_csv(path, infer_schema_length=None).filter(
        pl.col("model").is_in(recurrent), level="skill", metric="skill"
    )
    for row in table.sort("lo95").iter_rows(named=True):
        print(f"{row['model']:<24}{row['value']:>7.3f} [{row['lo95']:.3f}, {row['hi95']:.3f}]")
    skilled = table.filter(pl.col("lo95") > 0)["model"].to_list()
    if options.check and (missing := sorted(set(recurrent) - set(skilled))):
        raise SystemExit(f"no skill: {', '.join(missing)}")


if __name__ == "__main__":
    main()
