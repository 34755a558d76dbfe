"""What is calibrated: the cases of the study `ground_truth`, composed as a user would."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from attnpipe.data.synthetic.cases import CASES
from attnpipe.pipeline.config import Study, load_study
from attnpipe.schema.model import LstmModel, ReaderModel

CONFIG = Path(__file__).parents[2] / "config"
UNUSED = ("UNUSED", "SHARP-BUT-UNUSED", "IDLE-UNIFORM")
ALSO = {"alone": UNUSED, "margin": ("CONTENT-REDUNDANT", *UNUSED)}
"""Case → diagnoses that are right beside the one named.

`alone`: one key may be read either way. `margin`: whoever learns nothing from it does not use it.
"""
NAMES = (
    "lag", "last", "mean", "selcopy", "recall", "random", "sink", "lengths", "alone", "marker",
    "margin",
)  # fmt: skip
"""Members of the config group `ground_truth`."""


@dataclass(frozen=True)
class Calibrated:
    """A case with the model that is diagnosed.

    Attributes
    ----------
    study
        As `--config study=ground_truth overrides='ground_truth=…'` gives it.
    model
        Name of the model with attention.
    right
        Diagnoses that are right; of an unused attention, its shape is another question.
    """

    name: str
    study: Study
    model: str
    right: tuple[str, ...]

    @property
    def variants(self) -> dict[str, ReaderModel | LstmModel]:
        """The model, and the arms by name: `none`, `uniform`, `static`."""
        arms = self.study.arms.of[self.model]
        found = {"model": self.study.models[self.model]}
        return found | {arm: self.study.models[run] for arm, run in arms.items()}  # type: ignore[return-value]

    @property
    def runs(self) -> Mapping[str, str]:
        """Arm → name of its model in tables."""
        return dict(self.study.arms.of[self.model])


@cache
def calibrated(name: str) -> Calibrated:
    """Return a case by the name of its member."""
    study = load_study(CONFIG, {"study": "ground_truth", "overrides": f"ground_truth={name}"})
    (model,) = [m for m in study.spec.models if study.has_attention(m)]
    answer = CASES[study.spec.data.case].answer  # type: ignore[union-attr]
    right = UNUSED if answer == "UNUSED" else (answer, *ALSO.get(name, ()))
    return Calibrated(name, study, model, right)
