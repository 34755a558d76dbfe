"""Variants in one order with one look everywhere; options only where they have a use."""

from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import yaml
from pydantic import ValidationError

from attnpipe.figures.registry import FIGURES, SHORTENED, TEXTS
from attnpipe.figures.texts.variants import Looks, in_order, shots_of, variant_name
from attnpipe.schema.figure import READ_BY, FigureOptions, FigureSpec

CONFIG = Path(__file__).parents[3] / "config" / "figure"


@pytest.mark.parametrize(
    ("variant", "parsed", "name"),
    [
        ("plain", ("plain", 0), "plain"),
        ("1_shot", ("plain", 1), "1 shot"),
        ("12_shot", ("plain", 12), "12 shots"),
        ("cot_2_shot", ("cot", 2), "cot, 2 shots"),
        ("step_by_step", ("step_by_step", 0), "step by step"),
    ],
)
def test_variants_have_a_name(variant: str, parsed: tuple[str, int], name: str) -> None:
    assert shots_of(variant) == parsed
    assert variant_name(variant) == name


def test_plain_comes_first_then_the_order_of_texts_and_examples_last(
    text_factory: ModuleType,
) -> None:
    plan = text_factory.Plan(variants=("structured", "plain", "4_shot", "1_shot", "cot"))
    tables = text_factory.study(plan)
    shuffled = tables | {"answers": tables["answers"].sample(fraction=1.0, shuffle=True, seed=3)}
    for own in (tables, shuffled):
        found = in_order(own, plan.variants)
        assert found == ["plain", "structured", "cot", "4_shot", "1_shot"]
    empty = {"answers": tables["answers"].clear()}
    assert in_order(empty, ["4_shot", "cot", "plain", "1_shot"]) == [
        "plain", "cot", "1_shot", "4_shot"
    ]  # fmt: skip


def test_a_variant_looks_alike_whatever_else_is_shown(text_factory: ModuleType) -> None:
    plan = text_factory.Plan()
    tables, context = text_factory.study(plan), text_factory.figure_context(plan)
    few, all_of_them = Looks(tables, context, ["cot"]), Looks(tables, context, plan.variants)
    assert few["cot"] == all_of_them["cot"]
    many = [f"variant_{k}" for k in range(16)]
    answers = pl.DataFrame({"variant": many, "item": range(16)})
    looks = Looks({"answers": answers}, context, many)
    assert len({looks[v] for v in many}) == 16


@pytest.mark.parametrize("name", ["prompts", "sentences"])
def test_the_figures_of_a_study_are_known_and_their_options_valid(name: str) -> None:
    document = yaml.safe_load((CONFIG / f"{name}.yaml").read_text("utf-8"))
    spec = FigureSpec.model_validate(document)
    assert set(spec.show) <= {*TEXTS, *SHORTENED}
    assert set(document["style"]) == set(type(spec.style).model_fields)
    for figure, options in document["show"].items():
        readers = {"color", "colormap", *(o for o, by in READ_BY.items() if figure in by)}
        assert set(options) == readers, f"{figure}: every option it reads can be overridden"


def test_all_prompt_figures_are_in_the_prompt_study() -> None:
    document = yaml.safe_load((CONFIG / "prompts.yaml").read_text("utf-8"))
    assert set(document["show"]) == {*TEXTS, *SHORTENED}


def test_options_without_a_use_are_refused() -> None:
    values = {
        "tokens": 5, "view": "mean", "log": True, "metrics": ["induction"], "condition": "all_keys",
        "spans": ["question"],
    }  # fmt: skip
    assert set(values) == set(READ_BY)
    for option, value in values.items():
        for figure in FIGURES:
            show = {figure: FigureOptions(**{option: value})}
            if figure in READ_BY[option]:
                assert FigureSpec(show=show).show == show
            else:
                with pytest.raises(ValidationError, match=rf"show.{figure}.{option} has no use"):
                    FigureSpec(show=show)


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValidationError, match="tokens is 0, which shows nothing"):
        FigureOptions(tokens=0)
