"""What it costs to leave out some of the input."""

from attnpipe.tables.base import FLAG, INT, REAL, TEXT, Column, Table
from attnpipe.tables.columns import RUN

CHOICE = {
    "policy": Column(
        TEXT,
        "which tokens, or steps, are kept beside the last: `recent`, `sink_recent`, `uniform`, `static_top`, `random` or `top_attention` (an oracle: it takes the whole attention to know)",
    ),
    "budget": Column(REAL, "share of them that is kept; 1: nothing is removed"),
}
REINDEXED = Column(
    FLAG,
    "whether what is left moves together; else it keeps its positions, where the model knows any",
)
SPLIT = Column(
    TEXT,
    "`selection`, on which a policy is chosen, or `confirmation`, on which the choice is tried",
)

COMPRESSION_LOSSES = Table("compression_losses", "loss of shortened inputs, one row per item", {
    **RUN,
    "variant": Column(TEXT, "variant of the prompt; null for models that are trained here"),
    **CHOICE,
    "draw": Column(INT, "which draw of `random`"),
    "kept": Column(INT, "tokens or steps kept beside the last one"),
    "places": Column(INT, "how many might have been removed"),
    "reindexed": REINDEXED,
    "split": SPLIT,
    "item": Column(INT, "item of the split, or text"),
    "unit": Column(TEXT, "statistical unit: sequence, question, or unit of the test split"),
    "loss": Column(REAL, "loss of the next token, or of the right answer, nats per token; of a forecast its squared error"),
    "delta": Column(REAL, "that less the loss with the whole input"),
    "trivial_loss": Column(REAL, "loss of equal chances, of another question's answer, or of the best trivial forecast; null where there is none"),
})  # fmt: skip

COMPRESSION = Table("compression", "what it costs to leave out some of the input: positive = it is missed", {
    "model": RUN["model"],
    "variant": COMPRESSION_LOSSES.columns["variant"],
    **CHOICE,
    "reindexed": REINDEXED,
    "split": SPLIT,
    "value": Column(REAL, "loss added, as a share of the model's skill: of what it removes from the trivial loss"),
    "lo95": Column(REAL, "lower end of the 95 % interval, over seeds × units or, for one run, over units"),
    "hi95": Column(REAL, "its upper end"),
    "upper": Column(REAL, "one-sided 95 % bound; on the selection split for all policies and budgets at once (Bonferroni)"),
    "nats": Column(REAL, "loss added, nats per token; of forecasts in the unit of their loss"),
    "kept": Column(REAL, "mean number kept beside the last one"),
    "n_seeds": Column(INT, "seeds"),
    "n_units": Column(INT, "units"),
    "within": Column(FLAG, "whether the bound lies below δ"),
    "costly": Column(FLAG, "whether the 95 % interval lies above δ"),
    "chosen": Column(FLAG, "the smallest budget within δ, by the simplest policy that is no oracle"),
})  # fmt: skip
