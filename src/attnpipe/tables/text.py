"""Tables of studies of texts: prompts and sentences under pretrained models."""

from attnpipe.tables.base import FLAG, INT, REAL, TEXT, Column, Table
from attnpipe.tables.columns import METRIC, RUN, WHERE
from attnpipe.tables.study import INVENTORY

ITEM = Column(INT, "text, from 0")
VARIANT = Column(
    TEXT, "kind of prompt: a variant of the config, or `<k>_shot`; `sentences` for plain texts"
)
QUESTION = Column(
    INT, "question (or sentence): the unit that statistics count; variants are paired on it"
)
SPAN = Column(TEXT, "name of the span, `keyword: …` for keywords")
WHO = {
    "model": RUN["model"],
    "checkpoint": Column(TEXT, "`pretrained`, or `untrained`: the same model with random weights"),
}
HEADS = {
    "layer": Column(INT, "attention layer, from 0; null: mean over layers"),
    "head": Column(INT, "head, from 0; null: mean over heads"),
}
CONDITION = Column(
    TEXT,
    "null: all keys; `sinks_removed`: weights off the declared sinks, renormalised; "
    "`found_sinks_removed`: off the declared sinks and off those that the weights show, too",
)
STATISTICS = {
    "n": Column(INT, "questions with a value"),
    "mean": Column(REAL, "mean over questions"),
    "sd": Column(REAL, "standard deviation over questions, ddof 1; null for one"),
    "lo95": Column(REAL, "lower end of the 95 % t interval over questions; null for one"),
    "hi95": Column(REAL, "its upper end"),
}

# --- of the study's data ------------------------------------------------------------------

TEXTS = Table("texts", "the texts that models read", {
    "model": RUN["model"],
    "item": ITEM,
    "question": QUESTION,
    "variant": VARIANT,
    "shots": Column(INT, "worked examples in the prompt"),
    "text": Column(TEXT, "the text, without special tokens"),
    "answer": Column(TEXT, "right answer; null where there is none"),
    "first": Column(INT, "first operand of the question"),
    "operation": Column(TEXT, "`plus`, `minus` or `times`"),
    "second": Column(INT, "second operand"),
    "add_special_tokens": Column(FLAG, "whether the tokenizer adds its own special tokens; a chat template has written them"),
    "min_new_tokens": Column(INT, "tokens of an answer before which the model may not end; null where nothing is asked"),
    "max_new_tokens": Column(INT, "most tokens of an answer"),
})  # fmt: skip

SPANS = Table("spans", "named ranges of characters of the texts", {
    "model": RUN["model"],
    "item": ITEM,
    "span": SPAN,
    "occurrence": Column(INT, "which of several of this name, from 0; null for a keyword without a hit"),
    "start": Column(INT, "first character; null without a hit"),
    "end": Column(INT, "character after the last"),
})  # fmt: skip

# --- of a run -----------------------------------------------------------------------------

TOKENS = Table("tokens", "the texts as the model reads them", {
    "model": RUN["model"],
    "item": ITEM,
    "position": Column(INT, "token, from 0"),
    "id": Column(INT, "id in the vocabulary"),
    "token": Column(TEXT, "readable form: `·` for a space, `⏎` for a line break"),
    "start": Column(INT, "first character; null for special tokens"),
    "end": Column(INT, "character after the last"),
    "special": Column(FLAG, "added by the tokenizer (BOS, CLS, SEP …)"),
    "spans": Column(TEXT, "names of the spans it belongs to, separated by `; `"),
})  # fmt: skip

ANSWERS = Table("answers", "what the model made of every text", {
    "model": RUN["model"], "item": ITEM, "question": QUESTION, "variant": VARIANT,
    "tokens": Column(INT, "tokens of the text"),
    "over_limit": Column(INT, "`analysis.text.dense_limit` where the text has more tokens than that: all that needs a weight per query and key (maps, rollout, distances of all heads, clusters) is then without it; else null"),
    "loss": Column(REAL, "mean negative log-likelihood of the text's tokens, nats; null for encoders"),
    "answer": Column(TEXT, "right answer"),
    "generated": Column(TEXT, "greedy continuation"),
    "finished": Column(FLAG, "whether the model ended it; else it was cut off after `max_new_tokens`"),
    "given": Column(TEXT, "answer found in it; null if none"),
    "correct": Column(FLAG, "whether it is right; null where there is no right answer"),
    "reading": Column(TEXT, "`right`, `wrong`; without an answer `none`, `unfinished` (and cut off) or `empty` (nothing was written)"),
    "answer_loss": Column(REAL, "mean negative log-likelihood of the right answer's tokens after the text, nats"),
})  # fmt: skip

