"""The table of error rates as `docs/calibration.md`: ``python -m tests.calibration.page``."""

from pathlib import Path

import polars as pl
from tests.calibration.cases import NAMES, calibrated
from tests.calibration.picture import draw
from tests.calibration.published import TABLE as WORDS
from tests.calibration.sweep import TABLE as RATES
from tests.calibration.tabulate import TABLE
from tests.calibration.targets import AT_MARGIN, misses
from tests.calibration.train import stored

from attnpipe.data.synthetic.cases import CASES

TITLES = (
    "case", "right", "seeds", "groups", "right, %", "inconclusive, %", "wrong, %", "upper",
    "misses",
)  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
HEAD = """\
# How often verdicts are wrong

Tasks whose right diagnosis is known, because their generator says what is needed
(`src/attnpipe/data/synthetic/cases.py`); each is a study that anyone can run:

```
snakemake --cores 4 --config study=ground_truth overrides='ground_truth=recall'
```

For the table, many seeds are trained at once (`tests/calibration/batched.py`; a test holds it to
the pipeline's own training and interventions), ten seeds to a dataset, and every group of seeds is
judged by the pipeline's own functions, from losses to verdict:

```
make calibrate                  # what was not judged yet: hours, resumable; then this page
make calibrate ARGS=--anew      # all of it, as if nothing were stored
```

Losses lie in `results/calibration`, on the machine that trained them; the repository keeps the
verdicts (`tests/calibration/verdicts.csv`), and effects of forty seeds for the gates below. The
first command does not train again what has a verdict. The second trains whatever is not in
`results/calibration`, judges it, and makes tables and page of nothing else; interrupted, it goes
on. To repeat one line: `python -m tests.calibration.train recall --anew`, `python -m
tests.calibration.tabulate recall --anew` (fifty seeds of `lag` with all arms took 59 to 65
CPU-seconds, of `recall` 41; `--groups 5` trains no more than these). `git restore
tests/calibration` brings the stored tables back.

Where there is a GPU, `python -m tests.calibration.train --device cuda --chunks 10` trains fifty
groups together. So the seeds of this table were trained: all cases beside each other in three
minutes on one NVIDIA H200 (torch 2.11), and judged there by sixteen cores in three more. The test
that holds the stacked training to the pipeline's own passes on that GPU, too; the first fifty
seeds of `lag`, trained by a CPU as well, were given the same verdicts.

INCONCLUSIVE is no error. *Wrong* is any other name than the right one; its upper bound is the
97.5 % limit of Clopper and Pearson. They take groups as independent, but two groups of five seeds
and three of three share the dataset of their ten: where it is the data that mislead, these bounds
are too low. δ = 0.02 of the model's skill. Targets (`tests/calibration/targets.py`): wrong at most
5 %, its upper bound at most 8 %; right in at least 80 % of groups of five seeds and 95 % of groups
of ten; the last column names what a line misses.

![Right, open and wrong verdicts by case and number of seeds](images/calibration.png)

"""
CASE_HEAD = """
## The cases

Windows of 16 steps of standard normal inputs, targets with noise of sd 0.1, 500 test windows, each
a unit. The model `reader` embeds each step by itself; its only way between steps is one attention
head that the last step queries. Answers were written down before training, but one: `alone` was
first taken for UNUSED. With a single key, weights are 1 whatever is done to them, and a model may
read its only step through them as well as beside them: AVERAGING, with a recommendation of no
pooling at all where R0 does as well, is right, too.

| case | target | right | because |
|---|---|---|---|
"""


JUDGED = """
What is in `results/calibration` is always judged anew. Verdicts whose losses are elsewhere stay
as they are, each with a hash of the code that gave it; `python -m tests.calibration.judging` prints
that of the code at hand, which differs as soon as a rule or a sentence does{since};
`make calibrate ARGS=--anew` has all of them from the code at hand. Groups by hash:
{groups}.
"""
SINCE = ", as it did while these were judged"
MARGIN_TEXT = """
Benefit of exactly δ, where at most 2.5 % of groups may be called CONTENT-BENEFICIAL:

| case | seeds | groups | BENEFICIAL, % | verdicts |
|---|---|---|---|---|
"""
MARGIN_NOTE = """
`margin` is a task of which attention can explain 2 %, and no more: models learn it more or less.
`recall at δ` is `recall` with the losses of both arms drawn towards the model's, by one factor
each, so that over all seeds that are judged together either is worse by exactly δ of the skill,
however they were trained. Right for it is CONTENT-REDUNDANT, too.
"""
SWEEP = """
## Gates alone, where the truth is set

Effects of seeds drawn around 0, δ and 2δ with a standard deviation from a quarter of δ to twice δ,
units from real effects of forty seeds of `recall` (`python -m tests.calibration.sweep`; 2000 groups
a cell, %). At δ itself, YES may come in 2.5 %, NO of an intervention in 2.5 % and of an arm in 5 %;
two standard errors of a cell are then 0.7 and 1.0. {}

| gate | seeds | sd / δ | YES at 0 | at δ | at 2δ | NO at 0 | at δ | at 2δ |
|---|---|---|---|---|---|---|---|---|
"""
PUBLISHED = """
## What earlier rules say of the same cases

The cut-offs of four documents, applied as published to one group of ten seeds each
(`python -m tests.calibration.published`); document 3 names no cut-off. None of them
looks at a loss.

"""


