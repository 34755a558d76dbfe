"""Keywords in their order, and masses on parts of the prompt that add up."""

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attnpipe.core.errors import UserError
from attnpipe.figures.texts.parts import example_of, part_of
from attnpipe.figures.texts.stack import stack_of
from attnpipe.figures.texts.tokens import TokenLine

Draw = Callable[..., Figure]


def panel(figure: Figure, title: str) -> Axes:
    (found,) = [ax for ax in figure.axes if ax.get_title("left") == title]
    return found


def row_labels(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def keyword_rows(tables: dict[str, pl.DataFrame], variant: str) -> pl.DataFrame:
    return tables["segment_summary"].filter(
        pl.col("span").str.starts_with("keyword: ") & (pl.col("variant") == variant)
        & pl.col("condition").is_null() & (pl.col("n_matches") > 0)
    )  # fmt: skip


def test_keywords_come_by_descending_mass_of_the_last_layer(
    text_factory: ModuleType, draw: Draw
) -> None:
    tables = text_factory.study()
    rows = keyword_rows(tables, "structured").filter(
        (pl.col("measure") == "mass") & (pl.col("layer") == 5) & pl.col("head").is_null()
    )
    names = {"{first}": "first operand", "{second}": "second operand"}
    words = [s.removeprefix("keyword: ") for s in rows.sort("mean", descending=True)["span"]]
    ax = panel(draw("keywords"), "structured")
    assert row_labels(ax) == [names.get(w, w) for w in words]
    assert "step" not in row_labels(ax)  # not in this prompt
    means = [float(line.get_xdata()[0]) for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert set(rows["mean"]) <= set(means)
    published = keyword_rows(tables, "structured").filter(pl.col("measure") == "as_published")
    assert set(published["mean"]) <= set(means)


def test_a_keyword_on_a_sink_is_named_and_not_on_the_scale(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(variants=("structured",))
    tables = text_factory.study(plan)
    word = (pl.col("span") == "keyword: Question") & (pl.col("measure") == "mass")
    for condition, mass in ((None, 0.4), ("sinks_removed", 0.0)):
        at = word & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        assert tables["segment_summary"].filter(at).height
        tables["segment_summary"] = tables["segment_summary"].with_columns(
            pl.when(at).then(mass).otherwise(pl.col("mean")).alias("mean")
        )
    ax = panel(draw("keywords", plan, tables), "structured")
    assert row_labels(ax)[0] == "Question"
    assert "on a declared sink, off the scale: 0.400" in [t.get_text() for t in ax.texts]
    assert ax.get_xlim()[1] < 0.4
    assert not any(len(x := line.get_xdata()) == 1 and x[0] == 0.4 for line in ax.get_lines())


def test_a_prompt_without_any_keyword_has_no_axis(text_factory: ModuleType, draw: Draw) -> None:
    plan = text_factory.Plan(variants=("plain",))
    tables = text_factory.study(plan)
    tables["segment_summary"] = tables["segment_summary"].with_columns(
        n_matches=pl.when(pl.col("span").str.starts_with("keyword: ")).then(0.0)
        .otherwise(pl.col("n_matches"))
    )  # fmt: skip
    ax = panel(draw("keywords", plan, tables), "plain")
    assert "none of the keywords" in [t.get_text() for t in ax.texts]
    assert ax.get_xticks().tolist() == []


def test_keywords_of_a_head_or_of_all_layers_are_views(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(variants=("plain",), per_head_segments=True)
    rows = keyword_rows(text_factory.study(plan), "plain").filter(pl.col("measure") == "mass")
    for view, where in (
        ("l2h1", (pl.col("layer") == 2) & (pl.col("head") == 1)),
        ("mean", pl.col("layer").is_null()),
    ):
        ax = draw("keywords", plan, view=view).axes[0]
        points = [line.get_xdata() for line in ax.get_lines() if len(line.get_xdata()) == 1]
        drawn = {float(x[0]) for x in points}
        assert set(rows.filter(where)["mean"]) <= drawn


def test_a_view_of_keywords_that_is_not_there_is_refused(draw: Draw) -> None:
    message = r"figure.show.keywords.view is 'l9h9', which the tables do not have"
    with pytest.raises(UserError, match=message):
        draw("keywords", view="l9h9")


@pytest.mark.parametrize("name", ["layer_entropy", "segment_mass", "few_shot"])
def test_an_unknown_condition_is_refused_with_those_there_are(draw: Draw, name: str) -> None:
    with pytest.raises(UserError, match=r"there is all_keys, sinks_removed, found_sinks_removed"):
        draw(name, view="without")


def stairs(ax: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Baseline and top of every area."""
    return [(np.asarray(p.get_data().baseline), p.get_data().values) for p in ax.patches]


@pytest.mark.parametrize("special", [False, True])
def test_masses_are_stacked_up_to_one(text_factory: ModuleType, draw: Draw, special: bool) -> None:
    plan = text_factory.Plan(special=special)
    areas = stairs(panel(draw("segment_mass", plan), "cot"))
    assert len(areas) == 4  # sinks, instruction, question, rest
    for (_, top), (base, _) in pairwise(areas):
        assert base == pytest.approx(top)
    assert areas[-1][1].min() == pytest.approx(1.0)
    table = text_factory.study(plan)
    sink = table["text_summary"].filter(
        (pl.col("metric") == "sink_mass") & (pl.col("rows") == "last") & pl.col("head").is_null()
        & (pl.col("variant") == "cot") & pl.col("layer").is_not_null()
    ).sort("layer")["mean"].to_numpy()  # fmt: skip
    instruction = table["segment_summary"].filter(
        (pl.col("span") == "instruction") & (pl.col("measure") == "mass")
        & pl.col("condition").is_null() & pl.col("layer").is_not_null()
        & (pl.col("variant") == "cot")
    ).sort("layer")["mean"].to_numpy()  # fmt: skip
    assert areas[0][1] == pytest.approx(sink)
    # Without a special token the first one is a sink inside the instruction: counted once.
    together = sink + instruction if special else np.maximum(sink, instruction)
    assert areas[1][1] == pytest.approx(together)


def test_parts_that_are_not_asked_for_are_among_the_rest(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(special=True)
    sink, _, question, _ = stairs(panel(draw("segment_mass", plan), "cot"))
    own = panel(draw("segment_mass", plan, spans=["question"]), "cot")
    assert len(stairs(own)) == 3  # sinks, question, rest
    assert stairs(own)[0][1] == pytest.approx(sink[1])
    assert stairs(own)[1][1] - stairs(own)[1][0] == pytest.approx(question[1] - question[0])
    assert stairs(own)[2][0] == pytest.approx(stairs(own)[1][1])
    assert stairs(own)[2][1].min() == pytest.approx(1.0)
    below = own.figure.axes[own.figure.axes.index(own) + 1]
    assert sum(len(line.get_xdata()) == 6 for line in below.get_lines()) == 1


def frame(**masses: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"span": span, "layer": layer, "mean": mean}
            for span, values in masses.items()
            for layer, mean in enumerate(values)
        ]
    )


def test_a_sink_that_cannot_be_told_apart_is_not_drawn() -> None:
    raw, sinks = frame(question=[0.5, 0.7]), frame(sink=[0.3, 0.4]).drop("span")
    first = TokenLine(("What", "?"), (True, False), (False, False), ("question", "operand_1"))
    alone = stack_of(raw, sinks, first)
    assert alone.masses["question"] == pytest.approx([0.2, 0.3])
    assert alone.sink == pytest.approx([0.3, 0.4])
    ending = TokenLine(("What", "</s>"), (True, True), (False, True), ("question",))
    mixed = stack_of(raw, sinks, ending)
    assert mixed.sink is None
    assert mixed.masses["question"] == pytest.approx([0.5, 0.7])
    outside = TokenLine(("[CLS]", "What"), (True, False), (True, False), ())
    assert stack_of(raw, sinks, outside).masses["question"] == pytest.approx([0.5, 0.7])
    assert stack_of(raw, sinks.clear(), first).sink is None


def test_relative_masses_are_without_sinks_unless_asked_for(
    text_factory: ModuleType, draw: Draw
) -> None:
    table = text_factory.study()["segment_summary"].filter(
        (pl.col("span") == "question") & (pl.col("measure") == "mass_relative")
        & (pl.col("variant") == "plain") & pl.col("layer").is_not_null()
    ).sort("layer")  # fmt: skip
    for view, condition in ((None, "sinks_removed"), ("all_keys", None)):
        own = table.filter(pl.col("condition").eq_missing(pl.lit(condition)))
        figure = draw("segment_mass", view=view)
        below = figure.axes[figure.axes.index(panel(figure, "plain")) + 1]
        drawn = [np.asarray(line.get_ydata(), float) for line in below.get_lines()]
        assert any(len(d) == 6 and np.allclose(d, own["mean"].to_numpy()) for d in drawn)


def test_parts_lie_side_by_side() -> None:
    assert part_of("shot_12_question") == "examples_questions"
    assert part_of("shot_1_answer") == "examples_answers"
    assert part_of("question") == "question"
    for overlapping in ("operands", "operand_1", "keyword: plus", "intermediate"):
        assert part_of(overlapping) is None
    assert [example_of(s) for s in ("shot_3_answer", "examples_answers", "shot_3_question")] == [
        3, 0, None
    ]  # fmt: skip
