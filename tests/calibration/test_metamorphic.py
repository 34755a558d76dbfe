"""What must and what must not change a verdict, from losses and rows to diagnosis."""

import numpy as np
import polars as pl
import pytest
from tests.calibration.seen import measured
from tests.calibration.verdicts import evaluation, verdict

from attnpipe.aggregation.effects import effects
from attnpipe.diagnosis.schema import Finding
from attnpipe.schema.analysis import MetricsSpec

SEEDS, ITEMS = 5, 60
MEANS = {
    "model": 0.1, "none": 0.5, "uniform": 0.45, "static": 0.4, "E1": 0.9, "E2": 0.8, "E3": 0.6,
    "E4": 0.7,
}  # fmt: skip
TRIVIAL = np.ones(ITEMS)


def losses(**means: float) -> dict[str, np.ndarray]:
    """Losses of seeds and items around given means, with parts of both in common."""
    rng = np.random.default_rng(2)
    seed, item = rng.normal(0, 0.004, (SEEDS, 1)), rng.normal(0, 0.02, (1, ITEMS))
    return {
        name: np.maximum(mean + seed + item + rng.normal(0, 0.01, (SEEDS, ITEMS)), 1e-4)
        for name, mean in (MEANS | means).items()
    }


def looks(n: int, *, sharp: bool = True) -> list[pl.DataFrame]:
    """Rows of 8 keys before training and after: with one large weight each, or uniform."""
    rng = np.random.default_rng(5)
    before = np.full((16, 8), 1 / 8, dtype=np.float32)
    found = []
    for seed in range(n):
        after = before.copy()
        if sharp:
            after[:] = 0.02
            after[np.arange(16), rng.integers(0, 8, 16)] = 1 - 7 * 0.02
        rows = {"untrained": before, "best": after}
        options = MetricsSpec(top_k=[1], recent_k=[1])
        found.append(measured(rows, np.ones((16, 8), dtype=bool), np.arange(16) % 2, options, seed))
    return found


def judged(
    of: dict[str, np.ndarray], trivial: np.ndarray = TRIVIAL, *, sharp: bool = True
) -> Finding:
    return verdict(of, trivial, looks(len(of["model"]), sharp=sharp))


def in_loss(of: dict[str, np.ndarray], arm: str) -> tuple[float, float, float]:
    """Return what an arm loses against the model, in the unit of the loss, with its interval."""
    runs = {
        (name, seed): evaluation(of[name][seed], TRIVIAL)
        for name in ("model", arm)
        for seed in range(SEEDS)
    }
    rows = effects(runs, {}, {"model": {arm: arm}}, 0.02).filter(level="model", metric="loss")
    (found,) = rows.select("value", "lo95", "hi95").rows()
    return found


def named(of: dict[str, np.ndarray]) -> str | None:
    return judged(of).diagnosis


def test_as_it_is() -> None:
    assert named(losses()) == "CONTENT-BENEFICIAL"


def test_relabelled_seeds_change_nothing() -> None:
    made = losses()
    shuffled = {name: of[[3, 0, 4, 1, 2]] for name, of in made.items()}
    one, other = judged(made), judged(shuffled)
    assert (one.diagnosis, one.effect, one.lo95) == (
        other.diagnosis, pytest.approx(other.effect), pytest.approx(other.lo95),
    )  # fmt: skip


def test_reordered_items_change_nothing() -> None:
    order = np.random.default_rng(0).permutation(ITEMS)
    made = losses()
    shuffled = {name: of[:, order] for name, of in made.items()}
    assert judged(shuffled).effect == pytest.approx(judged(made).effect)


def test_uniform_weights_in_place_of_the_model_s_make_it_averaging() -> None:
    made = losses()
    own = made["model"]
    assert named(made | {"E2": own, "E3": own, "E4": own}) == "AVERAGING"


def test_attention_that_does_nothing_is_unused() -> None:
    made = losses()
    own = made["model"]
    nothing = dict.fromkeys(("E1", "E2", "E3", "E4"), own)
    assert named(made | nothing) == "SHARP-BUT-UNUSED"
    assert judged(made | nothing, sharp=False).diagnosis == "IDLE-UNIFORM"


def test_a_model_and_an_arm_that_change_places_make_it_harmful() -> None:
    made = losses()
    swapped = made | {"model": made["uniform"], "uniform": made["model"]}
    assert named(swapped) == "HARMFUL"
    (value, lo, hi), other = (in_loss(of, "uniform") for of in (made, swapped))
    assert lo > 0.1
    assert other == pytest.approx((-value, -hi, -lo), rel=1e-9)


@pytest.mark.parametrize("absent", ["none", "uniform", "static", "E1", "E3", "E4"])
def test_without_an_arm_or_an_intervention_it_is_inconclusive(absent: str) -> None:
    made = losses()
    del made[absent]
    found = judged(made)
    assert found.diagnosis == "INCONCLUSIVE"
    assert len(found.next_overrides) == 1


def test_without_e2_which_could_change_nothing_it_is_as_before() -> None:
    made = losses()
    del made["E2"]
    assert named(made) == "CONTENT-BENEFICIAL"


def test_the_unit_of_the_loss_does_not_matter() -> None:
    made = losses()
    scaled = {name: 7.0 * of for name, of in made.items()}
    one, other = judged(made), judged(scaled, 7.0 * TRIVIAL)
    assert (one.diagnosis, one.effect) == (other.diagnosis, pytest.approx(other.effect))


def test_a_seed_that_is_a_copy_does_not_count_twice() -> None:
    made = losses()
    doubled = {name: np.concatenate([of, of[:1]]) for name, of in made.items()}
    one, other = judged(made), judged(doubled)
    assert other.n_seeds == one.n_seeds == SEEDS
    assert other.effect == pytest.approx(one.effect)


def test_an_arm_that_is_a_copy_of_the_model_is_no_evidence() -> None:
    made = losses()
    assert named(made | {"none": made["model"]}) == "INCONCLUSIVE"