TEXT_INTERVENTIONS = Table("text_interventions", "loss of the right answer while attention is replaced", {
    "model": RUN["model"], "item": ITEM, "question": QUESTION, "variant": VARIANT,
    "intervention": Column(TEXT, "`intact`; `uniform` (E2), `position_mean` (E3) or `permuted` (E4) weights; `other_answer`: nothing is replaced, but the answer is another question's"),
    "layers": Column(TEXT, "`all`, or first and last layer of a group; null where nothing is replaced"),
    "loss": Column(REAL, "mean negative log-likelihood of the answer's tokens, nats; null where too few texts of the same variant, length and length of the answer are read together, or of `position_mean` where they have more than `analysis.text.dense_limit` tokens"),
    "delta": Column(REAL, "that loss less the loss of the right answer under the model as it is, of the same text; 0 for `intact`, null where the loss is"),
})  # fmt: skip

TEXT_METRICS = Table("text_metrics", "all metrics of one run, text by text", {
    "model": RUN["model"], "checkpoint": WHO["checkpoint"], **HEADS,
    "condition": Column(TEXT, "null, `sinks_removed`, `found_sinks_removed` (of the last row alone: off the declared sinks and off those that the layer's weights show), or the reason of exclusion for `rows_excluded`"),
    "item": ITEM,
    "rows": Column(TEXT, "`last`: the last token's row; `all`: mean over all rows"),
    "target": Column(INT, "key position, lag or other head, where the metric has one"),
    "metric": Column(TEXT, "name of the metric, see the list of metrics"),
    "value": Column(REAL, "value; null when undefined"),
    "chance": Column(REAL, "what uniform attention would have, for head scores"),
    "n_rows": METRIC["n_rows"],
    "n_excluded": METRIC["n_excluded"],
})  # fmt: skip

SEGMENTS = Table("segments", "attention to named spans, text by text: of the last token, or in `row_segments` of all", {
    "model": RUN["model"], "checkpoint": WHO["checkpoint"], **HEADS,
    "condition": Column(TEXT, "null: all keys; `sinks_removed`: weights off the declared sinks, renormalised; `found_sinks_removed`: off those that the layer's weights show, too, as means over heads"),
    "item": ITEM,
    "span": SPAN,
    "occurrence": Column(INT, "which of several, from 0; null: their sum"),
    "n_matches": Column(INT, "spans of that name in the text; 0 for a keyword without a hit; of `as_published`: pairs of a word and a token, those that read alike counted once"),
    "n_tokens": Column(INT, "tokens of the span; of `as_published`: such pairs, each counted"),
    "mass": Column(REAL, "sum of the weights on it"),
    "mass_per_token": Column(REAL, "mass over its tokens; null without a match"),
    "mass_relative": Column(REAL, "mass over what uniform attention would give it; null without a match"),
    "as_published": Column(REAL, "mass by document 3's rule (substring of decoded tokens, last layer, mean over heads, repeated tokens collapsed), on rows where layer and head are null"),
})  # fmt: skip

# --- of the study -------------------------------------------------------------------------

TEXT_SUMMARY = Table("text_summary", "metrics over questions", {
    **WHO, "variant": VARIANT, **HEADS,
    "condition": TEXT_METRICS.columns["condition"],
    "rows": TEXT_METRICS.columns["rows"],
    "target": TEXT_METRICS.columns["target"],
    "metric": TEXT_METRICS.columns["metric"],
    **STATISTICS,
    "chance": Column(REAL, "mean over questions of what uniform attention would have"),
    "p": Column(REAL, "two-sided p of a head's mean against chance (t test over questions)"),
    "p_bh": Column(REAL, "adjusted by Benjamini and Hochberg over the heads of the same variant and metric"),
    "p_by": Column(REAL, "the same by Benjamini and Yekutieli, valid under any dependence"),
})  # fmt: skip

