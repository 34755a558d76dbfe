"""The columns of every table: name, type and meaning.

`docs/results.md` is generated from here, and every table is checked against its
schema when it is written and when it is read.
"""

from dataclasses import dataclass

import polars as pl

from attnpipe.core.errors import UserError

INT, REAL, TEXT, FLAG = pl.Int64, pl.Float64, pl.String, pl.Boolean


@dataclass(frozen=True)
class Column:
    """One column: its type, its meaning, and whether it may be null."""

    dtype: type[pl.DataType]
    meaning: str


@dataclass(frozen=True)
class Table:
    """The schema of one table."""

    name: str
    meaning: str
    columns: dict[str, Column]

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Column name → polars type, in order."""
        return {name: column.dtype for name, column in self.columns.items()}

    def frame(
        self, rows: list[dict[str, object]] | dict[str, object] | None = None
    ) -> pl.DataFrame:
        """Return a frame of this schema; absent columns are null."""
        return pl.DataFrame(rows or [], schema=self.schema, strict=True)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with this table's columns in order, or say what does not fit."""
        unknown = [c for c in frame.columns if c not in self.columns]
        if unknown:
            raise UserError(f"table '{self.name}' has an unknown column '{unknown[0]}'")
        missing = [
            pl.lit(None, dtype=t).alias(c) for c, t in self.schema.items() if c not in frame.columns
        ]
        return frame.with_columns(missing).select(self.columns).cast(self.schema)  # type: ignore[arg-type]


RUN = {
    "model": Column(TEXT, "model name, as in the config"),
    "seed": Column(INT, "seed of the run"),
}
WHERE = {
    "checkpoint": Column(
        TEXT, "`untrained`, `epoch_NNN`, `best` (lowest validation loss) or `test`"
    ),
    "layer": Column(INT, "attention layer, from 0"),
    "head": Column(INT, "head, from 0"),
}
SPREAD = {
    "n": Column(INT, "seeds with a value"),
    "mean": Column(REAL, "mean over seeds"),
    "sd": Column(REAL, "standard deviation over seeds, ddof 1; null for one seed"),
    "min": Column(REAL, "smallest value"),
    "max": Column(REAL, "largest value"),
    "lo95": Column(
        REAL, "lower end of the interval at the configured confidence; null for one seed"
    ),
    "hi95": Column(REAL, "upper end of the interval"),
}
METRIC = {
    "condition": Column(TEXT, "a qualification: reason of exclusion, probe half, or `unknowable`"),
    "item": Column(INT, "probe sample, null for the mean over all"),
    "query": Column(INT, "query position, null for all"),
    "target": Column(
        INT, "key position, or lag for `lag_*` and `peak_*` metrics; null where none applies"
    ),
    "metric": Column(TEXT, "name of the metric, see the list of metrics"),
    "value": Column(REAL, "value; null when unknowable or undefined"),
    "n_rows": Column(INT, "attention rows behind the value"),
    "n_excluded": Column(INT, "rows left out: invalid, or the metric is undefined for them"),
}

EVALUATION = Table("evaluation", "every prediction on the test split, one row per window", {
    "item": Column(INT, "test window, in time order"),
    "sequence": Column(TEXT, "series or segment the window lies in"),
    "unit": Column(TEXT, "statistical unit: test block or sequence"),
    "target": Column(REAL, "true value, in the target's unit"),
    "prediction": Column(REAL, "forecast, in the target's unit"),
    "loss": Column(REAL, "squared error, in the target's unit squared"),
    "trivial_loss": Column(REAL, "squared error of the best trivial predictor on this window"),
})  # fmt: skip

HISTORY = Table("history", "training, one row per epoch", {
    **RUN,
    "epoch": Column(INT, "epoch, 0 = untrained"),
    "windows_seen": Column(INT, "training windows seen so far"),
    "train_loss": Column(REAL, "mean training loss of the epoch, in units of the target's variance"),
    "validation_loss": Column(REAL, "validation loss after the epoch, same units"),
    "learning_rate": Column(REAL, "learning rate of the epoch"),
})  # fmt: skip

METRICS = Table("metrics", "all metrics of one run", {**RUN, **WHERE, **METRIC})

INVENTORY = Table("inventory", "each run and what there is of it", {
    **RUN,
    "outcome": Column(TEXT, "`ok`, `diverged`, `failed` or `refused`"),
    "reason": Column(TEXT, "why it is not ok"),
    "parameters": Column(INT, "trainable parameters; null for saved weights"),
    "checkpoints": Column(INT, "checkpoints with attention weights"),
    "last_epoch": Column(INT, "newest epoch among them"),
    "test_weights": Column(FLAG, "whether final (best or test) weights are present"),
    "final": Column(TEXT, "checkpoint that counts as final"),
    "items": Column(INT, "probe samples"),
    "rows_valid": Column(INT, "valid attention rows at the final checkpoint"),
    "rows_excluded": Column(INT, "invalid attention rows at the final checkpoint"),
    "identical_to": Column(TEXT, "an earlier run whose final weights are the same bytes: it is no second piece of evidence"),
})  # fmt: skip

