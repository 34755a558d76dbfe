"""Each fold against naive loops and planted truths."""

import math

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from tests.metrics.cases import KINDS, make_block
from tests.metrics.reference import mean_over_samples, reference

from attnpipe.core.block import Block
from attnpipe.metrics.battery import Battery
from attnpipe.metrics.peaks import Peaks
from attnpipe.metrics.profile import ProfileSums
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.validity import RowValidity
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def fed(fold, block):
    fold.update(block)
    return fold


def block_of(weights, support=None):
    """Block of ``[head, sample, query, key]`` weights, full support, queries are the newest."""
    _, samples, queries, keys = weights.shape
    seen = np.ones((1, 1, keys), bool) if support is None else support
    positions = np.arange(keys)
    return Block(weights, seen, positions[keys - queries :], positions, np.arange(samples))


def random_rows(shape, seed=0, sharpness=1.0):
    weights = np.exp(sharpness * np.random.default_rng(seed).standard_normal(shape))
    return weights / weights.sum(axis=-1, keepdims=True)


class TestRowMeans:
    @pytest.mark.parametrize("kind", KINDS)
    def test_means_are_over_rows_then_samples(self, kind):
        block = make_block(kind, samples=5, keys=11)
        fold = fed(RowMeans(OPTIONS), block)
        expected = reference(block)
        for name in fold.metrics:
            means = fold.means(name)
            np.testing.assert_allclose(
                means.mean, mean_over_samples(expected[name]), rtol=1e-10, atol=1e-13, err_msg=name
            )
            known = ~np.isnan(expected[name])
            np.testing.assert_array_equal(means.item_count, known.sum(axis=-1))
            np.testing.assert_array_equal(means.count, known.sum(axis=(1, 2)))

    def test_a_sample_with_few_rows_counts_as_much_as_one_with_many(self):
        weights = np.zeros((1, 2, 4, 4))
        weights[0, 0] = np.eye(4)
        weights[0, 1] = 0.25
        support = np.ones((2, 4, 4), bool)
        support[1, :3] = False
        means = fed(RowMeans(OPTIONS), block_of(weights, support)).means("entropy")
        assert means.mean[0] == pytest.approx(math.log(4) / 2)
        np.testing.assert_array_equal(means.item_count, [[4, 1]])

    def test_padding_is_not_among_the_rows(self):
        fold = fed(RowMeans(OPTIONS), make_block("padded", samples=3, keys=7))
        assert fold.rows.tolist() == [[7, 6, 5]] * 2

    def test_undefined_everywhere_is_nan_with_count_zero(self):
        means = fed(RowMeans(OPTIONS), block_of(random_rows((1, 3, 1, 6)))).means("top_excess_10")
        assert np.isnan(means.mean).all()
        assert means.count.tolist() == [0]

    def test_invalid_rows_do_not_count_but_are_known(self):
        weights = random_rows((1, 2, 3, 5))
        clean = weights.copy()
        weights[0, 1, 2] *= 2
        fold = fed(RowMeans(OPTIONS), block_of(weights))
        assert fold.rows.tolist() == [[3, 3]]
        assert fold.means("entropy").item_count.tolist() == [[3, 2]]
        expected = [scipy_entropy(row) for row in clean[0, 1, :2]]
        assert fold.means("entropy").item_mean[0, 1] == pytest.approx(np.mean(expected))


class TestValidity:
    def test_counts_by_reason_per_head(self):
        weights = random_rows((2, 3, 4, 5))
        support = np.ones((3, 4, 5), bool)
        support[0, 0] = False
        weights[1, 1, 1, 0] = np.inf
        weights[1, 1, 2] *= 1.5
        weights[0, 2, 3, 0] += 2 * weights[0, 2, 3, 1]
        weights[0, 2, 3, 1] *= -1
        fold = fed(RowValidity(OPTIONS), block_of(weights, support))
        assert fold.valid.tolist() == [10, 9]
        assert fold.total.tolist() == [12, 12]
        assert fold.excluded("padding").tolist() == [1, 1]
        assert fold.excluded("not_finite").tolist() == [0, 1]
        assert fold.excluded("sum").tolist() == [0, 1]
        assert fold.excluded("negative").tolist() == [1, 0]
        assert fold.excluded("off_support").tolist() == [0, 0]

    def test_faulty_rows_reach_no_other_fold(self):
        weights = random_rows((1, 4, 3, 5))
        spoiled = weights.copy()
        spoiled[0, 3, 0, 0] = np.nan
        spoiled[0, 3, 1] *= 7
        spoiled[0, 3, 2, :2] = [-0.5, 1.5]
        battery = fed(Battery(OPTIONS), block_of(spoiled))
        alone = fed(Battery(OPTIONS), block_of(weights[:, :3]))
        np.testing.assert_allclose(battery.profile.profile(), alone.profile.profile(), rtol=1e-14)
        np.testing.assert_array_equal(battery.peaks.rows, alone.peaks.rows)
        mine, theirs = battery.profile.split(1e-5), alone.profile.split(1e-5)
        np.testing.assert_allclose(mine.content, theirs.content, rtol=1e-12)


