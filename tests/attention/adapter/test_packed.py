"""Several texts in one sample: their folds, for every architecture that reads texts."""

import numpy as np
import pytest
from benchmarks.architectures import ZOO, build
from benchmarks.comparing.folds import Batteries, battery_of, of_folds
from benchmarks.comparing.observed import observe
from benchmarks.comparing.reading import MASKED, Reading, packed

from attnpipe.attention.adapter.context import sites
from attnpipe.metrics.tokens.battery import TokenBattery

NAMES = [name for name in ZOO if name != "ViT"]
EXACT = 1e-9
FLOAT32 = {"Gemma 2": 1e-6}
"""Its own attention takes the softmax in float32, whose last bit may depend on the number of keys:
what the first layer sees is exact, what later ones see is not, on some processors."""


@pytest.mark.parametrize("name", NAMES)
def test_folds_are_those_of_eager_attention(name: str) -> None:
    """On a support in which texts do not see each other."""
    assert of_folds(packed(name)) <= 1e-6


def folds_of(reading: Reading) -> list[TokenBattery]:
    model = build(reading.name)
    seen = Batteries({site.index: battery_of(reading, site) for site in sites(model)})
    observe(model, reading.inputs, seen)
    return [seen.folds[layer] for layer in sorted(seen.folds)]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MASKED])
def test_texts_attend_as_if_they_were_alone(name: str) -> None:
    whole = packed(name)
    together, begin = folds_of(whole), whole.breaks[0]
    parts = [whole.inputs["input_ids"][:1, own] for own in (slice(begin), slice(begin, None))]
    alone = [folds_of(Reading(name, {"input_ids": ids, "use_cache": False})) for ids in parts]
    for layer, battery in enumerate(together):
        near = FLOAT32.get(name, EXACT) if layer else EXACT
        views = [folds.views["all", None] for folds in (battery, *(own[layer] for own in alone))]
        received = [view.incoming.of(0) for view in views]
        for what in ("mass", "exposure"):
            got, *wanted = (getattr(one, what) for one in received)
            np.testing.assert_allclose(got, np.concatenate(wanted, axis=-1), near, near)
        means = [view.means.means("entropy") for view in views]
        got, *wanted = (mean.item_mean[:, 0] * mean.item_count[:, 0] for mean in means)
        np.testing.assert_allclose(got, sum(wanted), near)


def test_a_model_that_is_not_told_lets_them_see_each_other() -> None:
    inputs = {"input_ids": packed("Llama").inputs["input_ids"]}
    told, untold = (
        folds_of(reading)[0].views["all", None].incoming.of(0).mass
        for reading in (packed("Llama"), Reading("Llama", inputs))
    )
    assert abs(told - untold).max() > 0.1
