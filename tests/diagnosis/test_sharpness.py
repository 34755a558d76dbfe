"""Of several heads whose rows are not settled, seeds are counted for the nearest."""

from attnpipe.diagnosis.context import DiagnosisContext
from attnpipe.diagnosis.run import diagnose
from attnpipe.tables.study import INVENTORY, METRIC_SUMMARY


def of_head(head: int, mean: float, lo95: float, hi95: float):
    at = {"model": "m", "layer": 0, "head": head, "n": 5}
    for metric in ("kl_uniform", "entropy_normalized", "effective_keys_n1"):
        yield at | {
            "checkpoint": "best",
            "metric": metric,
            "mean": mean,
            "lo95": lo95,
            "hi95": hi95,
        }
    null = {"mean": 0.01, "lo95": 0.0, "hi95": 0.02}
    yield at | {"checkpoint": "untrained", "metric": "kl_uniform"} | null


def test_the_nearest_head_is_that_whose_own_side_comes_clear_first() -> None:
    # The floor is .05. Head 0: s = .04 √5 / t(4) = .0322, t(6) s/√7 = .0298 ≤ .03, so 7 seeds.
    # Head 1: s = .0483, t(8) s/√9 = .0371 ≤ .04 < t(7) s/√8, so 9. Whole intervals are .26
    # and .07 wide: by them head 1 would be the nearer one.
    rows = [*of_head(0, 0.08, 0.04, 0.30), *of_head(1, 0.09, 0.03, 0.10)]
    runs = [{"model": "m", "seed": s, "outcome": "ok", "final": "best"} for s in range(5)]
    tables = {"metrics": METRIC_SUMMARY.frame(rows), "inventory": INVENTORY.frame(runs)}
    context = DiagnosisContext(
        title="", labels={"m": "M"}, attention_models=("m",), baselines={"m": None},
        seeds=tuple(range(5)),
    )  # fmt: skip
    (found,) = [f for f in diagnose(tables, context).findings if f.predicate == "sharpness"]
    assert found.status == "INCONCLUSIVE"
    assert found.missing == ["about 7 seeds"]
    assert found.next_overrides == ["seeds=[0,1,2,3,4,5,6]"]
