"""How much of what a causal model reads could be left out."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from attnpipe.schema.base import Section, distinct

Policy = Literal["recent", "sink_recent", "uniform", "static_top", "random", "top_attention"]
Budget = Annotated[float, Field(gt=0, le=1)]


class CompressionSpec(Section):
    """Inputs are removed, not only their weights; for models that read from left to right."""

    policies: list[Policy] = list(get_args(Policy))
    """What is kept beside the last token: `recent` the newest tokens, `sink_recent` the first and the newest, `uniform` tokens at equal distances, `static_top` the places with the largest mean attention over the selection split, `random` any, `top_attention` those that the last token attends to most, which takes the whole attention to know. Empty: nothing is removed."""
    budgets: Annotated[list[Budget], Field(min_length=1)] = [0.05, 0.1, 0.2, 0.4, 0.7, 1.0]
    """Shares of the tokens that are kept; 1 removes nothing, costs nothing, and is what is left where no smaller one will do."""
    draws: Annotated[int, Field(ge=1)] = 3
    """Draws of `random`."""
    variants: list[str] | None = None
    """Variants of prompts in which it is done; null: all."""

    windows: bool = False
    """Whether it is also done to models that read windows of numbers, step by step, which takes about as long as their interventions; those with fixed weights are left out."""

    _distinct = field_validator("policies", "budgets", "variants")(distinct)

    @field_validator("budgets")
    @classmethod
    def _something_is_left_out(cls, budgets: list[float]) -> list[float]:
        if min(budgets) == 1:
            raise ValueError("budgets is [1], which removes nothing; add a share below 1")
        return budgets
