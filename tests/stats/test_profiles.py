from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon

from attnpipe.stats.jackknife import pair_values
from attnpipe.stats.profiles import cosine, jsd_distance, pearson, spearman

once = settings(deadline=None, derandomize=True, max_examples=40)
MEASURES = [cosine, pearson, spearman, jsd_distance]


def softmax(logits):
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


@st.composite
def distributions(draw):
    seeds, keys = draw(st.integers(2, 5)), draw(st.integers(3, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    profiles = softmax(rng.normal(0, draw(st.floats(0.01, 3)), (seeds, keys)))
    if draw(st.booleans()):
        profiles[:, 0] = 0
        profiles /= profiles.sum(axis=1, keepdims=True)
    return profiles


@once
@given(distributions())
def test_measures_agree_with_independent_ones(profiles):
    for a, b in combinations(range(len(profiles)), 2):
        p, q = profiles[a], profiles[b]
        published = np.dot(p, q) / (np.linalg.norm(p) * np.linalg.norm(q))
        assert cosine(profiles)[a, b] == pytest.approx(published, abs=1e-12)
        assert pearson(profiles)[a, b] == pytest.approx(np.corrcoef(p, q)[0, 1], abs=1e-9)
        rho = scipy_stats.spearmanr(p, q).statistic
        assert spearman(profiles)[a, b] == pytest.approx(rho, abs=1e-9)
        distance = jensenshannon(p, q, base=2)  # the square root of the divergence in bits
        assert jsd_distance(profiles)[a, b] == pytest.approx(distance, abs=1e-7)


@once
@given(distributions(), st.floats(0.1, 50))
def test_measures_are_symmetric_and_ignore_scale_and_key_order(profiles, scale):
    order = np.random.default_rng(0).permutation(profiles.shape[1])
    for measure in MEASURES:
        pairs = measure(profiles)
        assert np.allclose(pairs, pairs.T, atol=1e-12)
        assert np.allclose(measure(scale * profiles[:, order]), pairs, atol=1e-7)
        assert np.all((pairs >= -1) & (pairs <= 1))


def test_equal_and_disjoint_profiles():
    p = np.array([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    assert jsd_distance(p)[0].tolist() == [0.0, 0.0, 1.0]
    assert cosine(p)[0].tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert pearson(p)[0].tolist() == pytest.approx([1.0, 1.0, -1.0])


def test_ties_share_their_mean_rank():
    profiles = np.array([[0.1, 0.1, 0.3, 0.5], [0.4, 0.2, 0.2, 0.2]])
    assert spearman(profiles)[0, 1] == pytest.approx(scipy_stats.spearmanr(*profiles).statistic)


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize(
    "constant",
    [np.full(50, 1 / 50), np.full(50, np.float64(np.float32(1 / 50)))
     * (1 + 1e-7 * np.resize([1, -1, 0], 50))],
    ids=["exact", "up to float32 rounding"],
)  # fmt: skip
def test_a_constant_profile_has_no_pattern_to_compare(measure, constant):
    sharp = softmax(np.random.default_rng(0).normal(size=50))
    pairs = measure(np.stack([sharp, constant, sharp[::-1]]))
    assert np.isnan(pairs[1]).all()
    assert np.isnan(pairs[:, 1]).all()
    assert not np.isnan(pairs[0, 2])


def test_a_faint_profile_above_rounding_is_compared():
    pattern = np.random.default_rng(0).normal(size=50)
    profiles = np.stack([1 / 50 * (1 + 1e-4 * pattern), softmax(pattern)])
    assert pearson(profiles)[0, 1] > 0.6


@pytest.mark.parametrize("measure", MEASURES)
def test_a_zero_or_unknown_profile_is_like_none(measure):
    profiles = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 0.0], [np.nan, 0.5, 0.5]])
    pairs = measure(profiles)
    assert np.isnan(pairs[1:]).all()
    assert np.isnan(pairs[:, 1:]).all()


@pytest.mark.parametrize(
    ("logit_sd", "mean", "stable"), [(0.1, 0.990, 1.0), (0.2, 0.962, 1.0), (0.3, 0.917, 0.96)]
)
def test_independent_profiles_look_stable_by_the_published_cosine(logit_sd, mean, stable):
    # Five seeds that share nothing: the published cosine is near 1, the centred one near 0.
    rng = np.random.default_rng(11)
    cosines, centred = [], []
    for _ in range(400):
        profiles = softmax(rng.normal(0, logit_sd, (5, 50)))
        cosines.append(pair_values(cosine(profiles)).mean())
        centred.append(pair_values(pearson(profiles)).mean())
    assert np.mean(cosines) == pytest.approx(mean, abs=0.001)
    assert np.mean(np.array(cosines) >= 0.9) == pytest.approx(stable, abs=0.03)
    assert np.mean(centred) == pytest.approx(0, abs=0.01)
