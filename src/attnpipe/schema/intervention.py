"""What is done to a trained model's attention to see what it is good for."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from attnpipe.schema.base import Section, distinct

Intervention = Literal[
    "output_mean", "uniform", "position_mean", "permuted", "last_step", "local_window",
    "untrained", "value_norm", "single_head", "cumulative_heads",
]  # fmt: skip
Arm = Literal["none", "uniform", "static", "shuffled_labels"]
FINETUNED: tuple[Intervention, ...] = ("uniform", "position_mean")
"""Interventions under which a model can be trained further."""


class InterventionSpec(Section):
    """Interventions on frozen weights; nothing is trained unless `finetune` asks for it."""

    names: list[Intervention] = [
        "output_mean", "uniform", "position_mean", "permuted", "last_step", "local_window",
        "untrained", "value_norm", "single_head", "cumulative_heads",
    ]  # fmt: skip
    """What is replaced: `output_mean` (E1) the output by its mean, `uniform` (E2) weights by equal ones, `position_mean` (E3) weights by their mean at that position, `permuted` (E4) rows by those of another sample, `last_step` by the newest key alone, `local_window` by the weights of near keys, `untrained` by those of the untrained model, `value_norm` by shares of weight × norm of the value, `single_head` each head's output by its mean, `cumulative_heads` ever more heads, the least missed first. The verdict needs the first four."""
    mean_samples: Annotated[int, Field(ge=512)] = 1024
    """Training samples behind the means of E1 and E3, evenly spread; all if there are fewer, which the job says."""
    window: Annotated[int, Field(ge=1)] = 10
    """Keys that `local_window` keeps."""
    control_draws: Annotated[int, Field(ge=1)] = 10
    """Random orders of removing heads, beside the greedy one."""
    greedy_heads: Annotated[int, Field(ge=2)] = 32
    """Heads up to which the next one to be removed is found by trying all that are left; above it heads are ordered by what each alone costs."""
    finetune: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the training steps for which the model is trained further while `uniform` (E2) and `position_mean` (E3) act, to see whether what they cost is soon made up for; 0: not at all, 0.1 is usual."""

    _distinct = field_validator("names")(distinct)

    @model_validator(mode="after")
    def _something_can_be_made_up_for(self) -> "InterventionSpec":
        if self.finetune > 0 and not {*FINETUNED} & {*self.names}:
            raise ValueError(
                f"finetune is {self.finetune:g}, but names has neither of {' and '.join(FINETUNED)}, "
                "under which the model is trained further; add one or set finetune to 0"
            )
        return self
