"""Names of the figures, where each is drawn, and the tables it is drawn from."""

from attnpipe.core.registry import Registry

NEEDS: dict[str, tuple[str, ...]] = {
    "entropy": ("inventory", "metrics", "metric_values"),
    "profiles": ("inventory", "metrics", "metric_values"),
    "entropy_over_epochs": ("inventory", "metric_values"),
    "epoch_heatmaps": ("inventory", "metric_values"),
    "seed_similarity": ("inventory", "similarity"),
    "variation": ("inventory", "similarity"),
    "profile_overlay": ("inventory", "metrics", "metric_values"),
    "summary": ("inventory", "metrics", "metric_values", "similarity", "comparisons"),
    "loss_curves": ("inventory", "history"),
    "forest": ("inventory", "comparisons"),
}
"""Figure name → the study's tables that it reads, and no others."""

ONE_SEED = ("epoch_heatmaps",)
"""Figures that show the representative seed; the others do not depend on it."""

FIGURES = Registry("figure", {name: f"attnpipe.figures.{name}:draw" for name in NEEDS})
"""Figure name → ``draw(tables, context, options) -> matplotlib.figure.Figure``."""
