"""Which rows and columns of each table a reader wants to see: studies of texts."""

import polars as pl

from attnpipe.report.choices import Choice

OVERALL = pl.col("layer").is_null() & pl.col("head").is_null()
PRETRAINED = pl.col("checkpoint") == "pretrained"
STATISTICS = ["n", "mean", "sd", "lo95", "hi95"]
METRICS = (
    "entropy", "entropy_normalized", "effective_keys_n1", "max_weight", "sink_mass",
)  # fmt: skip
MASSES = ("mass", "mass_relative")


def _contrasts(frame: pl.DataFrame) -> pl.DataFrame:
    per_token = pl.col("measure").str.starts_with("mass_per_token")
    return frame.filter(OVERALL & PRETRAINED & ~per_token)


def _metrics(frame: pl.DataFrame) -> pl.DataFrame:
    plain = pl.col("condition").is_null() & pl.col("target").is_null()
    last = pl.col("metric").is_in(METRICS) & (pl.col("rows") == "last")
    return frame.filter(OVERALL & plain & last)


def _segments(frame: pl.DataFrame) -> pl.DataFrame:
    """Return masses of the last layer, the most attended parts first."""
    together = pl.col("occurrence").is_null() & pl.col("condition").is_null()
    named = ~pl.col("span").str.starts_with("keyword: ") & pl.col("measure").is_in(MASSES)
    last = (pl.col("layer") == pl.col("layer").max().over("model")) & pl.col("head").is_null()
    shown = frame.filter(last & PRETRAINED & together & named).with_row_index("place")
    block = pl.col("place").min().over("model", "variant", "measure")
    return shown.sort(block, "mean", "span", descending=[False, True, False], nulls_last=True)


def _sinks(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(OVERALL & PRETRAINED)


CHOICES: dict[str, Choice] = {
    "accuracy": Choice(
        "Answers by variant: right, wrong, none in what was written, cut off before one, nothing "
        "written; share of right ones, with Wilson's interval; loss of texts and answers.",
        lambda frame, _: frame,
        [
            "model",
            "variant",
            "n",
            "correct",
            "wrong",
            "none",
            "unfinished",
            "empty",
            "accuracy",
            "lo95",
            "hi95",
            "loss",
            "answer_loss",
        ],
    ),
    "text_contrasts": Choice(
        "Differences between prompts, paired on questions, over all layers and heads; p by Holm. "
        "Mass per token and single layers are in the file.",
        lambda frame, _: _contrasts(frame),
        [
            "model",
            "family",
            "a",
            "b",
            "span",
            "measure",
            "n",
            "mean",
            "lo95",
            "hi95",
            "hedges_g",
            "p",
            "p_holm",
        ],
    ),
    "text_summary": Choice(
        "Metrics of the last token's row over questions, all layers and heads; single layers and "
        "heads, other rows, other metrics and those without sinks are in the file.",
        lambda frame, _: _metrics(frame),
        ["model", "checkpoint", "variant", "metric", *STATISTICS],
    ),
    "segment_summary": Choice(
        "Attention of the last token to parts of the prompt over questions, last layer, mean over "
        "heads, most attended first: mass, and mass over what uniform attention gives; other "
        "layers and single heads are in the file.",
        lambda frame, _: _segments(frame),
        ["model", "variant", "span", "measure", "n_matches", "n_tokens", *STATISTICS],
    ),
    "sinks": Choice(
        "Keys that the weights themselves show to be sinks, over all layers in which they are, "
        "mean over heads and all tokens that attend; single layers and heads are in the file.",
        lambda frame, _: _sinks(frame),
        [
            "model",
            "variant",
            "position",
            "token",
            "token_share",
            "declared",
            "layers",
            "ratio",
            *STATISTICS,
        ],
    ),
}
