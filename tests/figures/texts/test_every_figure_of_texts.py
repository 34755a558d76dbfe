"""Every figure of a study of texts is drawn for every kind of study, and stays readable."""

from collections.abc import Iterator
from itertools import product
from types import ModuleType

import matplotlib
import polars as pl
import pytest
from matplotlib.figure import Figure

from attnpipe.figures.registry import FIGURES, NEEDS, TEXTS
from attnpipe.figures.save import save_png, save_svg
from attnpipe.schema.figure import FigureOptions, StyleSpec

TWO = {"models": ("smol", "tiny")}
LONG = (
    "_A label that is very long indeed and has no end " * 3,
    "<b>$\\frac{1}{2}$ & \x07\n注意</b>",
)
CASES = {
    "normal": {},
    "odd and many tokens": {"odd": True, "padding": 60, "questions": 2},
    "few variants": {"variants": ("structured", "2_shot")},
    "no examples": {"variants": ("plain", "cot")},
    "one variant": {"variants": ("plain",)},
    "one question": {"questions": 1},
    "one head": {"layers": 1, "heads": 1, "questions": 2},
    "special tokens": {"special": True, "untrained": True},
    "two models": {**TWO, "labels": LONG, "variants": ("plain", "cot", "1_shot", "4_shot")},
    "one model broken": {**TWO, "broken": frozenset({"tiny"})},
    "all broken": {"broken": frozenset({"smol"})},
    "encoder": {"encoder": True, "layers": 6, "heads": 12},
}
SAID = {
    ("prompt_maps", "normal"): ["4 shots (first 20 of 77 tokens)", "plain (8 tokens)"],
    ("prompt_maps", "encoder"): ["sentences (9 tokens)", "[SEP]"],
    ("head_atlas", "encoder"): ["next token (all tokens)", "Texts: sentences"],
    ("head_atlas", "normal"): ["Most focused: l"],
    ("head_similarity", "encoder"): ["72 heads"],
    ("layer_entropy", "special tokens"): ["random weights, plain"],
    ("segment_mass", "encoder"): ["no mass on parts of the prompt"],
    ("few_shot", "encoder"): ["no attention to examples"],
    ("few_shot", "no examples"): ["no attention to examples"],
    ("keywords", "encoder"): ["no keywords in the texts"],
    ("keywords", "normal"): ["first operand", "Keywords that a prompt does not have"],
    ("answer_effects", "normal"): ["Unknown where too few texts of one length were read"],
    ("prompt_sensitivity", "encoder"): ["no distances between variants"],
    ("prompt_sensitivity", "one variant"): ["no distances between variants"],
    ("prompt_sensitivity", "normal"): ["Largest distances without found sinks, too: layers"],
    ("answers", "encoder"): ["no scored answers"],
    ("answers", "normal"): ["0 of 8", "20 % to 80 %"],
    **{(name, "one model broken"): ["the checkpoint holds NaN weights"] for name in TEXTS},
    **{(name, "all broken"): ["the checkpoint holds NaN weights"] for name in TEXTS},
}


def drawn(
    text_factory: ModuleType, name: str, plan: object, style: StyleSpec, **options: object
) -> Figure:
    tables = text_factory.study(plan)
    context = text_factory.figure_context(plan, style=style)
    needed = {table: tables[table] for table in NEEDS[name]}
    figure = FIGURES.load(name)(needed, context, FigureOptions(**options))
    assert isinstance(figure, Figure)
    return figure


FAST = {"normal", "one question", "two models", "one model broken", "all broken", "encoder"}
MANY = ("prompt_maps", "head_atlas")


def cases() -> Iterator[object]:
    """All pairs of figure and case; those that hardly differ from another are slow tests."""
    for pair in product(TEXTS, CASES):
        fast = pair[1] in FAST or pair in SAID or (pair[0] in MANY and pair[1].startswith("odd"))
        yield pytest.param(*pair, marks=() if fast else pytest.mark.slow)


