"""Synthetic tables of a study of texts: small, deterministic and of the published schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import polars as pl
from scipy import stats
from tests.figures.factory import compression_rows

from attnpipe.diagnosis.context import DiagnosisContext, TextContext
from attnpipe.tables import text as schema
from attnpipe.tables.compression import COMPRESSION
from attnpipe.tables.study import INVENTORY

MODEL = "tiny_chat"
SCORES = ("previous_token", "next_token", "duplicate_token", "induction")
KEYWORDS = ("plus", "step", "{first}", "{second}")
SPANS = ("question", "operands", "operator", "shared")
MEASURES = ("mass", "mass_per_token", "mass_relative")


@dataclass(frozen=True)
class Plan:
    """What the made-up study looks like; effects are means over questions and their half-widths.

    `found`: family → effect without the sinks that the weights show, where it is another;
    `undeclared`: variants with such a sink.
    """

    models: tuple[str, ...] = (MODEL,)
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = "prompts"
    variants: tuple[str, ...] = ("plain", "1_shot", "2_shot", "cot")
    questions: int = 32
    layers: int = 4
    heads: int = 3
    untrained: bool = True
    ended: bool = True
    rows_excluded: int = 0
    reasons: Mapping[str, float] = field(default_factory=lambda: {"padding": 2.0})
    steps: tuple[float, float] = (-0.05, 0.01)
    relative: tuple[float, float] = (-0.2, 0.1)
    draw: tuple[float, float] = (0.8, 0.2)
    shots: tuple[float, float] = (0.06, 0.01)
    sensitive: frozenset[int] = frozenset({1, 2})
    found: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ("cot",)
    accuracies: Mapping[str, int] = field(
        default_factory=lambda: {"plain": 4, "1_shot": 16, "2_shot": 20, "cot": 8}
    )
    silent: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Variant → way of not answering → in how many questions."""
    correct: tuple[float, float] = (0.0, 0.004)
    told: tuple[float, float] = (3.0, 0.5)
    shortened: Mapping[str, float] = field(default_factory=lambda: {"2_shot": 0.005})
    confirmed: bool = True
    replaced: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {"E2": (0.9, 0.1), "E3": (0.5, 0.1), "E4": (0.6, 0.1)}
    )
    prompt: str = "What is 15 plus 27?"
    token: str = "15"
    generated: str = " 42"

    @property
    def shown(self) -> tuple[str, ...]:
        return self.variants if self.kind == "prompts" else ("sentences",)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        return ("pretrained", "untrained") if self.untrained else ("pretrained",)

    @property
    def shot_variants(self) -> tuple[str, ...]:
        return tuple(v for v in self.shown if v.endswith("_shot"))


def statistics(plan: Plan, mean: float, half: float) -> dict[str, object]:
    """The statistics of a mean with an interval of this half-width."""
    n = plan.questions
    if n < 2:
        return {"n": n, "mean": mean}
    sd = half * np.sqrt(n) / float(stats.t.ppf(0.975, n - 1))
    return {"n": n, "mean": mean, "sd": sd, "lo95": mean - half, "hi95": mean + half}


def inventory(plan: Plan) -> pl.DataFrame:
    rows = [
        {
            "model": model, "seed": 0, "outcome": "ok" if plan.ended else "failed",
            "reason": None if plan.ended else "it ran out of memory", "parameters": 1000,
            "checkpoints": len(plan.checkpoints), "final": "pretrained",
            "items": plan.questions * len(plan.shown), "has_seeds": False,
            "rows_valid": 10_000 - plan.rows_excluded, "rows_excluded": plan.rows_excluded,
        }
        for model in plan.models
    ]  # fmt: skip
    return INVENTORY.frame(rows)


def _metrics(plan: Plan, checkpoint: str, variant: str) -> Iterator[dict[str, object]]:
    """Yield rows of `text_summary` of one model, checkpoint and variant."""
    trained = checkpoint == "pretrained"
    place = plan.shown.index(variant)
    entropy = (0.55 if trained else 0.97) + 0.01 * place

    def row(metric: str, mean: float, half: float = 0.01, **cells: object) -> dict[str, object]:
        where = {"metric": metric, "rows": "last"} | cells
        return where | statistics(plan, mean, half)

    for condition, shift in ((None, 0.0), ("sinks_removed", 0.2), ("found_sinks_removed", 0.3)):
        yield row("entropy_normalized", min(entropy + shift, 0.999), condition=condition)
    yield row("sink_mass", 0.45 if trained else 0.05)
    last = plan.layers - 1
    yield row("entropy", 1.5, layer=last)
    yield row("published_layer_entropy", 2.1, layer=last)
    for reason, mean in plan.reasons.items():
        yield row("rows_excluded", mean, rows="all", condition=reason)
    for k, metric in enumerate(SCORES):
        for layer in range(plan.layers):
            for head in range(plan.heads):
                known = trained and (layer, head) == (k % plan.layers, k % plan.heads)
                yield row(
                    metric, 0.9 - 0.1 * k - 0.01 * place if known else 0.04, rows="all",
                    layer=layer, head=head, chance=0.05, p_bh=1e-6 if known else 0.3,
                )  # fmt: skip


