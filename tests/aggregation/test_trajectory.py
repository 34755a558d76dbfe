import polars as pl
import pytest
from tests.aggregation.builders import metrics, run

from attnpipe.aggregation.summary import metric_values
from attnpipe.aggregation.trajectory import trajectories
from attnpipe.tables.study import CONVERGENCE


def table(rows_by_seed):
    runs = [run(seed, table=metrics(seed, rows)) for seed, rows in rows_by_seed.items()]
    return trajectories(metric_values("m", runs))


def training(distances, movement=1e-5):
    """Rows of a training in which the distance to the end is as given."""
    rows = []
    for epoch, distance in enumerate(distances):
        name = "untrained" if epoch == 0 else f"epoch_{epoch:03d}"
        rows.append((name, "entropy_normalized", 1 - 0.01 * epoch, {}))
        rows.append((name, "entropy_normalized", 0.5, {"item": 0}))
        rows.append((name, "profile_entropy_normalized", 0.99, {}))
        rows.append((name, "jsd_final", distance, {}))
        if epoch:
            rows.append((name, "jsd_previous", movement, {}))
    return rows[::-1]


def test_a_trajectory_has_one_row_per_epoch_and_says_when_it_settles():
    found = table({1: [*training([0.3, 0.2, 0.1] + [1e-4] * 17), ("best", "jsd_final", 9.0, {})]})
    assert dict(found.schema) == CONVERGENCE.schema
    assert found["epoch"].to_list() == list(range(20))
    assert found["checkpoint"][0] == "untrained"
    assert found["entropy_normalized"].to_list() == [pytest.approx(1 - 0.01 * e) for e in range(20)]
    assert found["jsd_previous"].to_list() == [None] + [1e-5] * 19
    assert found["jsd_final"][:3].to_list() == [0.3, 0.2, 0.1]
    assert set(found.select("threshold", "convergence_epoch", "censored").rows()) == {
        (1e-3, 3, False)
    }


def test_every_run_settles_on_its_own():
    found = table({1: training([0.3] * 5 + [0.0] * 15), 2: training([0.3] * 19 + [0.0])})
    ends = dict(found.select("seed", pl.struct("convergence_epoch", "censored")).rows())
    assert ends[1] == {"convergence_epoch": 5, "censored": False}
    assert ends[2] == {"convergence_epoch": 19, "censored": True}


def test_a_training_restless_to_its_end_is_not_converged_at_its_start():
    found = table({1: training([0.04] * 19 + [0.0], movement=0.03)})
    assert found["convergence_epoch"].null_count() == found.height == 20
    assert found["censored"].all()
    assert found["threshold"].to_list() == [pytest.approx(0.06)] * 20


def test_the_profile_stands_in_where_rows_are_unknowable():
    rows = []
    for name in ("epoch_001", "epoch_002"):
        rows.append((name, "entropy_normalized", None, {"condition": "unknowable"}))
        rows.append((name, "profile_entropy_normalized", 0.8, {}))
    assert table({1: rows})["entropy_normalized"].to_list() == [0.8, 0.8]


def test_without_divergences_nothing_is_said_of_convergence():
    found = table({1: [("test", "entropy_normalized", 0.5, {}),
                       ("epoch_003", "entropy_normalized", 0.5, {})]})  # fmt: skip
    assert found.height == 1
    row = found.row(0, named=True)
    assert row["threshold"] is row["convergence_epoch"] is row["censored"] is None


def test_final_weights_alone_have_no_trajectory():
    found = table({1: [("test", "entropy_normalized", 0.5, {})]})
    assert found.height == 0
    assert dict(found.schema) == CONVERGENCE.schema