SEGMENT_SUMMARY = Table("segment_summary", "attention to named spans, of the last token and of all, over questions", {
    **WHO, "variant": VARIANT, **HEADS,
    "condition": SEGMENTS.columns["condition"], "span": SPAN,
    "occurrence": SEGMENTS.columns["occurrence"],
    "measure": Column(TEXT, "`mass`, `mass_per_token`, `mass_relative` or `as_published` of the last token; the first three with `_all_rows` as means over all tokens that attend and over heads: there a span has no mass in the rows before it, which relative mass makes up for; spans that are put together of others (`operands`, `examples_answers` …) have none"),
    "n_matches": Column(REAL, "mean over questions of the spans found"),
    "n_tokens": Column(REAL, "mean over questions of their tokens"),
    **STATISTICS,
})  # fmt: skip

TEXT_CONTRASTS = Table("text_contrasts", "differences between variants, paired on questions; right against wrong answers, not paired", {
    **WHO,
    "family": Column(TEXT, "what is asked: `steps` (think step by step against plain), `variants` (every other variant without examples against plain), `examples` (the examples' answers against uniform), `shots` (more examples against fewer), `sensitivity` (distance between variants on shared spans), `correct` (right against wrong answers)"),
    **HEADS,
    "span": SPAN,
    "measure": Column(TEXT, "what is compared; ends in `_sinks_removed` or `_found_sinks_removed` where sinks were"),
    "a": Column(TEXT, "variant, or group; `with examples`: the mean over all variants with examples, question by question"),
    "b": Column(TEXT, "what it is compared with"),
    **STATISTICS,
    "hedges_g": Column(REAL, "standardised difference over questions, small-sample corrected"),
    "p": Column(REAL, "two-sided p: by sign flips; of `correct` by Welch's t test; of `sensitivity`, as of its interval, by the t distribution of a jackknife"),
    "p_holm": Column(REAL, "adjusted within the family by Holm, where tests are few and confirmatory"),
    "p_bh": Column(REAL, "adjusted within the family by Benjamini and Hochberg, for layers and heads"),
    "p_by": Column(REAL, "the same by Benjamini and Yekutieli, valid under any dependence"),
})  # fmt: skip

TEXT_EFFECTS = Table("text_effects", "what answers lose when attention is replaced, over questions", {
    "model": RUN["model"],
    "variant": Column(TEXT, "variant; null: mean over the variants of each question"),
    "intervention": TEXT_INTERVENTIONS.columns["intervention"],
    "code": Column(TEXT, "`E2`, `E3`, `E4`; null for `other_answer`"),
    "layers": TEXT_INTERVENTIONS.columns["layers"],
    "metric": Column(TEXT, "`nats`: loss with less loss without; `skill_units`: that over what the question tells of its answer, the loss of another question's answer less that of the right one"),
    **STATISTICS,
    "lo90": Column(REAL, "lower end of the 90 % interval"),
    "hi90": Column(REAL, "its upper end"),
    "hedges_g": TEXT_CONTRASTS.columns["hedges_g"],
    "p": TEXT_CONTRASTS.columns["p"],
    "p_holm": Column(REAL, "adjusted by Holm over the interventions on the whole model"),
    "p_bh": Column(REAL, "adjusted by Benjamini and Hochberg over groups of layers"),
    "p_by": Column(REAL, "the same by Benjamini and Yekutieli"),
})  # fmt: skip

ACCURACY = Table("accuracy", "answers by variant", {
    "model": RUN["model"], "variant": VARIANT,
    "n": Column(INT, "questions"),
    "correct": Column(INT, "right answers"),
    "wrong": Column(INT, "wrong answers"),
    "none": Column(INT, "ended texts without an answer"),
    "unfinished": Column(INT, "texts cut off before an answer"),
    "empty": Column(INT, "nothing was written"),
    "accuracy": Column(REAL, "share of right answers, of all questions"),
    "lo95": Column(REAL, "lower end of Wilson's 95 % interval"),
    "hi95": Column(REAL, "its upper end"),
    "loss": Column(REAL, "mean negative log-likelihood of the texts, nats per token"),
    "answer_loss": Column(REAL, "mean negative log-likelihood of the right answers, nats per token"),
})  # fmt: skip

ALWAYS_PER_HEAD = ("entropy", "entropy_normalized", "max_weight")
"""Row metrics that are kept for every head whatever the config names: table `heads` is made of them."""

