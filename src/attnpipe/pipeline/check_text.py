"""What can be said of the names in a study of texts before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.pipeline.heads_asked import check_heads, heads_asked, model_config
from attnpipe.schema.analysis import HEAD_VIEW
from attnpipe.schema.study import StudySpec
from attnpipe.schema.text import PromptsData
from attnpipe.tables.text import ALWAYS_PER_HEAD
from attnpipe.text.arithmetic import at_most
from attnpipe.text.conditions import conditions, variant_label

CONFIG = "config.json"
"""Of a model."""
BY_KEYS = ("layer_entropy", "segment_mass", "few_shot")
"""Figures whose view says with which keys."""
OF_LAST = ("focus_position",)
OF_ALL = (
    *SCORES, "rows_valid", "query_variation", "lag_variation",
    "peak_lag_mode", "peak_lag_median", "peak_lag_iqr",
)  # fmt: skip
OF_BOTH = ("sink_mass", "peak_resolved_share")
"""What is known of single heads beside the metrics of their rows."""
WITH_SINKS = ("sink_mass", "rows_valid")
"""What there is not without sinks."""


def check_text(spec: StudySpec) -> None:
    """Refuse names that no table will have: of metrics, views, variants and heads.

    Raises
    ------
    UserError
        The first of them, with the nearest that will be there.
    """
    if spec.data.kind not in ("prompts", "sentences"):
        return
    if isinstance(spec.data, PromptsData):
        _check_questions(spec.data)
    _check_metrics(spec)
    for figure, known, hint in _views(spec):
        options = spec.figure.show.get(figure)
        view = None if options is None else options.view
        if view is not None and view not in known and not (hint and HEAD_VIEW.fullmatch(view)):
            cure = nearest(view, list(known)) + hint
            if figure == "prompt_maps" and HEAD_VIEW.fullmatch(view):
                cure = f"add it, analysis.text.views=[{','.join([*known, view])}]"
            raise UserError(
                f"figure.show.{figure}.view is '{view}', which the tables will not have: {cure}"
            )
    for name, model in spec.models.items():
        folder = getattr(getattr(model, "source", None), "path", None)
        if folder is not None:
            check_heads(
                heads_asked(spec.model_dump(mode="json")), name, model_config(Path(folder) / CONFIG)
            )


def _check_questions(data: PromptsData) -> None:
    """Refuse more questions than the operands allow; how many are equally long shows later."""
    most = at_most(data)
    if data.questions > most:
        raise UserError(
            f"data.questions is {data.questions}, but operands from {data.smallest} to "
            f"{data.largest} allow {most} at most; raise data.largest, or lower data.questions"
        )


def _check_metrics(spec: StudySpec) -> None:
    rows = list(row_metrics(spec.analysis.metrics))
    for name in spec.analysis.text.head_metrics:
        if name not in rows:
            raise UserError(
                f"analysis.text.head_metrics names '{name}', which is no metric of rows: "
                f"{nearest(name, rows)}"
            )
    options = spec.figure.show.get("head_atlas")
    of_heads = {*ALWAYS_PER_HEAD, *spec.analysis.text.head_metrics, *OF_BOTH}
    last, every = {*of_heads, *OF_LAST}, {*of_heads, *OF_ALL}
    if options is not None and options.condition == "sinks_removed":
        last, every = last - {*WITH_SINKS}, every - {*WITH_SINKS}
    known = sorted(
        last | every | {f"last/{name}" for name in last} | {f"all/{name}" for name in every}
    )
    for name in (options.metrics if options else None) or ():
        if name in known:
            continue
        bare = name.rpartition("/")[2]
        kept = f"add '{bare}' to analysis.text.head_metrics" if bare in rows else None
        raise UserError(
            f"figure.show.head_atlas.metrics names '{name}', which the tables will not have of "
            f"single heads: {kept or nearest(name, known)}"
        )


def _views(spec: StudySpec) -> Iterator[tuple[str, Sequence[str], str]]:
    """Yield figure, its views, and what else it takes, where that is any head."""
    yield "prompt_maps", spec.analysis.text.views, ""
    labels = ["sentences"]
    if isinstance(spec.data, PromptsData):
        labels = [variant_label(*condition) for condition in conditions(spec.data)]
    yield "head_atlas", labels, ""
    yield "keywords", ["last_layer", "mean"], "; or one head as l3h2"
    for figure in BY_KEYS:
        yield figure, ["all_keys", "sinks_removed", "found_sinks_removed"], ""