def text_summary(plan: Plan) -> pl.DataFrame:
    rows = [
        {"model": model, "checkpoint": checkpoint, "variant": variant} | row
        for model in plan.models
        for checkpoint in plan.checkpoints
        for variant in plan.shown
        for row in _metrics(plan, checkpoint, variant)
    ]
    return schema.TEXT_SUMMARY.frame(rows)


def segment_summary(plan: Plan) -> pl.DataFrame:
    """Keywords, of which `step` stands in one variant only and a number is split into digits."""
    rows: list[dict[str, object]] = []
    for model in plan.models if plan.kind == "prompts" else ():
        for variant in plan.shown:
            own = {"model": model, "checkpoint": "pretrained", "variant": variant}
            for k, word in enumerate(KEYWORDS):
                absent = word == "step" and variant != "cot"
                found = {"plus": 1.0, "step": 2.0}.get(word, 0.0)
                span = own | {"span": f"keyword: {word}"}
                rows.append(
                    span
                    | {"layer": plan.layers - 1, "measure": "mass", "n_tokens": 1.0,
                       "n_matches": 0.0 if absent else 1.0}
                    | statistics(plan, 0.0 if absent else 0.02 * (k + 1), 0.001)
                )  # fmt: skip
                rows.append(
                    span
                    | {"measure": "as_published"}
                    | dict.fromkeys(("n_matches", "n_tokens"), 0.0 if absent else found)
                    | statistics(plan, 0.0 if absent or not found else 0.06, 0.001)
                )
            for layer in (None, *range(plan.layers)):
                for measure in ("mass", "mass_relative"):
                    at = {"layer": layer, "span": "question", "measure": measure}
                    rows.append(own | at | {"n_matches": 1.0} | statistics(plan, 0.3, 0.02))
    return schema.SEGMENT_SUMMARY.frame(rows)


def measures(name: str) -> tuple[str, str, str]:
    """A measure with all keys, and without either kind of sinks."""
    return name, f"{name}_sinks_removed", f"{name}_found_sinks_removed"


def _contrasts(plan: Plan) -> Iterator[dict[str, object]]:
    """Yield rows of `text_contrasts` of one model, as aggregation makes them."""

    def both(
        family: str, a: str, b: str | None, span: str | None, measure: str,
        effect: tuple[float, float], layers: bool = True,
    ) -> Iterator[dict[str, object]]:  # fmt: skip
        mean, half = plan.found.get(family, effect) if "_found_" in measure else effect
        p = 0.0001 if abs(mean) > half else 0.4
        row = {"family": family, "a": a, "b": b, "span": span, "measure": measure}
        row |= statistics(plan, mean, half)
        yield row | {"p": p, "p_holm": min(1.0, 4 * p), "hedges_g": 0.5}
        for layer in range(plan.layers) if layers else ():
            moved = p if layer % 2 else 0.5
            yield row | {"layer": layer, "p": moved, "p_bh": moved, "p_by": min(1.0, 3 * moved)}

    if {"cot", "plain"} <= set(plan.shown):
        for span in SPANS:
            for measure in MEASURES:
                effect = plan.relative if measure == "mass_relative" else plan.steps
                for name in measures(measure):
                    yield from both("steps", "cot", "plain", span, name, effect)
    together = ("with examples",) if len(plan.shot_variants) > 1 else ()
    for variant in (*plan.shot_variants, *together):
        for b in ("uniform", "examples_questions"):
            for name in measures("mass_relative"):
                yield from both("examples", variant, b, "examples_answers", name, plan.draw)
    for fewer, more in pairwise(plan.shot_variants):
        for measure in MEASURES:
            for name in measures(measure):
                yield from both("shots", more, fewer, "examples_answers", name, plan.shots)
    for variant, right in plan.accuracies.items():
        if variant in plan.shown and 0.2 <= right / plan.questions <= 0.8:
            groups = (f"{variant}: right", f"{variant}: wrong")
            for span in ("question", "operands"):
                for name in measures("mass"):
                    yield from both("correct", *groups, span, name, plan.correct)
            yield from both("correct", *groups, None, "entropy", plan.correct)
    if len(plan.shown) > 1:
        yield from _sensitivity(plan)


