"""Names of the figures, where each is drawn, and the tables it is drawn from."""

from attnpipe.core.registry import Registry

WINDOWS: dict[str, tuple[str, ...]] = {
    "entropy": ("inventory", "metrics", "metric_values"),
    "profiles": ("inventory", "metrics", "metric_values"),
    "entropy_over_epochs": ("inventory", "metric_values"),
    "epoch_heatmaps": ("inventory", "metric_values"),
    "seed_similarity": ("inventory", "similarity"),
    "stability": ("inventory", "similarity"),
    "variation": ("inventory", "similarity"),
    "profile_overlay": ("inventory", "metrics", "metric_values"),
    "summary": ("inventory", "metrics", "metric_values", "similarity", "comparisons"),
    "loss_curves": ("inventory", "history"),
    "forest": ("inventory", "comparisons"),
    "gates": ("inventory", "effects"),
    "use_and_benefit": ("inventory", "effects"),
    "ablation": ("inventory", "effects"),
    "heads_over_training": ("inventory", "metric_values"),
}
"""Figures of models on windows of series, and of saved weights."""

TEXTS: dict[str, tuple[str, ...]] = {
    "prompt_maps": ("inventory", "answers", "tokens", "maps"),
    "layer_entropy": ("inventory", "answers", "text_summary"),
    "segment_mass": ("inventory", "answers", "tokens", "text_summary", "segment_summary"),
    "head_atlas": ("inventory", "answers", "text_summary", "heads"),
    "head_similarity": ("inventory", "answers", "heads", "head_distances"),
    "few_shot": ("inventory", "answers", "segment_summary"),
    "keywords": ("inventory", "answers", "segment_summary"),
    "prompt_sensitivity": ("inventory", "answers", "text_contrasts"),
    "answers": ("inventory", "answers", "accuracy"),
    "answer_effects": ("inventory", "text_effects"),
}
"""Figures of pretrained models on texts."""

SHORTENED: dict[str, tuple[str, ...]] = {"compression": ("inventory", "compression")}
"""Figures of models that read from left to right, whatever the kind of study."""

NEEDS: dict[str, tuple[str, ...]] = WINDOWS | TEXTS | SHORTENED
"""Figure name → the study's tables that it reads, and no others."""

ONE_SEED = ("epoch_heatmaps",)
"""Figures that show the representative seed; the others do not depend on it."""

FIGURES = Registry(
    "figure",
    {name: f"attnpipe.figures.{name}:draw" for name in (*WINDOWS, *SHORTENED)}
    | {name: f"attnpipe.figures.texts.{name}:draw" for name in TEXTS},
)
"""Figure name → ``draw(tables, context, options) -> matplotlib.figure.Figure``."""
