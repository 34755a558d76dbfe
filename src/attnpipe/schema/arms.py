"""From models with attention to the variants that are trained anew beside them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from attnpipe.schema.intervention import Arm
from attnpipe.schema.model import Attending, AttentionSpec, FixedAttention, ModelSpec

CODES: dict[Arm, str] = {"none": "R0", "uniform": "R1", "static": "R2", "shuffled_labels": "L0"}
WORDS: dict[Arm, str] = {
    "none": "without attention", "uniform": "uniform weights", "static": "static weights",
    "shuffled_labels": "shuffled labels",
}  # fmt: skip
LABEL_NULL: Final = "shuffled_labels"
"""The arm that no gate asks for: it shows what attention looks like, not what it is good for."""
NOT_COMPUTED = ("label", "baseline", "arms")
"""Keys of a model that change nothing in what its runs compute."""


@dataclass(frozen=True)
class Arms:
    """The arms of a study.

    Attributes
    ----------
    of
        Model → arm → name of the model that is this arm: one of the study's own, or one of
        `derived`.
    derived
        Name → model, for arms that are no model of the study, sorted by name; each appears
        once, however many models have it.
    """

    of: Mapping[str, Mapping[Arm, str]] = field(default_factory=dict)
    derived: Mapping[str, Attending] = field(default_factory=dict)

    @property
    def deciding(self) -> Mapping[str, Mapping[Arm, str]]:
        """`of` without the arms that decide nothing."""
        return {
            model: {arm: run for arm, run in arms.items() if arm != LABEL_NULL}
            for model, arms in self.of.items()
        }

    @property
    def label_nulls(self) -> Mapping[str, str]:
        """Model → the same one trained on shuffled labels."""
        return {m: arms[LABEL_NULL] for m, arms in self.of.items() if LABEL_NULL in arms}


def computed(model: BaseModel) -> dict[str, Any]:
    """Return what a model's runs compute: the same for two models, they are one run."""
    values = model.model_dump(mode="json")
    if values.get(LABEL_NULL) is False:  # nothing else is named or trained anew for it
        del values[LABEL_NULL]
    return {key: values[key] for key in values if key not in NOT_COMPUTED}


def identity(model: BaseModel) -> str:
    """Return a text that is the same for two models if, and only if, they compute the same."""
    text = json.dumps(computed(model), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def derive_arms(models: Mapping[str, ModelSpec]) -> Arms:
    """Return the arms that models ask for.

    An arm differs from its model in nothing but attention, or in labels alone. Weights that do not depend on
    the query make all queries alike, so that one row stands for all of them: models of one
    size share their arms, unless one sums over queries and the other averages. A derived
    model is named by what it computes, and they are sorted by name: neither name nor order
    depends on which models ask, so that nothing runs again where another asks for the same.
    """
    known = {identity(model): name for name, model in models.items()}
    of: dict[str, dict[Arm, str]] = {}
    derived: dict[str, Attending] = {}
    for name, model in models.items():
        if not isinstance(model, Attending) or not model.arms:
            continue
        of[name] = {}
        for arm in model.arms:
            variant = _variant(model, arm)
            key = identity(variant)
            if key not in known:
                known[key] = f"{arm}-{key[:8]}"
                derived[known[key]] = variant
            of[name][arm] = known[key]
    return Arms(of, _labelled(dict(sorted(derived.items())), of, models))


def _variant(model: Attending, arm: Arm) -> Attending:
    assert model.attention is not None
    if arm == LABEL_NULL:
        return model.model_copy(update={"shuffled_labels": True, "arms": []})
    attention = None
    if arm != "none":
        attention = FixedAttention(kind=arm, reduce=_reduce(model.attention))
    return model.model_copy(update={"attention": attention, "arms": []})


def _reduce(attention: AttentionSpec) -> Literal["mean", "sum"]:
    """Return whether contexts are averaged or summed over queries."""
    if isinstance(attention, FixedAttention):
        return attention.reduce
    return "sum" if attention.kind == "additive" else "mean"


def _labelled(
    derived: Mapping[str, Attending],
    of: Mapping[str, Mapping[Arm, str]],
    models: Mapping[str, ModelSpec],
) -> dict[str, Attending]:
    """Name arms after the models that have them."""
    found = {}
    for name, variant in derived.items():
        users = [(m, arm) for m, arms in of.items() for arm, run in arms.items() if run == name]
        arm = users[0][1]
        labels = " and ".join(models[m].label for m, _ in users)
        label = f"{CODES[arm]}: {WORDS[arm]} in {labels}"
        found[name] = variant.model_copy(update={"label": label})
    return found