HEAD_TABLE = Table("heads", "what single heads do with the last token's row", {
    **WHO, "variant": VARIANT, "condition": CONDITION,
    "layer": WHERE["layer"], "head": WHERE["head"],
    "n": Column(INT, "questions"),
    "entropy": Column(REAL, "mean entropy of the row, nats"),
    "entropy_lo95": Column(REAL, "lower end of its 95 % t interval over questions"),
    "entropy_hi95": Column(REAL, "its upper end"),
    "entropy_normalized": Column(REAL, "mean of entropy / ln n"),
    "max_weight": Column(REAL, "mean of the row's largest weight"),
    "position_information": Column(REAL, "mean divergence from uniform that the position alone explains, ln n − H(p̄), nats; null where texts differ in length"),
    "content_information": Column(REAL, "the rest: information that questions carry about keys, H(p̄) − mean H, nats, corrected for few questions"),
    "content_share": Column(REAL, "its share of both; null below the noise floor"),
    "focus_position": Column(INT, "most frequent position of the largest weight"),
    "focus_token": Column(TEXT, "most frequent token there"),
    "focus_share": Column(REAL, "share of questions whose largest weight lies on that token"),
    "focus_resolved": Column(REAL, "share of questions whose largest weight stands out: it exceeds the second by more than `analysis.metrics.peak_tolerance`; else its place is noise"),
    "focused_rank": Column(INT, "1: the most focused head of the model in this variant and condition (lowest normalised entropy)"),
    "published_rank": Column(INT, "the same by raw entropy, as document 3 ranks"),
    "cluster": Column(INT, "cluster of alike heads, from 0"),
})  # fmt: skip

SINKS = Table("sinks", "keys that the weights show to be sinks: they receive more than 4 times what uniform attention would give them, mean over the heads of a layer and the questions", {
    **WHO, "variant": VARIANT,
    "layer": Column(INT, "attention layer, from 0; null: mean over the layers in which the key is a sink"),
    "head": HEADS["head"],
    "position": Column(INT, "the key, from 0; null where a variant has no such sink"),
    "token": Column(TEXT, "most frequent token there"),
    "token_share": Column(REAL, "share of questions that have it there"),
    "declared": Column(FLAG, "whether it is a declared sink in every question (`analysis.text.sinks`)"),
    "layers": Column(INT, "layers in which it is a sink"),
    "ratio": Column(REAL, "mean over questions of its mass over that of uniform attention"),
    "n": STATISTICS["n"],
    "mean": Column(REAL, "mean over questions of the weight on it, mean over all rows of a text"),
    **{name: STATISTICS[name] for name in ("sd", "lo95", "hi95")},
})  # fmt: skip

HEAD_DISTANCES = Table("head_distances", "distance between heads over the same rows; of a text of more than 64 tokens, over 64 evenly spaced ones", {
    **WHO,
    "condition": Column(TEXT, "null: all keys; `sinks_removed`: weights off the declared sinks, renormalised; `found_sinks_removed`: off those that the weights of any layer show, too"),
    "layer_a": Column(INT, "layer of the first head"), "head_a": Column(INT, "first head"),
    "layer_b": Column(INT, "layer of the second head"), "head_b": Column(INT, "second head"),
    "distance": Column(REAL, "mean √(JSD/ln 2) over at most 64 rows of a text, then over texts, in [0, 1]"),
    "n": Column(INT, "texts"),
})  # fmt: skip

MAPS = Table("maps", "attention between tokens of the representative question", {
    **WHO, "variant": VARIANT, "condition": CONDITION,
    "item": ITEM,
    "view": Column(TEXT, "`last_layer` (mean over its heads), `mean` and `max` (over all layers and heads), `rollout` (through all layers), `l<layer>h<head>`, or `l<layer>` (mean over its heads)"),
    "query": Column(INT, "token that attends"),
    "key": Column(INT, "token attended to"),
    "value": Column(REAL, "weight; rows of `max` do not sum to 1; null where sinks leave nothing, and for sinks that `rollout` is without"),
})  # fmt: skip

TEXT_TABLES = {
    "inventory": INVENTORY,
    "text_summary": TEXT_SUMMARY,
    "segment_summary": SEGMENT_SUMMARY,
    "text_contrasts": TEXT_CONTRASTS,
    "text_effects": TEXT_EFFECTS,
    "accuracy": ACCURACY,
    "heads": HEAD_TABLE,
    "sinks": SINKS,
    "head_distances": HEAD_DISTANCES,
    "maps": MAPS,
    "tokens": TOKENS,
    "answers": ANSWERS,
}
"""Tables of a study of texts: name → schema; each under `aggregate/`."""
