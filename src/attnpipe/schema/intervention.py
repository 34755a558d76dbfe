"""What is done to a trained model's attention to see what it is good for."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from attnpipe.schema.base import Section, distinct

Intervention = Literal[
    "output_mean", "uniform", "position_mean", "permuted", "last_step", "local_window",
    "untrained", "value_norm", "single_head", "cumulative_heads",
]  # fmt: skip
Arm = Literal["none", "uniform", "static", "shuffled_labels"]


class InterventionSpec(Section):
    """Interventions on frozen weights: nothing is trained."""

    names: list[Intervention] = [
        "output_mean", "uniform", "position_mean", "permuted", "last_step", "local_window",
        "untrained", "value_norm", "single_head", "cumulative_heads",
    ]  # fmt: skip
    """What is replaced: `output_mean` (E1) the output by its mean, `uniform` (E2) weights by equal ones, `position_mean` (E3) weights by their mean at that position, `permuted` (E4) rows by those of another sample, `last_step` by the newest key alone, `local_window` by the weights of near keys, `untrained` by those of the untrained model, `value_norm` by shares of weight × norm of the value, `single_head` each head's output by its mean, `cumulative_heads` ever more heads, the least missed first. The verdict needs the first four."""
    mean_samples: Annotated[int, Field(ge=512)] = 1024
    """Training samples behind the means of E1 and E3, evenly spread; all if there are fewer."""
    window: Annotated[int, Field(ge=1)] = 10
    """Keys that `local_window` keeps."""
    control_draws: Annotated[int, Field(ge=1)] = 10
    """Random orders of removing heads, beside the greedy one."""
    greedy_heads: Annotated[int, Field(ge=2)] = 32
    """Heads up to which the next one to be removed is found by trying all that are left; above it heads are ordered by what each alone costs."""

    _distinct = field_validator("names")(distinct)
