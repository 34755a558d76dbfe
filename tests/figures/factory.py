"""Synthetic tables of a study: small, deterministic and of the published schema."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
import polars as pl
from scipy import stats

from attnpipe.diagnosis.context import DiagnosisContext
from attnpipe.figures.context import FigureContext
from attnpipe.schema.figure import StyleSpec
from attnpipe.tables import study as schema
from attnpipe.tables.compression import COMPRESSION
from attnpipe.tables.history import HISTORY

METRICS = (
    "entropy_normalized", "effective_keys_n1", "kl_uniform", "content_share",
    "content_information", "position_information", "recent_mass_10", "recent_excess_10",
    "lag_mean", "rows_valid",
    "profile_entropy_normalized", "profile_kl_uniform", "profile_recent_mass_10", "profile_peak",
    "peak_resolved_share", "peak_lag_mode",
)  # fmt: skip
TOKEN_SCORES = ("previous_token", "induction")
PER_ROW = tuple(m for m in METRICS if not m.startswith(("profile", "rows")))


@dataclass(frozen=True)
class Plan:
    """What the made-up study looks like."""

    attention: tuple[str, ...] = (
        "lstm_small_simple", "lstm_medium_simple", "lstm_medium_additive", "lstm_medium_scaled_dot",
    )  # fmt: skip
    plain: tuple[str, ...] = ("mlp_last", "mlp_flat", "lstm_small", "lstm_medium")
    labels: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (7, 42, 94, 123, 231)
    epochs: int = 20
    window: int = 50
    heads: int = 1
    sharp: bool = True
    unknowable: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    diverged: frozenset[tuple[str, int]] = frozenset()
    identical: frozenset[tuple[str, int]] = frozenset()
    last_epoch_final: frozenset[int] = frozenset()
    excluded: int = 0
    leaks: float = 0.0
    censored: bool = False
    short: frozenset[str] = frozenset()
    trained: bool = True
    causal: bool = True
    tokens: bool = False
    induction: float = 0.95
    shortened: float = 0.005
    confirmed: bool = True

    def baseline(self, model: str) -> str | None:
        if model not in self.attention or not self.plain:
            return None
        return next((p for p in reversed(self.plain) if model.startswith(p)), self.plain[-1])

    @property
    def models(self) -> tuple[str, ...]:
        return (*self.plain, *self.attention)

    def label(self, model: str) -> str:
        return self.labels.get(model, model.replace("_", " ").replace("lstm", "LSTM"))

    def ok(self, model: str, seed: int) -> bool:
        return model not in self.absent and (model, seed) not in self.diverged

    def counts(self, model: str, seed: int) -> bool:
        return self.ok(model, seed) and (model, seed) not in self.identical

    def label_of_final(self, model: str) -> str:
        kinds = {self.final(s) for s in self.seeds if self.counts(model, s)}
        return kinds.pop() if len(kinds) == 1 else "final"

    def final(self, seed: int) -> str:
        return f"epoch_{self.epochs:03d}" if seed in self.last_epoch_final else "best"


def profile(plan: Plan, place: int, seed: int, epoch: int, head: int) -> np.ndarray:
    """A distribution over the window that moves away from uniform as training goes on."""
    rng = np.random.default_rng([place, seed, epoch, head, 5])
    steady = np.random.default_rng([place, seed, head, 9])
    x = np.arange(plan.window) / plan.window
    shapes = (4 * x, 0.1 * x, 2.5 * np.exp(-(((x - steady.uniform(0.2, 0.9)) / 0.08) ** 2)),
              1.5 * np.cos(2 * np.pi * x) + steady.normal(0, 0.6, plan.window))  # fmt: skip
    logits = shapes[place % 4] * (1 - np.exp(-epoch / 5)) + rng.normal(0, 0.02, plan.window)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _numbers(plan: Plan, place: int, seed: int, epoch: int, p: np.ndarray) -> dict[str, float]:
    rng = np.random.default_rng([place, seed, epoch, 1])
    n = plan.window
    flat = -(p * np.log(p)).sum() / np.log(n)
    gap = (0.25 + 0.15 * (place % 4)) * (1 - np.exp(-epoch / 4)) if plan.sharp else 0.0
    rows = float(np.clip(flat - gap - abs(rng.normal(0, 0.01)), 0.01, 1.0))
    kl = (1 - rows) * np.log(n)
    recent = float(p[-10:].sum())
    return {
        "entropy_normalized": rows, "effective_keys_n1": n**rows, "kl_uniform": kl,
        "content_share": 0.6, "content_information": 0.6 * kl, "position_information": 0.4 * kl,
        "recent_mass_10": recent, "recent_excess_10": (recent - 10 / n) / (1 - 10 / n),
        "lag_mean": float(((n - 1 - np.arange(n)) * p).sum()),
        "rows_valid": 128.0, "null_share": 0.3,
        "profile_entropy_normalized": flat, "profile_kl_uniform": (1 - flat) * np.log(n),
        "profile_recent_mass_10": recent, "profile_peak": float(p.argmax()),
        "peak_resolved_share": 0.7, "peak_lag_mode": float(n - 1 - p.argmax()),
    }  # fmt: skip


@cache
def _t(df: int) -> float:
    return float(stats.t.ppf(0.975, df))


def _spread(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    out = frame.group_by(keys, maintain_order=True).agg(
        n=pl.col("value").count().cast(pl.Int64), mean=pl.col("value").mean(),
        sd=pl.col("value").std(), min=pl.col("value").min(), max=pl.col("value").max(),
    )  # fmt: skip
    half = [
        _t(n - 1) * sd / np.sqrt(n) if n > 1 and sd is not None else None
        for n, sd in zip(out["n"], out["sd"], strict=True)
    ]
    column = pl.Series("half", half, dtype=pl.Float64)
    return out.with_columns(lo95=pl.col("mean") - column, hi95=pl.col("mean") + column)


def _word(entropy: float | None) -> str | None:
    if entropy is None:
        return None
    return (
        "nahezu uniform" if entropy > 0.95
        else "schwach fokussiert" if entropy > 0.85 else "fokussiert"
    )  # fmt: skip


def metric_values(plan: Plan) -> pl.DataFrame:
    columns: dict[str, list[object]] = {
        c: []
        for c in ("model", "seed", "checkpoint", "head", "condition", "target", "metric", "value")
    }

    def add(**row: object) -> None:
        for name, cells in columns.items():
            cells.append(row.get(name))

    for place, model in enumerate(plan.attention):
        for seed in plan.seeds:
            if not plan.counts(model, seed):
                continue
            for name, epoch in _checkpoints(plan, seed):
                for head in range(plan.heads):
                    p = profile(plan, place, seed, epoch, head)
                    where = {"model": model, "seed": seed, "checkpoint": name, "head": head}
                    for key, weight in enumerate(p.tolist()):
                        add(**where, target=key, metric="profile", value=weight)
                    for key, weight in enumerate(p[::-1].tolist()):
                        if "additive" in model:
                            add(**where, target=key, metric="profile_published", value=weight)
                    for metric, value in _numbers(plan, place, seed, epoch, p).items():
                        hidden = model in plan.unknowable and metric in PER_ROW
                        add(**where, metric=metric, value=None if hidden else value,
                            condition="unknowable" if hidden else None)  # fmt: skip
                    if name == plan.final(seed) and plan.trained:
                        for metric, share in (("kl_uniform", 0.5), ("lag_mean", 1.1)):
                            value = share * _numbers(plan, place, seed, epoch, p)[metric]
                            add(**where, metric=metric, value=value, condition="shuffled_inputs")
                    if plan.tokens:
                        for metric in TOKEN_SCORES:
                            score = 0.05 + 0.9 * (1 - np.exp(-epoch / 5)) * (head == place % 2)
                            add(**where, metric=metric, value=score)
                            add(**where, metric=metric, value=0.06, condition="chance")
                    for reason in ("padding", "off_support", "sum"):
                        count = plan.leaks if reason == "off_support" else 0.0
                        add(**where, metric="rows_excluded", value=count, condition=reason)
                if plan.tokens:
                    for metric in TOKEN_SCORES:
                        score = plan.induction * (1 - np.exp(-epoch / 5)) + 0.001 * seed / 231
                        add(**where | {"head": None}, metric=f"{metric}_best_head", value=score)
    frame = pl.DataFrame(columns, schema={c: schema.METRIC_VALUES.schema[c] for c in columns})
    return schema.METRIC_VALUES.conform(frame.with_columns(layer=pl.lit(0, dtype=pl.Int64)))


def _checkpoints(plan: Plan, seed: int) -> list[tuple[str, int]]:
    step = max(1, plan.epochs // 20)
    epochs = [("untrained", 0)] + [
        (f"epoch_{e:03d}", e) for e in range(step, plan.epochs + 1, step)
    ]
    return epochs if plan.final(seed) != "best" else [*epochs, ("best", plan.epochs)]


def metrics(plan: Plan, values: pl.DataFrame) -> pl.DataFrame:
    keys = ["model", "checkpoint", "layer", "head", "condition", "target", "metric"]
    own = pl.DataFrame({"seed": plan.seeds, "checkpoint": [plan.final(s) for s in plan.seeds]})
    mixed = [m for m in plan.attention if plan.label_of_final(m) == "final"]
    final = values.filter(pl.col("model").is_in(mixed)).join(own, on=["seed", "checkpoint"])
    frame = _spread(pl.concat([values, final.with_columns(checkpoint=pl.lit("final"))]), keys)
    words = [
        _word(m) if k == "profile_entropy_normalized" else None
        for k, m in zip(frame["metric"], frame["mean"], strict=True)
    ]
    return schema.METRIC_SUMMARY.conform(
        frame.with_columns(as_published=pl.Series(words, dtype=pl.String))
    )


def inventory(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for place, model in enumerate(plan.models):
        if model in plan.absent:
            continue
        for seed in plan.seeds:
            ok, attends = plan.ok(model, seed), model in plan.attention
            twin = (model, seed) in plan.identical
            rows.append({
                "model": model, "seed": seed, "outcome": "ok" if ok else "diverged",
                "reason": None if ok else "the loss became NaN in epoch 3",
                "parameters": 4609 + 1000 * place, "checkpoints": plan.epochs + 2 if attends else 0,
                "last_epoch": plan.epochs,
                "best_epoch": plan.epochs if model in plan.short else plan.epochs // 2,
                "loss_regained": 0.02,
                "test_weights": attends and plan.final(seed) == "best",
                "final": plan.final(seed) if ok and attends else None,
                "items": 128 if attends else None,
                "rows_valid": 128 * plan.window if attends else None,
                "rows_excluded": plan.excluded if attends else None,
                "identical_to": f"{model}/seed-{plan.seeds[0]}" if twin else None,
            })  # fmt: skip
    return schema.INVENTORY.frame(rows)


def _similarity_rows(plan: Plan, model: str, name: str, epoch: int) -> list[dict[str, object]]:
    place = plan.attention.index(model)
    seeds = [s for s in plan.seeds if plan.counts(model, s)]
    p = {s: profile(plan, place, s, epoch, 0) for s in seeds}
    rows: list[dict[str, object]] = []
    base = {"model": model, "checkpoint": name, "layer": 0, "head": 0}
    for measure in (
        "profile_cosine", "centred_cosine", "position_cosine", "jsd_distance", "profile_pearson",
    ):  # fmt: skip
        of_rows = measure in ("centred_cosine", "position_cosine")
        if of_rows and model in plan.unknowable:
            continue
        pairs = []
        for a, b in combinations(seeds, 2):
            mean = 0.0 if measure == "profile_cosine" else 1 / plan.window
            u, v = p[a] - mean, p[b] - mean
            value = float(u @ v / np.sqrt((u @ u) * (v @ v)))
            pairs.append(value if measure != "jsd_distance" else 1 - abs(value))
            rows.append({**base, "level": "pair", "measure": measure, "seed_a": a, "seed_b": b,
                         "value": pairs[-1]})  # fmt: skip
        if pairs:
            mean, half = float(np.mean(pairs)), 2.0 * float(np.std(pairs)) / np.sqrt(len(seeds))
            known = len(seeds) > 2
            rows.append({
                **base, "level": "model", "measure": measure, "value": mean, "n": len(seeds),
                "sd": float(np.std(pairs)), "min": min(pairs),
                "lo95": mean - half if known else None, "hi95": mean + half if known else None,
                "as_published": None if measure != "profile_cosine"
                else "instabil" if mean < 0.9 else "stabil",
            })  # fmt: skip
            if measure == "centred_cosine":
                rows[-1] |= {"null_mean": 0.0, "null_hi95": 0.08, "p": 0.005 if mean > 0.2 else 0.5,
                             "above_null": mean > 0.2}  # fmt: skip
    if len(seeds) > 1:
        stack = np.array(list(p.values()))
        for key, cv in enumerate((stack.std(0, ddof=1) / stack.mean(0)).tolist()):
            rows.append({**base, "level": "timestep", "measure": "cv", "target": key, "value": cv,
                         "n": len(seeds)})  # fmt: skip
    return rows


def _matched_rows(plan: Plan, model: str, checkpoint: str) -> list[dict[str, object]]:
    """The likeness of a layer's matched heads, near 0 before training."""
    seeds = [s for s in plan.seeds if plan.counts(model, s)]
    if len(seeds) < 2 or model in plan.unknowable:
        return []
    value = 0.01 if checkpoint == "untrained" else 0.9
    base = {"model": model, "checkpoint": checkpoint, "layer": 0, "measure": "matched_cosine"}
    rows: list[dict[str, object]] = [
        base | {"level": "pair", "seed_a": a, "seed_b": b, "value": value}
        for a, b in combinations(seeds, 2)
    ]
    half = 0.05 if len(seeds) > 2 else None
    return [*rows, base | {
        "level": "layer", "value": value, "n": len(seeds), "null_mean": 0.2, "null_hi95": 0.3,
        "lo95": half and value - half, "hi95": half and value + half,
        "p": 0.6 if checkpoint == "untrained" else 0.005, "above_null": checkpoint != "untrained",
    }]  # fmt: skip


