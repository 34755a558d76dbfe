"""Synthetic tables of a study of texts: small, deterministic and of the published schema."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import polars as pl

from attnpipe.figures.context import FigureContext
from attnpipe.schema.figure import StyleSpec
from attnpipe.tables import text as schema

PROMPTS = ("plain", "cot", "expert", "structured", "1_shot", "2_shot", "4_shot")
INSTRUCTIONS = {
    "cot": ("Let", "'s", "·think", "·step", "·by", "·step", ".", "⏎⏎"),
    "expert": ("You", "·are", "·an", "·expert", "·mathematic", "ian", ".", "⏎⏎"),
}
HEAD_METRICS = {
    "previous_token": 0.9, "duplicate_token": 0.3, "induction": 0.5, "diagonal": 0.3,
}  # fmt: skip
ODD = (
    "·<script>alert(1)</script>", "·Donaudampfschifffahrtsgesellschaftskapitän", "·注意力机制",
    "\n\t", "·$\\frac{1}{2}$", "🙂🙂", "‮abc", "", "·&amp;", "é" * 40, "\x07", "·{curly}",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What the made-up study looks like."""

    models: tuple[str, ...] = ("smol",)
    labels: tuple[str, ...] = ()
    variants: tuple[str, ...] = PROMPTS
    questions: int = 8
    layers: int = 6
    heads: int = 3
    odd: bool = False
    padding: int = 0
    special: bool = False
    encoder: bool = False
    untrained: bool = False
    broken: frozenset[str] = frozenset()
    head_views: bool = False
    per_head_segments: bool = False

    def asked(self) -> tuple[str, ...]:
        return ("sentences",) if self.encoder else self.variants

    @property
    def working(self) -> tuple[str, ...]:
        return tuple(m for m in self.models if m not in self.broken)

    def label(self, model: str) -> str:
        return self.labels[self.models.index(model)] if self.labels else f"{model.title()}LM"


def shots_of(variant: str) -> int:
    return int(variant.split("_")[0]) if variant.endswith("_shot") else 0


def question_tokens(first: int, second: int, span: str) -> list[tuple[str, str]]:
    operands = span == "question"
    parts = [
        ("What", ""), ("·is", ""), ("·", "operand_1"), (str(first), "operand_1"),
        ("·plus", "operator"), ("·", "operand_2"), (str(second), "operand_2"), ("?", ""),
    ]  # fmt: skip
    return [(t, f"{span}; {own}" if own and operands else span) for t, own in parts]


def tokens_of(plan: Plan, variant: str, question: int) -> list[tuple[str, str]]:
    """Token and names of its spans."""
    if plan.encoder:
        words = ["·the", "·cat", "·sat", "·on", "·the", "·mat", "."]
        found = [(w, "") for w in words]
    else:
        found = [(t, "instruction") for t in INSTRUCTIONS.get(variant, ())]
        for shot in range(1, shots_of(variant) + 1):
            found += [("Q", ""), (":", "")]
            found += question_tokens(10 + shot, 20 + question, f"shot_{shot}_question")
            found += [("⏎", ""), ("A", ""), (":", ""), ("·", f"shot_{shot}_answer"),
                      (str(30 + shot), f"shot_{shot}_answer"), ("⏎⏎", "")]  # fmt: skip
        cue = shots_of(variant) or variant == "structured"
        found += [("Question" if variant == "structured" else "Q", ""), (":", "")] if cue else []
        found += question_tokens(15 + question, 27, "question")
        found += [("⏎", ""), ("Answer", "answer_cue"), (":", "answer_cue")] if cue else []
    found += [(f"·pad{k}", "") for k in range(plan.padding)]
    if plan.odd:
        found = [(ODD[k % len(ODD)] if k % 2 else t, s) for k, (t, s) in enumerate(found)]
    return found


def item_of(plan: Plan, variant: str, question: int) -> int:
    return question * len(plan.asked()) + plan.asked().index(variant)


def texts(plan: Plan) -> Iterable[tuple[str, int, int]]:
    return ((v, q, item_of(plan, v, q)) for q in range(plan.questions) for v in plan.asked())