def _published() -> str:
    """Return the words of earlier rules beside what is right."""
    if not WORDS.exists():
        return ""
    table = pl.read_csv(WORDS)
    rules = table.columns[1:]
    titles = ["case", "right", *(rule.replace("_", " ") for rule in rules)]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for row in table.iter_rows(named=True):
        right = " or ".join(calibrated(row["case"]).right[:1])
        lines.append(f"| {row['case']} | {right} | {' | '.join(row[r] for r in rules)} |")
    return PUBLISHED + "\n".join(lines) + "\n"


ALLOWED = {("arm", "YES"): 0.025, ("arm", "NO"): 0.05,
           ("intervention", "YES"): 0.025, ("intervention", "NO"): 0.025}  # fmt: skip
"""Gate and answer → share of groups in which it may come where the truth is δ."""


def above(rates: pl.DataFrame) -> str:
    """Say in which cells an answer comes more often at δ than it may, and by how much, in %."""
    said = []
    for (gate, answer), allowed in ALLOWED.items():
        for (seeds,), of in rates.filter(gate=gate, mean=1.0).group_by(
            "seeds", maintain_order=True
        ):
            cells = [
                f"{100 * share:.2f} (+{100 * (share - allowed):.2f}) at sd {sd:g} δ"
                for sd, share in of.select("sd", answer).iter_rows()
                if share > allowed + 1e-9
            ]
            if cells:
                said.append(f"{answer} of {gate}, {seeds} seeds: {', '.join(cells)}")
    return f"More come than may: {'; '.join(said)}." if said else "No cell has more."


def _sweep() -> str:
    """Return the error rates of gates, a line for each gate, number of seeds and spread."""
    lines, rates = [], pl.read_csv(RATES)
    for key, of in rates.group_by("gate", "seeds", "sd", maintain_order=True):
        by_mean = of.sort("mean")
        shares = [100 * share for name in ("YES", "NO") for share in by_mean[name]]
        lines.append(f"| {' | '.join(map(str, key))} | {' | '.join(f'{s:.1f}' for s in shares)} |")
    return SWEEP.format(above(rates)) + "\n".join(lines) + "\n"


def _judged() -> str:
    """Return how many groups were judged by which code."""
    of = stored().group_by("judged", maintain_order=True).agg(pl.col("groups").sum())
    said = [
        f"{n} {f'`{judged}`' if judged else 'before hashes were kept, by earlier code'}"
        for judged, n in of.iter_rows()
    ]
    return JUDGED.format(groups="; ".join(said), since=SINCE if len(said) > 1 else "")


def page() -> str:
    """Return the page that the stored tables make."""
    table = pl.read_csv(TABLE)
    text = HEAD + f"| {' | '.join(TITLES)} |\n"
    text += "|" + "---|" * len(TITLES) + "\n"
    for row in table.iter_rows(named=True):
        names = f" ({row['verdicts']})" if row["wrong"] else ""
        wrong = f"{100 * row['wrong']:.1f}{names}"
        text += (
            f"| {row['case']} | {row['right']} | {row['seeds']} | {row['groups']} | "
            f"{100 * row['correct']:.1f} | {100 * row['inconclusive']:.1f} | {wrong} | "
            f"{100 * row['wrong_upper']:.1f} | {', '.join(misses(row)) or 'none'} |\n"
        )
    if absent := [name for name in NAMES if name not in set(table["case"])]:
        text += f"\nNot run yet: {', '.join(absent)}.\n"
    text += _judged() + MARGIN_TEXT
    for row in table.filter(pl.col("case").is_in(AT_MARGIN)).iter_rows(named=True):
        share = f"{100 * row['beneficial']:.1f}"
        cells = (row["case"], row["seeds"], row["groups"], share, row["verdicts"])
        text += f"| {' | '.join(map(str, cells))} |\n"
    text += MARGIN_NOTE + CASE_HEAD
    for name in NAMES:
        of = calibrated(name)
        case = CASES[of.study.spec.data.case]  # type: ignore[union-attr]
        told = (case.draw.__doc__ or "").partition("\n")[0]
        model = "" if name in CASES else f" ({of.study.models[of.model].label})"
        text += f"| {name}{model} | {told} | {' or '.join(of.right)} | {case.why} |\n"
    return text + _sweep() + _published()


def main() -> None:
    """Write the page, and draw its picture."""
    PAGE.write_text(page(), encoding="utf-8")
    draw(pl.read_csv(TABLE), PAGE.parent / "images" / "calibration.png")


if __name__ == "__main__":
    main()