def _sensitivity(plan: Plan) -> Iterator[dict[str, object]]:
    for end in ("", "_sinks_removed", "_found_sinks_removed"):
        for layer in (None, *range(plan.layers)):
            at = {"family": "sensitivity", "span": "question", "layer": layer}
            high = layer in plan.sensitive
            base = at | {"a": "variants", "measure": f"distance{end}"}
            yield base | statistics(plan, 0.3 + 0.02 * (layer or 0) * high, 0.01)
            null = at | {"a": "questions", "measure": f"null_distance{end}"}
            yield null | statistics(plan, 0.2, 0.01)
            excess = at | {"a": "variants", "b": "questions", "measure": f"distance_excess{end}"}
            adjusted = {"p_holm": 0.001} if layer is None else {"p_bh": 0.001, "p_by": 0.004}
            yield excess | statistics(plan, 0.1, 0.02) | {"p": 0.001} | adjusted
            if layer is not None:
                p = 0.001 if high else 0.5
                versus = {"a": "layer", "b": "other_layers", "measure": f"distance_vs_others{end}"}
                mean = 0.05 + 0.01 * layer if high else -0.01 * layer
                mean = (
                    plan.found.get(f"layer {layer}", (mean, 0.0))[0] if "_found_" in end else mean
                )
                yield at | versus | statistics(plan, mean, 0.02) | {"p": p, "p_bh": p, "p_by": p}


def text_contrasts(plan: Plan) -> pl.DataFrame:
    if plan.kind == "sentences":
        return schema.TEXT_CONTRASTS.frame()
    rows = [
        {"model": model, "checkpoint": "pretrained"} | row
        for model in plan.models
        for row in _contrasts(plan)
    ]
    return schema.TEXT_CONTRASTS.frame(rows)


def text_effects(plan: Plan) -> pl.DataFrame:
    """Effects on the whole model and on two groups of layers, the mean of two variants."""
    names = {"E2": "uniform", "E3": "position_mean", "E4": "permuted"}
    rows: list[dict[str, object]] = []
    for model in plan.models if plan.kind == "prompts" and plan.ended else ():
        for variant in (*plan.shown[:2], None):
            own = {"model": model, "variant": variant}
            rows.append(
                own | {"intervention": "other_answer", "metric": "nats"}
                | statistics(plan, *plan.told)
            )  # fmt: skip
            for code, (mean, half) in plan.replaced.items():
                for layers, share in (("all", 1.0), ("0-1", 0.2), ("2-3", 0.6)):
                    at = own | {"intervention": names[code], "code": code, "layers": layers}
                    stats_of = statistics(plan, mean * share, half)
                    rows.append(
                        at | {"metric": "skill_units", "lo90": mean * share - 0.8 * half,
                              "hi90": mean * share + 0.8 * half, "p": 0.001, "p_holm": 0.003}
                        | stats_of
                    )  # fmt: skip
    return schema.TEXT_EFFECTS.frame(rows)


