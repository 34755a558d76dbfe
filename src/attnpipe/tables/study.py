"""The tables of a model and of a study."""

from attnpipe.tables.base import FLAG, INT, REAL, TEXT, Column, Table
from attnpipe.tables.columns import METRIC, RUN, SPREAD, WHERE
from attnpipe.tables.effects import EFFECTS
from attnpipe.tables.history import HISTORY

INVENTORY = Table("inventory", "each run and what there is of it", {
    **RUN,
    "outcome": Column(TEXT, "`ok`, `diverged`, `failed` or `refused`"),
    "reason": Column(TEXT, "why it is not ok"),
    "parameters": Column(INT, "trainable parameters; null for saved weights"),
    "checkpoints": Column(INT, "kept checkpoints: of the model's weights, or of its attention where that alone was saved"),
    "last_epoch": Column(INT, "newest epoch among them"),
    "best_epoch": Column(INT, "epoch with the lowest validation loss; null where none was trained here"),
    "loss_regained": Column(REAL, "most that the validation loss rose above the lowest of earlier epochs, as a share of its fall from the first to the lowest of all; null where it is not known or never fell"),
    "test_weights": Column(FLAG, "whether final (best or test) attention weights are present"),
    "final": Column(TEXT, "checkpoint that counts as final"),
    "items": Column(INT, "probe samples"),
    "has_seeds": Column(FLAG, "whether runs are replicates under different seeds; if not, statistics over seeds are unknowable and their cells empty in every table"),
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
    "as_published": Column(TEXT, "for `profile_entropy_normalized` of the final weights: the verdict word of document 0's rules on the mean over seeds"),
})  # fmt: skip

COMPARED_SEEDS = 20
"""Seeds of a model that are compared with each other: pairs grow with the square of their number."""

SIMILARITY = Table("similarity", "likeness of attention between seeds", {
    "model": RUN["model"], **WHERE,
    "level": Column(TEXT, "`pair`: two seeds; `model`: over pairs; `layer`: over pairs and heads; `head`: a head of the first seed and its partner; `timestep`: variation at one key position"),
    "measure": Column(TEXT, "`profile_cosine`, `centred_cosine` (of rows), `residual_cosine` (the same without each seed's position means), `position_cosine` (of position means alone), `jsd_distance` (√(JSD/ln 2) of profiles), `profile_pearson`, `profile_spearman` or `cv`; of whole layers, on half B of the probe set: `matched_cosine`, centred cosine of heads matched on half A, `indexed_cosine`, the same without matching"),
    "seed_a": Column(INT, "first seed of a pair"),
    "seed_b": Column(INT, "second seed of a pair"),
    "target": Column(INT, "key position, for `cv`; at level `head` the partner in the second seed"),
    "value": Column(REAL, "value of a pair or timestep; mean over pairs at level `model`"),
    "n": Column(INT, f"seeds; of more than {COMPARED_SEEDS} the first so many are compared in pairs"),
    "sd": Column(REAL, "standard deviation over pairs, ddof 1 (descriptive: pairs share seeds)"),
    "min": Column(REAL, "smallest pair"),
    "lo95": Column(REAL, "delete-one-seed jackknife interval"),
    "hi95": Column(REAL, "its upper end"),
    "null_mean": Column(REAL, "mean likeness under the null. `matched_cosine`: as many independent heads of the same shape; `centred_cosine` at level `model`: heads that look at random keys, each row with the entropy it has"),
    "null_hi95": Column(REAL, "what 95 % of its draws stay below"),
    "p": Column(REAL, "share of its draws that are as much alike, one-sided"),
    "above_null": Column(FLAG, "whether p ≤ 0.05 and the likeness lies 0.15 above the null's mean: p alone errs on smooth profiles"),
    "as_published": Column(TEXT, "for `profile_cosine`: the verdict word of document 0's rules"),
})  # fmt: skip

CONVERGENCE = Table("convergence", "attention over training", {
    **RUN, **WHERE,
    "epoch": Column(INT, "epoch of the checkpoint, 0 = untrained"),
    "entropy_normalized": Column(REAL, "mean row entropy / ln n (of the profile where rows are unknowable)"),
    "jsd_previous": Column(REAL, "mean Jensen–Shannon divergence of rows to the previous checkpoint, nats"),
    "jsd_final": Column(REAL, "the same to the last epoch"),
    "threshold": Column(REAL, "τ = max(1e-3, 2 × median jsd_previous over the last tenth)"),
    "convergence_epoch": Column(INT, "first epoch from which jsd_final stays ≤ τ; null where τ above its floor holds even the first checkpoint"),
    "censored": Column(FLAG, "not converged: the convergence epoch lies in the last tenth, or is null with τ known"),
})  # fmt: skip

COMPARISONS = Table("comparisons", "forecast scores and differences from baseline", {
    "level": Column(TEXT, "`seed`, `unit` (mean over seeds), `model` (over seeds), `skill` (against the best trivial predictor) or `gain` (against the baseline, positive = better)"),
    "model": RUN["model"],
    "baseline": Column(TEXT, "baseline model, or trivial predictor at level `skill`"),
    "metric": Column(TEXT, "`loss` (squared error, or nats per token), `rmse`, `mae`, `r2` (of numbers alone), `accuracy`, `skill`; at level `gain` also `skill_units`: gain in loss / (trivial loss − model loss)"),
    "seed": Column(INT, "seed, at level `seed`"),
    "unit": Column(TEXT, "unit, at level `unit`"),
    "value": Column(REAL, "score, or difference; loss in the target's unit squared, or nats"),
    "lo95": Column(REAL, "lower end of the 95 % interval, two-way (seed × unit): for other seeds and other test units; null for one seed or one unit"),
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
    "equivalence": Column(TEXT, "`yes`: the 90 % interval lies inside ±margin; `no`: the 95 % interval lies outside; `unknown`"),
})  # fmt: skip

STUDY_TABLES = {
    "inventory": INVENTORY,
    "metrics": METRIC_SUMMARY,
    "metric_values": METRIC_VALUES,
    "similarity": SIMILARITY,
    "convergence": CONVERGENCE,
    "history": HISTORY,
    "comparisons": COMPARISONS,
    "effects": EFFECTS,
}