def similarity(plan: Plan) -> pl.DataFrame:
    rows = [
        row
        for model in plan.attention
        if model not in plan.absent
        for name, epoch in (("untrained", 0), (plan.label_of_final(model), plan.epochs))
        for row in (*_similarity_rows(plan, model, name, epoch), *_matched_rows(plan, model, name))
    ]
    return schema.SIMILARITY.frame(rows)


def compression_rows(
    model: str, variant: str | None, cost: float, n_seeds: int, confirmed: bool = True
) -> list[dict[str, object]]:
    """Two policies and an oracle at two budgets; half of the newest tokens cost `cost`."""
    rows: list[dict[str, object]] = []
    for split in ("selection", "confirmation"):
        for policy, budget, value in (
            ("recent", 0.2, 0.5), ("recent", 0.5, cost), ("random", 0.5, 0.8),
            ("top_attention", 0.2, 0.004),
        ):  # fmt: skip
            value += 0.1 if split == "confirmation" and not confirmed else 0.0
            for moved in (False, True):
                rows.append({
                    "model": model, "variant": variant, "policy": policy, "budget": budget,
                    "reindexed": moved, "split": split, "value": value, "lo95": value - 0.004,
                    "hi95": value + 0.004, "upper": value + 0.005, "nats": 2 * value, "kept": 5.0,
                    "n_seeds": n_seeds, "n_units": 40, "within": value + 0.005 < 0.02,
                    "costly": value - 0.004 > 0.02,
                    "chosen": cost < 0.01 and (policy, budget, moved) == ("recent", 0.5, False),
                })  # fmt: skip
    return rows