class TestProfile:
    @pytest.mark.parametrize("kind", ["full", "causal", "window"])
    def test_profile_is_the_mean_over_samples_and_queries(self, kind):
        block = make_block(kind, samples=5)
        fold = fed(ProfileSums(OPTIONS), block)
        np.testing.assert_allclose(fold.profile(), block.weights.mean(axis=(1, 2)), rtol=1e-13)
        np.testing.assert_allclose(fold.row_profiles(), block.weights.mean(axis=1), rtol=1e-13)

    @pytest.mark.parametrize("kind", KINDS)
    def test_profiles_over_keys_and_lags_sum_to_one(self, kind):
        fold = fed(ProfileSums(OPTIONS), make_block(kind, samples=5))
        np.testing.assert_allclose(fold.profile().sum(axis=-1), 1.0, rtol=1e-13)
        np.testing.assert_allclose(fold.lag_profile()[1].sum(axis=-1), 1.0, rtol=1e-13)

    def test_lag_profile_by_loops(self):
        block = make_block("causal", samples=4)
        lags, mass = fed(ProfileSums(OPTIONS), block).lag_profile()
        assert lags.tolist() == list(range(7))  # future lags are in no row's support
        for lag in lags:
            on_lag = [block.weights[:, :, q, q - lag].mean(axis=1) for q in range(lag, 7)]
            np.testing.assert_allclose(mass[:, lag], np.sum(on_lag, axis=0) / 7, rtol=1e-13)

    def test_previous_key_head_has_all_its_lag_mass_at_one(self):
        weights = np.eye(6, k=-1)
        weights[0, 0] = 1.0
        lags, mass = fed(ProfileSums(OPTIONS), block_of(weights[None, None])).lag_profile()
        assert mass[0, lags == 1].item() == pytest.approx(5 / 6)
        assert mass[0, lags == 0].item() == pytest.approx(1 / 6)


class TestSplit:
    @pytest.mark.parametrize("kind", ["full", "one_query", "causal", "window"])
    def test_position_and_content_add_up_to_the_mean_divergence_from_uniform(self, kind):
        block = make_block(kind, samples=6)
        split = fed(ProfileSums(OPTIONS), block).split(1e-5)
        expected = np.mean(reference(block)["kl_uniform"], axis=(1, 2))
        np.testing.assert_allclose(split.position + split.content, expected, rtol=1e-12)
        np.testing.assert_array_equal(split.rows, [block.weights[0, ..., 0].size] * 2)

    def test_content_is_entropy_of_the_mean_less_mean_entropy_by_loops(self):
        weights = random_rows((2, 9, 3, 8), sharpness=2.0)
        content = fed(ProfileSums(OPTIONS), block_of(weights)).split(1e-5).content
        for head in range(2):
            information = [
                scipy_entropy(weights[head, :, q].mean(axis=0))
                - np.mean([scipy_entropy(row) for row in weights[head, :, q]])
                for q in range(3)
            ]
            assert content[head] == pytest.approx(np.mean(information) * 9 / 8, rel=1e-12)

    def test_the_same_row_for_all_samples_is_all_position(self):
        row = random_rows((1, 1, 1, 10), sharpness=2.0)
        split = fed(ProfileSums(OPTIONS), block_of(np.repeat(row, 64, axis=1))).split(1e-5)
        assert split.content[0] == pytest.approx(0.0, abs=1e-13)
        assert split.share[0] == pytest.approx(0.0, abs=1e-12)
        assert split.position[0] == pytest.approx(math.log(10) - scipy_entropy(row[0, 0, 0]))

    def test_every_sample_on_another_key_is_all_content_within_its_bias(self):
        samples, keys = 100, 10
        weights = np.eye(keys)[np.arange(samples) % keys][None, :, None, :]
        split = fed(ProfileSums(OPTIONS), block_of(weights)).split(1e-5)
        assert split.content[0] == pytest.approx(math.log(keys) * samples / (samples - 1))
        assert split.position[0] == pytest.approx(-math.log(keys) / (samples - 1))
        assert 1 < split.share[0] <= samples / (samples - 1) + 1e-12

    def test_bias_correction_brings_few_samples_near_the_truth(self):
        rng = np.random.default_rng(0)
        logits = 0.5 * rng.standard_normal((400, 8, 1, 8))  # 400 repetitions as heads, B = 8
        weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        corrected = fed(ProfileSums(OPTIONS), block_of(weights)).split(1e-5).content.mean()
        everything = weights.reshape(1, -1, 1, 8)
        truth = fed(ProfileSums(OPTIONS), block_of(everything)).split(1e-5).content[0]
        assert abs(corrected - truth) < 0.02 * truth
        assert abs(corrected * 7 / 8 - truth) > 0.1 * truth

    def test_share_is_nan_below_the_noise_floor_only(self):
        rng = np.random.default_rng(0)
        for relative_error, known in [(1e-5, False), (1e-3, True)]:
            weights = 1 + relative_error * rng.standard_normal((1, 64, 1, 20))
            weights /= weights.sum(axis=-1, keepdims=True)
            split = fed(ProfileSums(OPTIONS), block_of(weights)).split(1e-5)
            assert np.isfinite(split.share[0]) == known
            assert np.isfinite(split.content[0])

    def test_float32_rounding_alone_stays_below_the_floor(self):
        exact = np.full((1, 64, 1, 50), 0.02) * (
            1 + 2.0**-24 * np.random.default_rng(0).uniform(-1, 1, (1, 64, 1, 50))
        )
        split = fed(ProfileSums(OPTIONS), block_of(exact.astype(np.float32))).split(1e-5)
        assert np.isnan(split.share[0])

    def test_queries_whose_samples_see_different_keys_do_not_count(self):
        block = make_block("padded", samples=3, keys=7)
        split = fed(ProfileSums(OPTIONS), block).split(1e-5)
        assert split.rows.tolist() == [0, 0]
        assert np.isnan(split.content).all()

    def test_one_sample_has_no_split(self):
        split = fed(ProfileSums(OPTIONS), make_block("full", samples=1)).split(1e-5)
        assert np.isnan(split.position).all()
        assert split.rows.tolist() == [0, 0]