@pytest.mark.parametrize(("name", "case"), list(cases()))
def test_is_drawn_without_overlapping_or_cut_text_and_names_its_gaps(
    text_factory: ModuleType, readable: ModuleType, name: str, case: str
) -> None:
    style = StyleSpec()
    figure = drawn(text_factory, name, text_factory.Plan(**CASES[case]), style)
    said = readable.assert_readable(figure, style)
    assert readable.unnamed_axes(figure) == []
    assert [words for words in SAID.get((name, case), []) if words not in said] == []


@pytest.mark.parametrize("tokens", [30, 77, -20, 200])
def test_maps_of_more_tokens_stay_readable(
    text_factory: ModuleType, readable: ModuleType, tokens: int
) -> None:
    style = StyleSpec()
    plan = text_factory.Plan(variants=("4_shot",), questions=1, odd=True, padding=50)
    figure = drawn(text_factory, "prompt_maps", plan, style, tokens=tokens)
    said = readable.assert_readable(figure, style)
    shown = {30: "first 30 of 127", 77: "first 77 of 127", -20: "last 20 of 127", 200: "(127"}
    assert shown[tokens] in said


@pytest.mark.parametrize("name", ["prompt_maps", "keywords", "segment_mass"])
def test_larger_text_does_not_overlap(
    text_factory: ModuleType, readable: ModuleType, name: str
) -> None:
    style = StyleSpec(width_px=1600, dpi=240)
    plan = text_factory.Plan(questions=2)
    readable.assert_readable(drawn(text_factory, name, plan, style), style)


@pytest.mark.parametrize("name", TEXTS)
def test_is_the_same_bytes_in_any_order_of_rows(text_factory: ModuleType, name: str) -> None:
    plan = text_factory.Plan(questions=2, layers=3, heads=2, variants=("cot", "2_shot"))
    tables = {k: text_factory.study(plan)[k] for k in NEEDS[name]}
    shuffled = {k: t.sample(fraction=1.0, shuffle=True, seed=1) for k, t in tables.items()}
    context = text_factory.figure_context(plan)
    one, two = (FIGURES.load(name)(t, context, FigureOptions()) for t in (tables, shuffled))
    assert save_png(one, context.style) == save_png(two, context.style)
    svg = save_svg(one, context.style)
    assert svg == save_svg(two, context.style)
    assert matplotlib.__version__ not in svg


@pytest.mark.parametrize("name", TEXTS)
def test_empty_tables_give_a_named_gap(
    text_factory: ModuleType, readable: ModuleType, name: str
) -> None:
    tables = {k: text_factory.study()[k].clear() for k in NEEDS[name]}
    context = text_factory.figure_context(text_factory.Plan())
    figure = FIGURES.load(name)(tables, context, FigureOptions())
    assert "no run found" in readable.assert_readable(figure, context.style)


def test_tokens_never_become_markup_in_the_svg(text_factory: ModuleType) -> None:
    plan = text_factory.Plan(odd=True, questions=1)
    for name in ("prompt_maps", "head_atlas"):
        svg = save_svg(drawn(text_factory, name, plan, StyleSpec()), StyleSpec())
        assert "<script" not in svg
        assert svg.count("</svg>") == 1


@pytest.mark.parametrize("name", TEXTS)
def test_no_table_is_read_that_is_not_needed(name: str) -> None:
    from attnpipe.tables.text import TEXT_TABLES

    assert set(NEEDS[name]) <= set(TEXT_TABLES)


def test_missing_columns_of_intervals_are_no_trouble(text_factory: ModuleType) -> None:
    plan = text_factory.Plan(questions=1)
    tables = text_factory.study(plan)
    assert tables["text_summary"].filter(pl.col("lo95").is_not_null()).is_empty()
    figure = drawn(text_factory, "layer_entropy", plan, StyleSpec())
    assert not [c for ax in figure.axes for c in ax.collections]  # no bands
