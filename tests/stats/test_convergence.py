import numpy as np
import pytest

from attnpipe.stats.convergence import SMALLEST_THRESHOLD, convergence


def trajectory(previous, final):
    epochs = np.arange(len(final))
    return convergence(epochs, np.array(previous, dtype=float), np.array(final, dtype=float))


def test_epoch_is_the_first_from_which_all_later_ones_are_near():
    previous = [np.nan, *[0.1] * 5, *[1e-5] * 14]
    final = [0.3, 0.2, 1e-4, 0.2, 0.1, *[5e-4] * 14, 0.0]  # near at 2, but not for good
    result = trajectory(previous, final)
    assert result.threshold == SMALLEST_THRESHOLD
    assert (result.epoch, result.censored) == (5, False)


def test_threshold_is_twice_the_median_movement_of_the_last_tenth():
    previous = [np.nan, *[0.5] * 27, 0.004, 0.1]  # last tenth of 30 is the last three
    result = trajectory(previous, [0.4] * 29 + [0.0])
    assert result.threshold == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("n", "size"), [(2, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (30, 3), (70, 7)]
)
def test_last_tenth_is_rounded_up(n, size):
    previous = np.full(n, 1e-6)
    previous[n - size] = 1.0  # counts only if it lies in the last tenth
    final = np.zeros(n)
    with_spike = trajectory(previous, final).threshold
    previous[n - size] = 1e-6
    previous[n - size - 1] = 1.0
    assert trajectory(previous, final).threshold == SMALLEST_THRESHOLD
    assert (with_spike > SMALLEST_THRESHOLD) == (size <= 2)


def test_convergence_in_the_last_tenth_is_censored():
    previous = [np.nan, *[1e-5] * 19]
    assert trajectory(previous, [0.2] * 18 + [1e-5, 0.0]).censored
    assert not trajectory(previous, [0.2] * 17 + [1e-5, 1e-5, 0.0]).censored


def test_attention_as_restless_at_the_end_as_in_all_of_training_has_no_epoch():
    # Distances to the end stay below twice the movement from one checkpoint to the next.
    result = trajectory([np.nan, *[0.001] * 17, 0.03, 0.03], [0.04] * 19 + [0.0])
    assert (result.threshold, result.epoch, result.censored) == (pytest.approx(0.06), None, True)


def test_attention_that_never_moves_is_converged_from_the_start():
    result = trajectory([np.nan, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert (result.epoch, result.censored) == (0, False)


def test_epochs_need_not_be_consecutive():
    previous = np.array([np.nan] + [1e-6] * 4)
    result = convergence(np.array([0, 5, 10, 20, 40]), previous, np.array([0.3, 0.2, 0, 0, 0.0]))
    assert result.epoch == 10


def test_an_unknown_divergence_counts_as_far_away():
    assert trajectory([np.nan, 0, 0, 0], [0.0, np.nan, 0.0, 0.0]).epoch == 2


@pytest.mark.parametrize(
    ("previous", "final"),
    [([], []), ([np.nan], [0.0]), ([np.nan] * 3, [0.1, 0.1, 0.0]), ([0.1] * 3, [0.1, 0, np.nan])],
)
def test_nothing_is_said_where_nothing_is_known(previous, final):
    assert trajectory(previous, final) is None