def with_specials(plan: Plan, tokens: list[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    inside = [(t, s, False) for t, s in tokens]
    if plan.encoder:
        return [("[CLS]", "", True), *inside, ("[SEP]", "", True)]
    return [("<|im_start|>", "", True), *inside] if plan.special else inside


def tokens(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for model in plan.working:
        for variant, question, item in texts(plan):
            own = with_specials(plan, tokens_of(plan, variant, question))
            rows += [
                {"model": model, "item": item, "position": k, "id": k, "token": token,
                 "special": special, "spans": spans}
                for k, (token, spans, special) in enumerate(own)
            ]  # fmt: skip
    return schema.TOKENS.frame(rows)


def answers(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = [
        {"model": m, "item": item, "question": q, "variant": v,
         "tokens": len(with_specials(plan, tokens_of(plan, v, q))),
         "answer": None if plan.encoder else str(42 + q),
         "correct": None if plan.encoder else (q + len(v)) % 2 == 0}
        for m in plan.working for v, q, item in texts(plan)
    ]  # fmt: skip
    return schema.ANSWERS.frame(rows)


def with_spread(plan: Plan, frame: pl.DataFrame, sd: float = 0.12) -> pl.DataFrame:
    """Add `n`, `sd` and the interval to a frame with `mean`."""
    known = plan.questions > 1
    spread = sd * pl.col("mean").abs() + 1e-4 if known else pl.lit(None, pl.Float64)
    return frame.with_columns(n=pl.lit(plan.questions, pl.Int64), sd=spread).with_columns(
        lo95=pl.col("mean") - pl.col("sd"), hi95=pl.col("mean") + pl.col("sd")
    )


def levels(plan: Plan, values: np.ndarray, *, heads: bool) -> pl.DataFrame:
    """`[layer, head]` → rows of heads, of layers (head null) and of all (both null)."""
    layer, head = (a.ravel() for a in np.indices(values.shape))
    frames = [
        pl.DataFrame({"layer": np.arange(len(values)), "mean": values.mean(axis=1)}),
        pl.DataFrame({"mean": [float(values.mean())]}),
    ]
    if heads:
        frames.insert(0, pl.DataFrame({"layer": layer, "head": head, "mean": values.ravel()}))
    return pl.concat(frames, how="diagonal_relaxed")


def text_summary(plan: Plan) -> pl.DataFrame:
    frames = [schema.TEXT_SUMMARY.frame()]
    shape = (plan.layers, plan.heads)
    for k, model in enumerate(plan.working):
        for v, variant in enumerate(plan.asked()):
            rng = np.random.default_rng([k, v, 3])
            depth = np.linspace(0, 1, plan.layers)[:, None]
            entropy = np.clip(0.75 - 0.5 * depth + rng.uniform(-0.2, 0.2, shape), 0.02, 1)
            sink = np.clip(0.1 + 0.7 * depth + rng.uniform(-0.1, 0.1, shape), 0, 0.93)
            values = [
                ("last", None, "entropy_normalized", entropy),
                ("last", "sinks_removed", "entropy_normalized", np.minimum(1, entropy * 1.3)),
                ("all", None, "entropy_normalized", np.minimum(1, entropy * 1.1)),
                ("last", None, "max_weight", 1 - entropy),
                ("last", None, "sink_mass", sink), ("all", None, "sink_mass", sink),
                *(("all", None, name, top * rng.power(0.3, shape))
                  for name, top in HEAD_METRICS.items()),
            ]  # fmt: skip
            values += [("all", "sinks_removed", name, 0.9 * grid)
                       for _, _, name, grid in values[-len(HEAD_METRICS):]]  # fmt: skip
            if plan.encoder:
                values.append(("all", None, "next_token", 0.6 * rng.power(0.3, shape)))
            for rows, condition, metric, grid in values:
                frames.append(_rows(levels(plan, grid, heads=True), rows=rows,
                                    condition=condition, metric=metric, model=model,
                                    variant=variant, checkpoint="pretrained"))  # fmt: skip
                if plan.untrained:
                    flat = np.full(shape, 0.97)
                    frames.append(_rows(levels(plan, flat, heads=True), rows=rows,
                                        condition=condition, metric=metric, model=model,
                                        variant=variant, checkpoint="untrained"))  # fmt: skip
            mean_row = levels(plan, 1.0 + 1.5 * entropy, heads=False)
            frames.append(_rows(mean_row, rows="last", metric="published_layer_entropy",
                                model=model, variant=variant, checkpoint="pretrained"))  # fmt: skip
            lags = levels(plan, 0.2 * entropy, heads=True)
            frames.append(_rows(lags, rows="all", metric="lag_profile", target=1, model=model,
                                variant=variant, checkpoint="pretrained"))  # fmt: skip
    return schema.TEXT_SUMMARY.conform(
        with_spread(plan, pl.concat(frames).drop("n", "sd", "lo95", "hi95"))
    )


def _rows(frame: pl.DataFrame, **constants: object) -> pl.DataFrame:
    return schema.TEXT_SUMMARY.conform(
        frame.with_columns(**{k: pl.lit(v) for k, v in constants.items()})
    )


def span_tokens(plan: Plan, variant: str) -> dict[str, int]:
    """Span → its tokens in a text, derived spans and keywords included."""
    inside = [s.split("; ") for _, s in tokens_of(plan, variant, 0)]
    found: dict[str, int] = {}
    for names in inside:
        for name in names:
            if name:
                found[name] = found.get(name, 0) + 1
    for union, end in (("examples_answers", "_answer"), ("examples_questions", "_question")):
        total = sum(n for name, n in found.items() if name.endswith(end))
        if total:
            found[union] = total
    words = [t for t, _ in tokens_of(plan, variant, 0)]
    for word in ("plus", "step", "expert", "math", "Question", "Answer"):
        found[f"keyword: {word}"] = sum(word in t for t in words)
    if not plan.encoder:
        found |= {"keyword: {first}": 2, "keyword: {second}": 2}
    return found


def segment_summary(plan: Plan) -> pl.DataFrame:
    frames = [schema.SEGMENT_SUMMARY.frame()]
    for k, model in enumerate(plan.working if not plan.encoder else ()):
        for v, variant in enumerate(plan.asked()):
            spans = span_tokens(plan, variant)
            size = len(with_specials(plan, tokens_of(plan, variant, 0)))
            rng = np.random.default_rng([k, v, 7])
            for name, n in spans.items():
                hit = n > 0
                share = n / size * rng.uniform(0.3, 1.6, (plan.layers, plan.heads))
                share *= 0.8 if name != "question" else 0.6
                for condition in (None, "sinks_removed"):
                    mass = share * (0.4 if condition is None else 1.0)
                    if condition is None and name == first_span(plan, variant):
                        mass = mass + np.linspace(0.1, 0.55, plan.layers)[:, None]
                    measures = {"mass": mass}
                    if hit:
                        measures |= {"mass_relative": mass / (n / size), "mass_per_token": mass / n}
                    for measure, grid in measures.items():
                        frames.append(_segments(
                            levels(plan, grid, heads=plan.per_head_segments), model=model,
                            variant=variant, condition=condition, span=name, measure=measure,
                            n_matches=float(hit), n_tokens=float(n), checkpoint="pretrained",
                        ))  # fmt: skip
                if name.startswith("keyword") and hit:
                    last = pl.DataFrame({"mean": [0.5 * float(share[-1].mean())]})
                    frames.append(_segments(
                        last, model=model, variant=variant, span=name, measure="as_published",
                        n_matches=1.0, checkpoint="pretrained",
                    ))  # fmt: skip
    return schema.SEGMENT_SUMMARY.conform(
        with_spread(plan, pl.concat(frames).drop("n", "sd", "lo95", "hi95"))
    )


def first_span(plan: Plan, variant: str) -> str:
    return "" if plan.special else tokens_of(plan, variant, 0)[0][1]


def _segments(frame: pl.DataFrame, **constants: object) -> pl.DataFrame:
    return schema.SEGMENT_SUMMARY.conform(
        frame.with_columns(**{k: pl.lit(v) for k, v in constants.items()})
    )


def text_contrasts(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    if plan.encoder or len(plan.variants) < 2:
        return schema.TEXT_CONTRASTS.frame()
    for k, model in enumerate(plan.working):
        rng = np.random.default_rng([k, 11])
        for end, scale in (("", 0.8), ("_sinks_removed", 1.0), ("_found_sinks_removed", 0.9)):
            distance = scale * (0.2 + 0.25 * np.sin(np.linspace(0, 3, plan.layers)) ** 2)
            distance += rng.uniform(0, 0.03, plan.layers)
            for layer, d in [*enumerate(distance.tolist()), (None, float(distance.mean()))]:
                others = float(distance.mean())
                values = {"distance": d, "null_distance": 0.12 * scale,
                          "distance_excess": d - 0.12 * scale,
                          "distance_vs_others": d - others}  # fmt: skip
                rows += [
                    {"model": model, "checkpoint": "pretrained", "family": "sensitivity",
                     "layer": layer, "span": "question", "measure": f"{m}{end}", "a": "variants",
                     "n": plan.questions, "mean": value,
                     "lo95": value - 0.02 if plan.questions > 1 else None,
                     "hi95": value + 0.02 if plan.questions > 1 else None,
                     "p_bh": 0.001 if plan.questions > 1 and abs(value) > 0.03 else 0.6}
                    for m, value in values.items()
                ]  # fmt: skip
    return schema.TEXT_CONTRASTS.frame(rows)


def text_effects(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for k, model in enumerate(plan.working if not plan.encoder else ()):
        for code, mean in (("E2", 0.8), ("E3", 0.3), ("E4", 0.5)):
            for place, layers in enumerate(("all", "0-4", "5-9", "10-14")):
                value = mean * (1.0, 0.02, 0.4, 0.1)[place] + 0.1 * k
                rows.append({
                    "model": model, "variant": "plain", "code": code, "layers": layers,
                    "metric": "skill_units", "n": plan.questions,
                    "mean": None if place == 3 and code == "E4" else value,
                    "lo95": value - 0.05 if plan.questions > 1 else None,
                    "hi95": value + 0.05 if plan.questions > 1 else None,
                })  # fmt: skip
    return schema.TEXT_EFFECTS.frame(rows)


def accuracy(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for model in plan.working if not plan.encoder else ():
        for v, variant in enumerate(plan.asked()):
            right = min(plan.questions, (v * plan.questions) // 6)
            empty = plan.questions if v == 0 else 0
            share = right / plan.questions
            rows.append({
                "model": model, "variant": variant, "n": plan.questions, "correct": right,
                "wrong": plan.questions - right - empty, "none": 0, "unfinished": 0,
                "empty": empty,
                "accuracy": share, "lo95": max(0.0, share - 0.2), "hi95": min(1.0, share + 0.2),
                "loss": 2.0, "answer_loss": 1.0,
            })  # fmt: skip
    return schema.ACCURACY.frame(rows)


def heads(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for k, model in enumerate(plan.working):
        for v, variant in enumerate(plan.asked()):
            rng = np.random.default_rng([k, v, 13])
            ranks = rng.permutation(plan.layers * plan.heads)
            words = [t for t, *_ in with_specials(plan, tokens_of(plan, variant, 0))]
            for place, rank in enumerate(ranks.tolist()):
                head = {
                    "model": model, "checkpoint": "pretrained", "variant": variant,
                    "layer": place // plan.heads, "head": place % plan.heads, "n": plan.questions,
                    "entropy": 0.1 + rank, "entropy_normalized": 0.01 * rank,
                    "focus_token": words[rank % len(words)], "focused_rank": rank + 1,
                    "cluster": (place * 7) % 5,
                }  # fmt: skip
                last = len(ranks) - rank  # off the sinks, the order is turned
                rows += [head, head | {"condition": "sinks_removed", "focused_rank": last,
                                       "cluster": (place * 7) % 3}]  # fmt: skip
    return schema.HEAD_TABLE.frame(rows)


def head_distances(plan: Plan) -> pl.DataFrame:
    frames = [schema.HEAD_DISTANCES.frame()]
    count = plan.layers * plan.heads
    a, b = np.triu_indices(count, 1)
    for k, model in enumerate(plan.working):
        rng = np.random.default_rng([k, 17])
        same = (a * 7) % 5 == (b * 7) % 5
        distance = np.where(same, 0.25, 0.6) + rng.uniform(-0.15, 0.2, len(a))
        frame = pl.DataFrame({
            "layer_a": a // plan.heads, "head_a": a % plan.heads, "layer_b": b // plan.heads,
            "head_b": b % plan.heads, "distance": distance,
        })  # fmt: skip
        constants = {"model": pl.lit(model), "checkpoint": pl.lit("pretrained"), "n": pl.lit(4)}
        of_model = frame.with_columns(**constants)
        off = of_model.with_columns(
            condition=pl.lit("sinks_removed"), distance=0.5 + pl.col("distance") / 2
        )
        frames += [schema.HEAD_DISTANCES.conform(part) for part in (of_model, off)]
    return pl.concat(frames)


def maps(plan: Plan) -> pl.DataFrame:
    frames = [schema.MAPS.frame()]
    views = ("last_layer", "mean", "max", *(("l1h2",) if plan.head_views else ()))
    for k, model in enumerate(plan.working):
        for v, variant in enumerate(plan.asked()):
            size = len(with_specials(plan, tokens_of(plan, variant, 0)))
            for w, view in enumerate(views):
                rng = np.random.default_rng([k, v, w, 19])
                logits = rng.normal(0, 1.5, (size, size))
                logits[:, 0] += 3
                if not plan.encoder:
                    logits[np.triu_indices(size, 1)] = -np.inf
                weights = np.exp(logits - logits.max(axis=1, keepdims=True))
                weights /= weights.sum(axis=1, keepdims=True)
                query, key = (i.ravel() for i in np.indices(weights.shape))
                off = np.where(np.arange(size) == 0, 0.0, weights)
                off /= np.maximum(off.sum(axis=1, keepdims=True), 1e-9)
                for condition, shown in ((None, weights), ("sinks_removed", off)):
                    frames.append(schema.MAPS.conform(pl.DataFrame(
                        {"query": query, "key": key, "value": shown.ravel()}
                    ).with_columns(model=pl.lit(model), checkpoint=pl.lit("pretrained"),
                                   condition=pl.lit(condition, pl.String),
                                   variant=pl.lit(variant), item=pl.lit(item_of(plan, variant, 0)),
                                   view=pl.lit(view))))  # fmt: skip
    return pl.concat(frames)


def inventory(plan: Plan) -> pl.DataFrame:
    return schema.TEXT_TABLES["inventory"].frame([
        {"model": m, "seed": 0, "outcome": "failed" if m in plan.broken else "ok",
         "reason": "the checkpoint holds NaN weights" if m in plan.broken else None,
         "final": None if m in plan.broken else "pretrained"}
        for m in plan.models
    ])  # fmt: skip


def study(plan: Plan | None = None) -> dict[str, pl.DataFrame]:
    """All tables of the study."""
    return dict(_study(plan or Plan()))


@lru_cache(maxsize=32)
def _study(plan: Plan) -> dict[str, pl.DataFrame]:
    makers = (text_summary, segment_summary, text_contrasts, text_effects, accuracy, heads,
              head_distances, maps, tokens, answers, inventory)  # fmt: skip
    return {maker.__name__: maker(plan) for maker in makers}


def figure_context(plan: Plan, **changes: object) -> FigureContext:
    """The context that goes with `study(plan)`."""
    context = FigureContext(
        style=StyleSpec(),
        labels={m: plan.label(m) for m in plan.models},
        attention_models=plan.models,
        baselines=dict.fromkeys(plan.models),
        seeds=(0,),
        representative_seed=0,
        window=0,
    )
    return replace(context, **changes)
