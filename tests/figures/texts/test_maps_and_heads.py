"""Maps between tokens, and maps of heads, show what the tables hold."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from attnpipe.core.errors import UserError
from attnpipe.figures.save import save_png
from attnpipe.figures.texts.head_similarity import spread
from attnpipe.figures.texts.prompt_maps import TOKENS
from attnpipe.figures.texts.tokens import BLANK, readable
from attnpipe.report.captions import CAPTIONS
from attnpipe.schema.figure import StyleSpec

Draw = Callable[..., Figure]


def panel(figure: Figure, start: str) -> Axes:
    (found,) = [ax for ax in figure.axes if ax.get_title("left").startswith(start)]
    return found


def of(condition: str | None) -> pl.Expr:
    return pl.col("condition").eq_missing(pl.lit(condition, pl.String))


def weights(
    tables: dict[str, pl.DataFrame], variant: str, view: str, condition: str | None = None
) -> np.ndarray:
    cells = tables["maps"].filter(of(condition), variant=variant, view=view)
    size = cells["query"].max() + 1
    return cells.sort("query", "key")["value"].to_numpy().reshape(size, size)


@pytest.mark.parametrize("view", ["last_layer", "max"])
def test_a_map_shows_weights_off_sinks_on_one_scale(
    text_factory: ModuleType, draw: Draw, view: str
) -> None:
    tables = text_factory.study()
    figure = draw("prompt_maps", view=view)
    parked, image = panel(figure, "cot").images
    wanted = weights(tables, "cot", view)
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    lower = np.tril_indices(len(wanted), 0)
    assert np.isnan(shown[:, 0]).all()  # the first token is a sink
    off = (lower[0][lower[1] > 0], lower[1][lower[1] > 0])
    assert shown[off] == pytest.approx(wanted[off])
    assert np.isnan(shown[np.triu_indices(len(wanted), 1)]).all()
    assert np.ma.filled(parked.get_array(), 9.0)[:, 0] == pytest.approx(wanted[:, 0])
    most = max(
        weights(tables, v, view)[:20, 1:20].max() for v in text_factory.PROMPTS
    )  # as far as tokens are shown
    assert image.norm.vmax == pytest.approx(most)
    assert image.norm.vmin == 0.0


def test_maps_are_also_shown_off_the_sinks(text_factory: ModuleType, draw: Draw) -> None:
    figure = draw("prompt_maps", condition="sinks_removed")
    wanted = weights(text_factory.study(), "cot", "last_layer", "sinks_removed")
    shown = np.ma.filled(panel(figure, "cot").images[1].get_array().astype(float), 0.0)
    assert shown == pytest.approx(wanted)
    assert "without sinks" in " ".join(t.get_text() for t in figure.texts)


def test_special_tokens_of_an_encoder_are_off_the_scale(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(encoder=True)
    ax = panel(draw("prompt_maps", plan), "sentences")
    shown = np.ma.filled(ax.images[1].get_array().astype(float), np.nan)
    assert np.isnan(shown[:, [0, -1]]).all()
    assert np.isfinite(shown[:, 1:-1]).all()
    labels = ax.get_yticklabels()
    assert labels[0].get_text() == "[CLS]"
    assert labels[-1].get_fontstyle() == "italic"
    assert labels[1].get_fontstyle() == "normal"


def test_the_last_tokens_are_those_of_the_end(text_factory: ModuleType, draw: Draw) -> None:
    plan = text_factory.Plan(variants=("4_shot",), questions=1)
    ax = panel(draw("prompt_maps", plan, tokens=-5), "4 shots (sink and last 5 of 77 tokens)")
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels[1:] == ["27", "?", "⏎", "Answer", ":"]
    wanted = weights(text_factory.study(plan), "4_shot", "last_layer")
    parked, shown = (np.ma.filled(i.get_array().astype(float), 0.0) for i in ax.images)
    assert shown[1:, 1:] == pytest.approx(wanted[-5:, -5:])
    assert parked[1:, 0] == pytest.approx(wanted[-5:, 0])  # where the weight is parked
    assert ax.get_xticklabels()[0].get_fontstyle() == "italic"


def test_prompts_with_the_same_beginning_say_how_to_see_their_ends(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(variants=("2_shot", "4_shot"), questions=1)

    def said(tokens: int | None) -> str:
        return " ".join(t.get_text() for t in draw("prompt_maps", plan, tokens=tokens).texts)

    assert "begin alike: tokens=-20 shows their ends" in said(None)
    assert "begin alike" not in said(-20)


def test_the_caption_names_as_many_tokens_as_are_shown() -> None:
    assert f"its first {TOKENS} unless" in CAPTIONS["prompt_maps"].text


def test_next_to_nothing_beside_a_sink_does_not_look_like_something(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(variants=("plain",), questions=1)
    tables = text_factory.study(plan)
    tables["maps"] = tables["maps"].with_columns(
        value=pl.when(pl.col("key") == 0).then(0.999).otherwise(pl.col("value") * 1e-4)
    )
    norm = panel(draw("prompt_maps", plan, tables), "plain").images[1].norm
    assert (norm.vmin, norm.vmax) == (0.0, 0.01)


def test_long_maps_have_a_row_of_their_own_and_short_ones_share(
    text_factory: ModuleType, draw: Draw
) -> None:
    plan = text_factory.Plan(variants=("plain", "cot", "expert", "4_shot"), questions=1)
    for tokens, broad in ((20, 0), (40, 1)):
        figure = draw("prompt_maps", plan, tokens=tokens)
        save_png(figure, StyleSpec())
        boxes = [ax.get_window_extent() for ax in figure.axes if ax.get_title("left")]
        half = 450 * figure.dpi / 150
        assert [box.width > half for box in boxes] == [False] * (4 - broad) + [True] * broad
        assert [round(b.y0) == round(boxes[0].y0) for b in boxes[:2]] == [True, True]
        assert boxes[0].y0 - boxes[2].y1 < 130  # labels and a title, no empty row


def test_a_logarithmic_scale_is_one(draw: Draw) -> None:
    norm = panel(draw("prompt_maps", log=True), "cot").images[1].norm
    assert isinstance(norm, LogNorm)
    assert 0 < norm.vmin < norm.vmax


def test_one_heads_map_is_shown_if_the_tables_have_it(text_factory: ModuleType, draw: Draw) -> None:
    plan = text_factory.Plan(head_views=True, variants=("plain",))
    figure = draw("prompt_maps", plan, view="l1h2")
    assert any("layer 1, head 2" in t.get_text() for t in figure.texts)
    with pytest.raises(UserError, match=r"there is last_layer, mean, max\).*analysis.text.views"):
        draw("prompt_maps", view="l1h2")


def test_labels_are_of_the_question_whose_map_it_is(text_factory: ModuleType, draw: Draw) -> None:
    plan = text_factory.Plan(variants=("plain",), questions=3)
    labels = [t.get_text() for t in panel(draw("prompt_maps", plan), "plain").get_xticklabels()]
    assert "15" in labels  # question 0
    tables = text_factory.study(plan)
    tables["maps"] = tables["maps"].with_columns(item=pl.lit(2))
    named = panel(draw("prompt_maps", plan, tables), "plain").get_xticklabels()
    assert "17" in [t.get_text() for t in named]


def test_without_tokens_positions_are_the_labels(text_factory: ModuleType, draw: Draw) -> None:
    plan = text_factory.Plan(variants=("plain",))
    tables = text_factory.study(plan)
    tables["tokens"] = tables["tokens"].clear()
    ax = panel(draw("prompt_maps", plan, tables), "plain")
    assert [t.get_text() for t in ax.get_xticklabels()] == [str(k) for k in range(8)]


def test_tokens_become_one_line_of_printable_characters() -> None:
    assert [readable(t) for t in ("\n\t", "a b", "", "·the", "\x07")] == [
        "··", "a·b", BLANK, "·the", "·"
    ]  # fmt: skip


def grid(
    tables: dict[str, pl.DataFrame], metric: str, rows: str, variant: str,
    condition: str | None = None,
) -> np.ndarray:  # fmt: skip
    cells = tables["text_summary"].filter(
        (pl.col("metric") == metric) & (pl.col("rows") == rows) & (pl.col("variant") == variant)
        & pl.col("head").is_not_null() & of(condition)
    )  # fmt: skip
    return cells.sort("head", "layer")["mean"].to_numpy().reshape(3, 6)


def test_the_atlas_has_heads_downwards_and_layers_across(
    text_factory: ModuleType, draw: Draw
) -> None:
    tables = text_factory.study()
    figure = draw("head_atlas", view="cot")
    for title, metric, rows in (
        ("entropy / ln n (last token)", "entropy_normalized", "last"),
        ("mass on sinks (all tokens)", "sink_mass", "all"),
        ("induction (all tokens)", "induction", "all"),
    ):
        image = panel(figure, title).images[0].get_array()
        assert np.asarray(image) == pytest.approx(grid(tables, metric, rows, "cot"))


def test_the_atlas_is_also_one_off_the_sinks(text_factory: ModuleType, draw: Draw) -> None:
    tables = text_factory.study()
    figure = draw("head_atlas", view="cot", condition="sinks_removed")
    titles = [t for ax in figure.axes if (t := ax.get_title("left"))]
    assert "mass on sinks (all tokens)" not in titles  # there is none without them
    for title, metric, rows in (
        ("entropy / ln n (last token)", "entropy_normalized", "last"),
        ("induction (all tokens)", "induction", "all"),
    ):
        image = panel(figure, title).images[0].get_array()
        wanted = grid(tables, metric, rows, "cot", "sinks_removed")
        assert np.asarray(image) == pytest.approx(wanted)
    assert "without sinks" in " ".join(t.get_text() for t in figure.texts)


@pytest.mark.parametrize("condition", [None, "sinks_removed"])
def test_the_five_heads_at_either_end_are_marked(
    text_factory: ModuleType, draw: Draw, condition: str | None
) -> None:
    figure = draw("head_atlas", condition=condition)
    heads = text_factory.study()["heads"].filter(of(condition), variant="plain")
    heads = heads.sort("focused_rank")
    for marker, own in (("^", heads.head(5)), ("v", heads.tail(5))):
        (line,) = [x for x in figure.axes[0].get_lines() if x.get_marker() == marker]
        places = {*zip(line.get_xdata(), line.get_ydata(), strict=True)}
        assert places == set(own.select("layer", "head").iter_rows())
    said = " ".join(t.get_text() for t in figure.texts)
    first = heads.row(0, named=True)
    assert f"l{first['layer']}h{first['head']} “{first['focus_token']}”" in said


def test_metrics_of_the_atlas_are_chosen_by_name(draw: Draw) -> None:
    figure = draw("head_atlas", metrics=["induction", "entropy_normalized", "all/sink_mass"])
    titles = [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]
    assert titles == [
        "induction (all tokens)", "entropy / ln n (last token)", "mass on sinks (all tokens)"
    ]  # fmt: skip
    every = draw("head_atlas", metrics=["all/entropy_normalized"])
    assert every.axes[0].get_title("left") == "entropy / ln n (all tokens)"
    with pytest.raises(UserError, match=r"names 'inducton'.*did you mean 'induction'"):
        draw("head_atlas", metrics=["inducton"])
    with pytest.raises(UserError, match=r"head_atlas.view is 'cott'.*did you mean 'cot'"):
        draw("head_atlas", view="cott")


@pytest.mark.parametrize("place", [0, 1])
def test_similar_heads_stand_together(text_factory: ModuleType, draw: Draw, place: int) -> None:
    """With all keys at the left, off the sinks at the right: each in the order of its clusters."""
    tables, condition = text_factory.study(), (None, "sinks_removed")[place]
    ax = draw("head_similarity").axes[place]
    assert ax.get_title("left") == ("18 heads, all keys", "18 heads, sinks removed")[place]
    image = np.asarray(ax.images[0].get_array())
    heads = tables["heads"].filter(of(condition), variant="plain")
    clusters = heads.sort("cluster", "layer", "head")
    order = list(clusters.select("layer", "head").iter_rows())
    known = {
        frozenset([(r["layer_a"], r["head_a"]), (r["layer_b"], r["head_b"])]): r["distance"]
        for r in tables["head_distances"].filter(of(condition)).iter_rows(named=True)
    }
    wanted = [[0.0 if a == b else known[frozenset([a, b])] for b in order] for a in order]
    assert image == pytest.approx(np.array(wanted))
    strip = np.asarray(ax.images[1].get_array())[:, 0]
    assert strip.tolist() == [layer for layer, _ in order]
    sizes = clusters.group_by("cluster", maintain_order=True).len()["len"].to_list()
    upright = [x for line in ax.get_lines() if len({*(x := line.get_xdata())}) == 1]
    borders = {float(x[0]) for x in upright}
    names = [t.get_position()[1] for t in ax.texts]
    assert np.diff(names).min() >= 0.055 * 18 - 1e-9
    assert borders == {float(sum(sizes[:k])) for k in range(1, len(sizes))}
    assert [t.get_text() for t in ax.texts] == [
        f"cluster {k}, n = {n}" for k, n in enumerate(sizes)
    ]


def test_every_cluster_is_named_however_small(text_factory: ModuleType, draw: Draw) -> None:
    """Sixteen clusters of one head and one of two: all but one of them are named, and that said."""
    tables = text_factory.study()
    heads = tables["heads"].with_columns(
        cluster=(pl.col("layer") * 3 + pl.col("head")).clip(upper_bound=16)
    )
    figure = draw("head_similarity", tables=tables | {"heads": heads})
    for ax in figure.axes[:2]:
        said = [t.get_text() for t in ax.texts]
        assert said == [f"cluster {k}, n = {1 + (k == 16)}" for k in [*range(15), 16]]
        heights = [t.get_position()[1] for t in ax.texts]
        assert np.diff(heights).min() >= 0.055 * 18 - 1e-9
        assert heights[-1] <= 18
        ends = [line.get_xydata() for line in ax.get_lines() if line.get_color() == "#5f5f5f"]
        assert [float(points[0][1]) for points in ends] == [*(k + 0.5 for k in range(15)), 17.0]
        assert [float(points[-1][1]) for points in ends] == pytest.approx(heights)
    assert "Of more than 16 clusters the largest are named." in " ".join(
        t.get_text() for t in figure.texts
    )


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([1.0, 5.0], [1.0, 5.0]),
        ([1.0, 1.5, 5.0], [1.0, 3.0, 5.0]),
        ([8.0, 9.0, 10.0], [6.0, 8.0, 10.0]),
        ([0.0, 9.0, 9.5], [0.0, 8.0, 10.0]),
    ],
)
def test_names_are_moved_apart(places: list[float], expected: list[float]) -> None:
    assert spread(places, 2.0, 10.0) == pytest.approx(expected)


def test_one_condition_of_similar_heads_is_shown_alone(draw: Draw) -> None:
    for condition in ("all_keys", "sinks_removed"):
        figure = draw("head_similarity", condition=condition)
        titles = [t for ax in figure.axes if (t := ax.get_title("left"))]
        assert titles == [f"18 heads, {condition.replace('_', ' ')}"]
