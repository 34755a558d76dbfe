"""The order of training items."""

import numpy as np
import pytest

from attnpipe.training.order import ShuffledItems
from attnpipe.training.seeds import Seeds


def test_every_item_is_seen_once_before_any_is_seen_again() -> None:
    order = ShuffledItems(10, seed=1)
    drawn = np.concatenate([order.take(n) for n in (4, 4, 4, 4, 4)])
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_a_draw_may_exceed_the_number_of_items() -> None:
    drawn = ShuffledItems(3, seed=1).take(8)
    assert np.bincount(drawn).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_order_depends_on_the_seed_alone() -> None:
    assert ShuffledItems(50, 1).take(50).tolist() == ShuffledItems(50, 1).take(50).tolist()
    assert ShuffledItems(50, 1).take(50).tolist() != ShuffledItems(50, 2).take(50).tolist()


@pytest.mark.parametrize("taken", [1, 3, 10, 17])
def test_restored_order_goes_on_where_it_was(taken: int) -> None:
    order = ShuffledItems(10, seed=1)
    order.take(taken)
    state = order.state()
    want = order.take(25)
    other = ShuffledItems(10, seed=99)
    other.restore(state)
    np.testing.assert_array_equal(other.take(25), want)


def test_streams_of_a_run_are_distinct_and_fixed() -> None:
    one, again, other = Seeds.of(7), Seeds.of(7), Seeds.of(8)
    assert one == again
    streams = [s for x in (one, other) for s in (x.initialisation, x.order, x.noise, x.labels)]
    assert len(set(streams)) == 8
    first = np.random.SeedSequence(7).generate_state(3).tolist()  # adding a stream moved none
    assert [one.initialisation, one.order, one.noise] == first