class TestPeaks:
    def test_planted_lags_are_recovered(self):
        keys, rng = 12, np.random.default_rng(0)
        weights = np.full((2, 40, 1, keys), 0.5 / keys)
        planted = rng.choice([1, 4, 9], p=[0.2, 0.5, 0.3], size=40)
        weights[0, np.arange(40), 0, keys - 1 - planted] += 0.5
        weights[1, :, 0, 2] += 0.5
        peaks = fed(Peaks(OPTIONS), block_of(weights))
        expected = [np.sum(planted == lag) for lag in (1, 4, 9)] + [0]
        assert peaks.lags.tolist() == [1, 4, 9]
        assert peaks.count.tolist() == [expected[:3], [0, 0, 40]]
        assert peaks.mode(0) == 4
        assert peaks.mode(1) == 9
        for q in (0.25, 0.5, 0.75, 0.9):
            assert peaks.quantile(0, q) == pytest.approx(np.quantile(planted, q))

    def test_near_uniform_rows_have_no_resolved_peak(self):
        weights = random_rows((1, 50, 1, 50), sharpness=1e-3)
        peaks = fed(Peaks(OPTIONS), block_of(weights))
        assert peaks.rows.tolist() == [50]
        assert peaks.count.sum() == 0
        assert math.isnan(peaks.mode(0))
        assert math.isnan(peaks.quantile(0, 0.5))

    def test_resolution_is_the_gap_to_the_second_weight(self):
        weights = np.array([[0.4, 0.3, 0.3], [0.4, 0.4, 0.2], [0.45, 0.35, 0.2]])
        for tolerance, resolved in [(0.0, 2), (0.09, 2), (0.11, 0)]:
            peaks = fed(
                Peaks(MetricsSpec(peak_tolerance=tolerance)), block_of(weights[None, :, None])
            )
            assert peaks.count.sum() == resolved

    def test_rows_without_a_choice_do_not_count(self):
        peaks = fed(Peaks(OPTIONS), make_block("causal", samples=3, keys=7))
        assert peaks.rows.tolist() == [18, 18]

    def test_quantiles_of_gaps_and_negative_lags_are_numpys(self):
        block = make_block("full", heads=3, samples=20, keys=9, sharpness=3.0)
        peaks = fed(Peaks(OPTIONS), block)
        for head in range(3):
            first, second = np.sort(block.weights[head], axis=-1)[..., [-1, -2]].T
            lag = block.query_positions - block.key_positions[block.weights[head].argmax(-1)]
            lag = lag[OPTIONS.peak_tolerance < (first - second).T]
            for q in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0):
                assert peaks.quantile(head, q) == pytest.approx(np.quantile(lag, q))


def test_entropy_of_the_mean_hides_sharp_moving_rows():
    """H(mean) = mean H + JSD: one-hot-like rows that move look uniform on average."""
    samples, keys = 500, 50
    weights = np.full((1, samples, 1, keys), 0.001 / keys)
    weights[0, np.arange(samples), 0, np.arange(samples) % keys] += 0.999
    battery = fed(Battery(OPTIONS), block_of(weights))
    per_row = battery.means.means("entropy").mean[0]
    of_mean = scipy_entropy(battery.profile.profile()[0])
    jsd = of_mean - np.mean([scipy_entropy(row) for row in weights[0, :, 0]])
    assert of_mean == pytest.approx(per_row + jsd, rel=1e-12)
    assert per_row / math.log(keys) < 0.01
    assert of_mean / math.log(keys) > 0.999
