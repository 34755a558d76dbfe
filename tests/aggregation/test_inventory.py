import numpy as np
import pytest
from tests.aggregation.builders import history, record, run, simple_metrics, softmax, weights

from attnpipe.aggregation.inventory import counted, identical_runs, inventory
from attnpipe.aggregation.runs import RunTables, are_replicates, epoch_of, final_label
from attnpipe.core.outcome import Outcome
from attnpipe.tables.history import HISTORY
from attnpipe.tables.study import INVENTORY


def test_a_run_is_described_by_what_there_is_of_it():
    row = inventory("m", [run(7)]).row(0, named=True)
    assert row == {
        "model": "m", "seed": 7, "outcome": "ok", "reason": None, "parameters": 100,
        "checkpoints": 4, "last_epoch": 2, "best_epoch": None,
        "loss_regained": None, "test_weights": True,
        "final": "best", "items": 6,
        "has_seeds": True, "rows_valid": 6, "rows_excluded": 1, "identical_to": None,
    }  # fmt: skip


def test_runs_that_did_not_end_well_are_listed_with_their_reason_and_do_not_count():
    runs = [run(1), run(2, outcome="diverged"), RunTables(3, Outcome("refused", "file is empty"))]
    table = inventory("m", runs)
    assert dict(table.schema) == INVENTORY.schema
    assert table["outcome"].to_list() == ["ok", "diverged", "refused"]
    assert table["reason"].to_list() == [None, "seed 2 diverged", "file is empty"]
    assert [r.seed for r in counted(runs)] == [1]


def test_a_model_without_attention_is_listed():
    ended = Outcome("ok", best_epoch=3, checkpoints=("untrained", "epoch_002", "epoch_004", "best"))
    row = inventory("lstm", [RunTables(1, ended, history=history(1))]).row(0, named=True)
    assert (row["outcome"], row["checkpoints"], row["last_epoch"]) == ("ok", 4, 4)
    assert row["test_weights"] is False
    assert row["best_epoch"] == 3
    assert row["final"] is row["items"] is row["rows_valid"] is None


@pytest.mark.parametrize(
    ("losses", "regained"),
    [
        ([4.0, 2.0, 3.0, 1.0, 1.5], 1.0 / 3.0),  # of 3, 1 was lost again
        ([1.0, 5.0, 0.5], 8.0),
        ([3.0, 2.0, 1.0], 0.0),
        ([3.0, 1.0, float("nan")], 0.0),  # diverged: its outcome says so
        ([1.0, 2.0, 3.0], None),  # never fell
        ([None, None], None),
    ],
)
def test_how_much_of_its_fall_the_validation_loss_regains(losses, regained):
    rows = [
        {"model": "m", "seed": 1, "epoch": e, "validation_loss": loss}
        for e, loss in enumerate(losses)
    ]
    table = inventory("m", [RunTables(1, Outcome("ok"), history=HISTORY.frame(rows))])
    assert table["loss_regained"].to_list() == [regained and pytest.approx(regained)]


def test_of_a_run_that_left_nothing_no_checkpoint_is_counted():
    row = inventory("m", [RunTables(1, Outcome("refused", "empty"))]).row(0, named=True)
    assert (row["checkpoints"], row["last_epoch"], row["test_weights"]) == (0, None, False)


def test_each_run_shows_its_own_final_checkpoint():
    runs = [run(1, final="test"), run(2, final="epoch_012")]
    table = inventory("m", runs)
    assert table["final"].to_list() == ["test", "epoch_012"]
    assert table["test_weights"].to_list() == [True, False]
    assert table["last_epoch"].to_list() == [2, 12]
    assert final_label(runs) == "final"
    assert final_label(runs[:1]) == "test"
    assert final_label([]) is None


def test_a_copy_of_an_earlier_run_is_named_and_does_not_count():
    same = weights(1)
    runs = [run(1, of=same), run(2), run(3, of=same.copy()), run(4, of=same)]
    assert inventory("m", runs)["identical_to"].to_list() == [None, None, "m/seed-1", "m/seed-1"]
    assert [r.seed for r in counted(runs)] == [1, 2]


def test_weights_that_differ_in_one_bit_are_no_copy():
    other = weights(1).copy()
    other[0, 0, 0, 0] = np.nextafter(other[0, 0, 0, 0], np.float32(1))
    assert identical_runs([run(1, of=weights(1)), run(2, of=other)]) == {}


def test_uniform_attention_is_the_same_for_all_seeds_without_being_a_copy():
    causal = np.tril(np.ones((4, 4), dtype=bool))[None]
    uniform = np.repeat((causal / causal.sum(-1, keepdims=True))[None], 3, axis=1)
    runs = []
    for seed in (1, 2):
        base = run(seed, of=uniform.astype(np.float32))
        runs.append(
            RunTables(
                seed, base.outcome, base.probe, base.metrics, None,
                [record("best", uniform, support=causal)],
            )
        )  # fmt: skip
    assert identical_runs(runs) == {}
    assert len(counted(runs)) == 2


def test_a_run_that_failed_is_no_model_for_copies():
    same = weights(1)
    assert identical_runs([run(1, of=same, outcome="failed"), run(2, of=same)]) == {}


def test_all_layers_must_agree_for_a_copy():
    runs = []
    for seed in (1, 2):
        base = run(seed, of=weights(1))
        layers = [record("best", weights(1)), record("best", weights(10 + seed), layer=1)]
        runs.append(RunTables(seed, base.outcome, base.probe, simple_metrics(seed), None, layers))
    assert identical_runs(runs) == {}


def test_runs_without_seeds_are_no_replicates():
    assert are_replicates([run(1), run(2)])
    assert not are_replicates([run(1, probe={"has_seeds": False})])


def test_the_inventory_tells_replicates_from_others_and_from_what_is_not_known():
    runs = [run(1), run(2, probe={"has_seeds": False}), RunTables(3, Outcome("ok"))]
    assert inventory("m", runs)["has_seeds"].to_list() == [True, False, None]


@pytest.mark.parametrize(
    ("name", "epoch"),
    [("untrained", 0), ("epoch_007", 7), ("epoch_1234", 1234), ("best", None), ("test", None)],
)
def test_epochs_are_read_from_names(name, epoch):
    assert epoch_of(name) == epoch


def test_rows_that_are_not_finite_are_not_taken_for_uniform():
    broken = softmax(np.zeros((1, 3, 1, 4)))
    broken[0, 0] = np.nan
    assert identical_runs([run(1, of=broken), run(2, of=broken)]) == {2: 1}