def compression(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for model in plan.models if plan.kind == "prompts" and plan.ended else ():
        for variant, cost in plan.shortened.items():
            rows += compression_rows(model, variant, cost, 1, plan.confirmed)
    return COMPRESSION.frame(rows)


def accuracy(plan: Plan) -> pl.DataFrame:
    rows = []
    for model in plan.models if plan.kind == "prompts" else ():
        for variant in plan.shown:
            right = plan.accuracies.get(variant)
            if right is None:
                continue
            share = right / plan.questions
            silent = plan.silent.get(variant, {})
            wrong = plan.questions - right - sum(silent.values())
            rows.append(
                {"model": model, "variant": variant, "n": plan.questions, "correct": right,
                 "wrong": wrong, **dict.fromkeys(("none", "unfinished", "empty"), 0), **silent,
                 "accuracy": share, "lo95": max(0.0, share - 0.1), "hi95": min(1.0, share + 0.1),
                 "loss": 2.5, "answer_loss": 1.25}
            )  # fmt: skip
    return schema.ACCURACY.frame(rows)


def heads(plan: Plan) -> pl.DataFrame:
    rows = []
    for model in plan.models:
        for checkpoint in plan.checkpoints:
            for variant in plan.shown:
                for rank in range(plan.layers * plan.heads):
                    layer, head = divmod(rank, plan.heads)
                    share = 0.2 + 0.05 * rank
                    rows.append(
                        {"model": model, "checkpoint": checkpoint, "variant": variant,
                         "layer": layer, "head": head, "n": plan.questions, "entropy": 3 * share,
                         "entropy_lo95": 3 * share - 0.1, "entropy_hi95": 3 * share + 0.1,
                         "entropy_normalized": share, "max_weight": 0.9 - share,
                         "focus_position": 0, "focus_token": plan.token, "focus_share": 0.75,
                         "focused_rank": rank + 1, "published_rank": rank + 1, "cluster": 0}
                    )  # fmt: skip
    return schema.HEAD_TABLE.frame(rows)


def sinks(plan: Plan) -> pl.DataFrame:
    """The first token in all layers, and in one variant a full stop that nobody declared."""
    rows: list[dict[str, object]] = []
    for model in plan.models:
        for variant in plan.shown:
            own = {"model": model, "checkpoint": "pretrained", "variant": variant}
            first = {"position": 0, "token": "<bos>", "token_share": 1.0, "declared": True}
            for layer in (None, *range(plan.layers)):
                at = own | first | {"layer": layer, "layers": plan.layers, "ratio": 9.0}
                rows.append(at | statistics(plan, 0.45, 0.02))
            if variant in plan.undeclared:
                stop = {"position": 4, "token": ".", "token_share": 1.0, "declared": False}
                at = own | stop | {"layers": 2, "ratio": 5.0}
                rows.append(at | statistics(plan, 0.12, 0.02))
    return schema.SINKS.frame(rows)


def tokens(plan: Plan) -> pl.DataFrame:
    pieces = ["<bos>", "What", "·is", plan.token, "·plus", "?"]
    rows = [
        {"model": model, "item": item, "position": k, "id": 100 + k, "token": piece,
         "start": None if k == 0 else k, "end": None if k == 0 else k + 1, "special": k == 0,
         "spans": "" if k == 0 else "question; keyword: plus" if k == 4 else "question"}
        for model in plan.models
        for item in range(len(plan.shown))
        for k, piece in enumerate(pieces)
    ]  # fmt: skip
    return schema.TOKENS.frame(rows)


def maps(plan: Plan) -> pl.DataFrame:
    rows = [
        {"model": model, "checkpoint": "pretrained", "variant": variant, "item": item,
         "view": "last_layer", "query": q, "key": k, "value": 1 / (q + 1)}
        for model in plan.models
        for item, variant in enumerate(plan.shown)
        for q in range(6)
        for k in range(q + 1)
    ]  # fmt: skip
    return schema.MAPS.frame(rows)


def answers(plan: Plan) -> pl.DataFrame:
    asked = plan.kind == "prompts"
    rows = [
        {"model": model, "item": item, "question": 0, "variant": variant, "tokens": 6,
         "loss": 2.5 if asked else None, "answer": "42" if asked else None,
         "generated": plan.generated if asked else None, "given": "42" if asked else None,
         "finished": True if asked else None, "correct": (item % 2 == 0) if asked else None,
         "reading": ("wrong" if item % 2 else "right") if asked else None,
         "answer_loss": 1.0 if asked else None}
        for model in plan.models
        for item, variant in enumerate(plan.shown)
    ]  # fmt: skip
    return schema.ANSWERS.frame(rows)


def texts(plan: Plan) -> pl.DataFrame:
    rows = [
        {"model": model, "item": item, "question": 0, "variant": variant, "text": plan.prompt}
        for model in plan.models
        for item, variant in enumerate(plan.shown)
    ]
    return schema.TEXTS.frame(rows)


def study(plan: Plan | None = None) -> dict[str, pl.DataFrame]:
    """All tables of the study."""
    plan = plan or Plan()
    return {
        "inventory": inventory(plan), "text_summary": text_summary(plan),
        "segment_summary": segment_summary(plan), "text_contrasts": text_contrasts(plan),
        "compression": compression(plan), "text_effects": text_effects(plan),
        "accuracy": accuracy(plan), "heads": heads(plan), "sinks": sinks(plan),
        "head_distances": schema.HEAD_DISTANCES.frame(), "maps": maps(plan),
        "tokens": tokens(plan), "answers": answers(plan),
    }  # fmt: skip


def diagnosis_context(plan: Plan, **changes: object) -> DiagnosisContext:
    """The context of findings that goes with `study(plan)`."""
    context = DiagnosisContext(
        title="A made-up study of texts",
        labels={m: plan.labels.get(m, m.replace("_", " ")) for m in plan.models},
        attention_models=plan.models,
        baselines=dict.fromkeys(plan.models),
        seeds=(0,),
        forecasts=False,
        texts=TextContext(plan.kind, plan.questions, plan.shown),
    )
    return replace(context, **changes)