def compression(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for model in plan.attention if plan.tokens else ():
        if model not in plan.absent:
            n = len(plan.seeds)
            rows += compression_rows(model, None, plan.shortened, n, plan.confirmed)
    return COMPRESSION.frame(rows)


def convergence(plan: Plan, values: pl.DataFrame) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    entropy = values.filter(pl.col("metric") == "entropy_normalized")
    for model, seed, name, head, value in entropy.select(
        "model", "seed", "checkpoint", "head", "value"
    ).iter_rows():
        if name == "best":
            continue
        epoch = 0 if name == "untrained" else int(name[6:])
        rows.append({
            "model": model, "seed": seed, "checkpoint": name, "layer": 0, "head": head,
            "epoch": epoch, "entropy_normalized": value,
            "jsd_previous": None if epoch == 0 else 0.1 * np.exp(-epoch / 3),
            "jsd_final": 0.1 * np.exp(-epoch / 3), "threshold": 1e-3,
            "convergence_epoch": plan.epochs if plan.censored else min(14, plan.epochs),
            "censored": plan.censored,
        })  # fmt: skip
    return schema.CONVERGENCE.frame(rows)


def history(plan: Plan) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for place, model in enumerate(plan.models if plan.trained else ()):
        for seed in plan.seeds:
            if model in plan.absent:
                continue
            rng = np.random.default_rng([place, seed, 3])
            last = plan.epochs if plan.ok(model, seed) else 2
            for epoch in range(last + 1):
                level = 0.5 + 0.5 * np.exp(-epoch / 4) + 0.02 * place % 0.1
                train = level + 0.01 * rng.normal()
                rows.append({
                    "model": model, "seed": seed, "epoch": epoch, "windows_seen": 3000 * epoch,
                    "train_loss": None if epoch == 0 else float(train),
                    "validation_loss": float(level + 0.05 + 0.015 * rng.normal()),
                    "learning_rate": 1e-3,
                })  # fmt: skip
    return HISTORY.frame(rows)


GAINS = {"lstm_small_simple": 0.08, "lstm_medium_simple": 0.001, "lstm_medium_additive": -0.09}


def comparisons(plan: Plan, half: float = 0.012, skill: float = 0.3) -> pl.DataFrame:
    """Gains in skill units are `GAINS` ± `half`, 0.015 elsewhere; the trivial mse is 4."""
    rows: list[dict[str, object]] = []
    trivial = 4.0
    for model in plan.models if plan.trained else ():
        seeds = [s for s in plan.seeds if plan.ok(model, s)]
        if not seeds:
            continue
        n, base, gain = len(seeds), plan.baseline(model), GAINS.get(model, 0.015)
        known = n > 1
        own = skill / (1 - gain) if base is not None else skill
        level = 1 - own
        for k, seed in enumerate(seeds):
            wobble = 0.002 * (k - (n - 1) / 2)
            for metric, value in (("loss", trivial * (level + wobble)), ("skill", own - wobble)):
                rows.append({"level": "seed", "model": model, "metric": metric, "seed": seed,
                             "value": value})  # fmt: skip
        rows.append({"level": "model", "model": model, "metric": "rmse", "n_seeds": n,
                     "value": float(np.sqrt(trivial * level))})  # fmt: skip
        rows.append({
            "level": "skill", "model": model, "baseline": "persistence", "metric": "skill",
            "value": own, "lo95": own - 0.05 if known else None,
            "hi95": own + 0.05 if known else None, "df": 6.0 if known else None,
            "n_seeds": n, "n_units": 40,
        })  # fmt: skip
        if base is None or base in plan.absent:
            continue
        for metric, scale in (("skill_units", 1.0), ("loss", trivial * own)):
            inside = abs(gain) + 0.75 * half < 0.02
            rows.append({
                "level": "gain", "model": model, "baseline": base, "metric": metric,
                "value": gain * scale, "df": 6.0 if known else None, "n_seeds": n, "n_units": 40,
                "lo95": (gain - half) * scale if known else None,
                "hi95": (gain + half) * scale if known else None,
                "lo90": (gain - 0.75 * half) * scale if known else None,
                "hi90": (gain + 0.75 * half) * scale if known else None,
                "hedges_g": 0.8 if known else None, "p_sign_flip": 0.0625 if known else None,
                "p_smallest": 2.0 ** (1 - n), "margin": 0.02 * scale,
                "equivalence": "yes" if inside else "no" if abs(gain) - half > 0.02 else "unknown",
            })  # fmt: skip
    return schema.COMPARISONS.frame(rows)


CODES = ("E1", "E2", "E3", "E4", "R0", "R1", "R2")
CAUSAL = {
    "lstm_small_simple": (0.5, 0.3, 0.2, 0.2, 0.1, 0.08, 0.05),  # content, needed
    "lstm_medium_simple": (0.001, 0.0, -0.001, 0.0, 0.001, 0.001, 0.0),  # not used
    "lstm_medium_additive": (0.4, 0.1, 0.05, 0.06, -0.09, 0.02, 0.02),  # harmful
}
OTHERS = (0.6, 0.001, 0.002, 0.0, 0.15, 0.001, 0.0)  # averaging
NAMES = {
    "E1": "output_mean", "E2": "uniform", "E3": "position_mean", "E4": "permuted",
    "R0": "none", "R1": "uniform", "R2": "static",
}  # fmt: skip


def effects(plan: Plan, half: float = 0.004) -> pl.DataFrame:
    """Effects in skill units are `CAUSAL` ± `half`, `OTHERS` for the other models."""
    rows: list[dict[str, object]] = []
    for model in plan.attention if plan.trained and plan.causal else ():
        seeds = [s for s in plan.seeds if plan.counts(model, s)]
        for code, value in zip(CODES, CAUSAL.get(model, OTHERS), strict=True):
            base = {
                "model": model, "kind": "intervention" if code[0] == "E" else "arm", "code": code,
                "name": NAMES[code], "against": f"arm-{code}" if code[0] == "R" else None,
            }  # fmt: skip
            if not seeds:
                continue
            known, n = len(seeds) > 1, len(seeds)
            measures = {"skill_units": value, "log_ratio": value}
            if code[0] == "E":
                measures["log_of_means"] = 0.0  # gates rest on the difference, unless edited
            for metric, mean in measures.items():
                rows.append(base | {
                    "level": "model", "metric": metric, "value": mean, "n_seeds": n, "n_units": 40,
                    "lo95": mean - half if known else None,
                    "hi95": mean + half if known else None,
                    "lo90": mean - 0.75 * half if known else None,
                    "hi90": mean + 0.75 * half if known else None,
                    "df": 6.0 if known else None, "p": 0.01 if known else None,
                    "margin": 0.02, "seeds_needed": 12 if known else None,
                })  # fmt: skip
            for k, seed in enumerate(seeds):
                rows.append(base | {
                    "level": "seed", "metric": "skill_units", "seed": seed, "n_seeds": 1,
                    "n_units": 40, "value": value + 0.001 * (k - (n - 1) / 2),
                })  # fmt: skip
        for layer in range(2 if plan.tokens and seeds else 0):
            value, known = (0.02, 2.4)[layer], len(seeds) > 1
            rows.append({
                "level": "model", "model": model, "kind": "intervention", "name": "position_mean",
                "layer": layer, "metric": "loss", "value": value, "n_seeds": len(seeds),
                "n_units": 40, "margin": 0.02, "lo95": value - half if known else None,
                "hi95": value + half if known else None,
            })  # fmt: skip
        for head in range(plan.heads if plan.heads > 1 and seeds else 0):
            (value, p), known = (0.05, 0.01) if head == 0 else (0.0, 0.9), len(seeds) > 1
            rows.append({
                "level": "model", "model": model, "kind": "intervention", "name": "single_head",
                "layer": 0, "head": head, "metric": "skill_units", "value": value,
                "lo95": value - half if known else None, "hi95": value + half if known else None,
                "n_seeds": len(seeds), "n_units": 40, "margin": 0.02,
                **dict.fromkeys(("p", "p_bh", "p_by"), p if known else None),
            })  # fmt: skip
    return schema.EFFECTS.frame(rows)


@lru_cache(maxsize=32)
def _study(key: str, plan: "Hashed") -> dict[str, pl.DataFrame]:
    values = metric_values(plan.plan)
    return {
        "inventory": inventory(plan.plan), "metrics": metrics(plan.plan, values),
        "metric_values": values, "similarity": similarity(plan.plan),
        "convergence": convergence(plan.plan, values), "history": history(plan.plan),
        "comparisons": comparisons(plan.plan), "effects": effects(plan.plan),
        "compression": compression(plan.plan),
    }  # fmt: skip


@dataclass(frozen=True)
class Hashed:
    """A plan that can be a key of the cache."""

    plan: Plan

    def __hash__(self) -> int:
        return hash(repr(self.plan))


def figure_context(plan: Plan, **changes: object) -> FigureContext:
    """The context that goes with `study(plan)`."""
    context = FigureContext(
        style=StyleSpec(),
        labels={m: plan.label(m) for m in plan.models},
        attention_models=plan.attention,
        baselines={m: plan.baseline(m) for m in plan.models},
        seeds=plan.seeds,
        representative_seed=plan.seeds[0],
        window=plan.window,
        step_value=1.0,
        step_unit="h",
        target_name="change of RC",
        target_unit="nT",
    )
    return replace(context, **changes)


def diagnosis_context(plan: Plan, **changes: object) -> DiagnosisContext:
    """The context of findings that goes with `study(plan)`."""
    context = DiagnosisContext(
        title="A made-up study",
        labels={m: plan.label(m) for m in plan.models},
        attention_models=plan.attention,
        baselines={m: plan.baseline(m) for m in plan.models},
        seeds=plan.seeds,
        window=plan.window,
    )
    return replace(context, **changes)


def study(plan: Plan | None = None) -> dict[str, pl.DataFrame]:
    """All tables of the study."""
    plan = plan or Plan()
    return dict(_study(repr(plan), Hashed(plan)))


def wide(models: int = 30, seeds: int = 20) -> Plan:
    """Many models and many seeds, few epochs."""
    names = tuple(f"attention_model_with_a_long_name_{i:02d}" for i in range(models))
    return Plan(
        attention=names, plain=("baseline",), seeds=tuple(range(100, 100 + seeds)), epochs=4,
        window=24,
    )  # fmt: skip