METRIC_VALUES = Table(
    "metric_values", "every seed's value behind `metrics`", {**RUN, **WHERE, **METRIC}
)

METRIC_SUMMARY = Table("metrics", "metrics over seeds", {
    "model": RUN["model"], **WHERE,
    "condition": METRIC["condition"], "target": METRIC["target"], "metric": METRIC["metric"],
    **SPREAD,
    "as_published": Column(TEXT, "for `profile_*` metrics: the verdict word of document 0's rules on the mean"),
})  # fmt: skip

SIMILARITY = Table("similarity", "likeness of attention between seeds", {
    "model": RUN["model"], **WHERE,
    "level": Column(TEXT, "`pair`: two seeds; `model`: over pairs; `timestep`: variation at one key position"),
    "measure": Column(TEXT, "`profile_cosine`, `centred_cosine`, `residual_cosine`, `jsd_distance`, `profile_pearson`, `profile_spearman` or `cv`"),
    "seed_a": Column(INT, "first seed of a pair"),
    "seed_b": Column(INT, "second seed of a pair"),
    "target": Column(INT, "key position, for `cv`"),
    "value": Column(REAL, "value of a pair or timestep; mean over pairs at level `model`"),
    "n": Column(INT, "seeds"),
    "sd": Column(REAL, "standard deviation over pairs, ddof 1 (descriptive: pairs share seeds)"),
    "min": Column(REAL, "smallest pair"),
    "lo95": Column(REAL, "delete-one-seed jackknife interval"),
    "hi95": Column(REAL, "its upper end"),
    "as_published": Column(TEXT, "for `profile_cosine`: the verdict word of document 0's rules"),
})  # fmt: skip

CONVERGENCE = Table("convergence", "attention over training", {
    **RUN, **WHERE,
    "epoch": Column(INT, "epoch of the checkpoint, 0 = untrained"),
    "entropy_normalized": Column(REAL, "mean row entropy / ln n (of the profile where rows are unknowable)"),
    "jsd_previous": Column(REAL, "mean Jensen–Shannon divergence of rows to the previous checkpoint, nats"),
    "jsd_final": Column(REAL, "the same to the last epoch"),
    "threshold": Column(REAL, "τ = max(1e-3, 2 × median jsd_previous over the last tenth)"),
    "convergence_epoch": Column(INT, "first epoch from which jsd_final stays ≤ τ"),
    "censored": Column(FLAG, "the convergence epoch lies in the last tenth: not converged"),
})  # fmt: skip

COMPARISONS = Table("comparisons", "forecast scores and differences from baseline", {
    "level": Column(TEXT, "`seed`, `unit` (mean over seeds), `model` (over seeds), `skill` (against the best trivial predictor) or `gain` (against the baseline, positive = better)"),
    "model": RUN["model"],
    "baseline": Column(TEXT, "baseline model, or trivial predictor at level `skill`"),
    "metric": Column(TEXT, "`mse`, `rmse`, `mae`, `r2`, `accuracy`, `skill`; at level `gain` also `skill_units`: gain in mse / (trivial mse − model mse)"),
    "seed": Column(INT, "seed, at level `seed`"),
    "unit": Column(TEXT, "unit, at level `unit`"),
    "value": Column(REAL, "score, or difference; mse in the target's unit squared"),
    "lo95": Column(REAL, "interval: t over seeds at level `model`, two-way (seed × unit) at `skill` and `gain`"),
    "hi95": Column(REAL, "its upper end"),
    "lo90": Column(REAL, "90 % interval of the two one-sided tests, at level `gain`: inside ±margin means equivalent at any margin"),
    "hi90": Column(REAL, "its upper end"),
    "df": Column(REAL, "Satterthwaite degrees of freedom"),
    "n_seeds": Column(INT, "seeds"),
    "n_units": Column(INT, "units"),
    "hedges_g": Column(REAL, "paired standardised difference over seeds, small-sample corrected"),
    "p_sign_flip": Column(REAL, "two-sided sign-flip test over seeds"),
    "p_smallest": Column(REAL, "smallest p this test can give with so many seeds"),
    "margin": Column(REAL, "δ in the units of `value`"),
    "equivalence": Column(TEXT, "`yes`: the 90 % interval lies inside ±margin; `no`: the interval at the configured confidence lies outside; `unknown`"),
})  # fmt: skip

TABLES = (EVALUATION, HISTORY, METRICS, INVENTORY, METRIC_VALUES, METRIC_SUMMARY, SIMILARITY, CONVERGENCE, COMPARISONS)  # fmt: skip
