"""The table of interventions on one run."""

from attnpipe.tables.base import INT, REAL, TEXT, Column, Table
from attnpipe.tables.columns import RUN

INTERVENTIONS = Table("interventions", "what each intervention costs, one row per test item", {
    **RUN,
    "intervention": Column(TEXT, "`output_mean` (E1), `uniform` (E2), `position_mean` (E3), `permuted` (E4), `last_step`, `local_window`, `untrained`, `value_norm`, `single_head`, `cumulative_heads` or its control `random_heads`; `uniform_finetuned`, `position_mean_finetuned`: the same weights, after the model was trained further with them (`intervention.finetune`); no rows where that diverged"),
    "layer": Column(INT, "the only layer it acts in; null: all"),
    "head": Column(INT, "the only head it acts on; for `cumulative_heads` and `random_heads` the one removed last; null: all"),
    "removed": Column(INT, "heads removed so far, for `cumulative_heads` and `random_heads`"),
    "draw": Column(INT, "which random order, for `random_heads`"),
    "item": Column(INT, "test item"),
    "unit": Column(TEXT, "statistical unit of the item"),
    "loss": Column(REAL, "loss under the intervention, in the unit of `evaluation`"),
    "delta": Column(REAL, "that loss less the loss of the model as it is"),
})  # fmt: skip
