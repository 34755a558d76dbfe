"""Mass on declared tokens and on named spans, by hand and at chance."""

import numpy as np
import pytest
from tests.metrics.tokens.cases import batch, make_items, make_support, make_text, texts_of

from attnpipe.core.block import Block
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.masses import mass_on, span_masses
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[2], recent_k=[2])
SPANS = [
    ("question", [1, 2]),
    ("keyword: plus", [2], 0),
    ("keyword: plus", [4, 3], 1),
    ("keyword: plus", [2, 3], 2),
    ("beyond", [5]),
]
ROWS = np.array(
    [
        [1, 0, 0, 0, 0, 0],
        [0.5, 0.5, 0, 0, 0, 0],
        [0.2, 0.3, 0.5, 0, 0, 0],
        [0.25, 0.25, 0.25, 0.25, 0, 0],
        [0.1, 0.2, 0.3, 0.1, 0.3, 0],
        [0.4, 0.1, 0.2, 0.2, 0.1, 0.0],
    ]
)


def view(which, condition=None, window=6):
    text = make_text(range(6), [0], SPANS)
    support = np.tril(np.ones((6, 6), bool)) & ~np.tril(np.ones((6, 6), bool), -window)
    weights = ROWS * support
    weights /= weights.sum(axis=1, keepdims=True)
    positions = np.arange(6)
    battery = TokenBattery(OPTIONS, Texts.of({3: text}))
    battery.update(Block(weights[None, None], support[None], positions, positions, np.array([3])))
    return battery.views[which, condition].incoming.of(3), text


def table(which, **options):
    received, text = view(which, **options)
    return {
        (s.name, s.occurrence): (
            s.n_matches,
            s.on.n_tokens,
            float(s.on.mass[0]),
            float(s.on.per_token[0]),
            float(s.on.relative[0]),
        )
        for s in span_masses(received, text.spans)
    }


def about(*values):
    return pytest.approx(values, nan_ok=True)


def test_spans_of_the_last_row():
    found = table("last")
    assert list(found) == [
        ("question", 0), ("question", None),
        ("keyword: plus", 0), ("keyword: plus", 1), ("keyword: plus", 2), ("keyword: plus", None),
        ("beyond", 0), ("beyond", None),
    ]  # fmt: skip
    assert found["question", 0] == about(1, 2, 0.3, 0.15, 0.3 / (2 / 6))
    assert found["keyword: plus", 0] == about(1, 1, 0.2, 0.2, 1.2)
    assert found["keyword: plus", 1] == about(1, 2, 0.3, 0.15, 0.9)
    # Tokens 2, 3 and 4 together, each once, though occurrences overlap.
    assert found["keyword: plus", None] == about(3, 3, 0.5, 0.5 / 3, 0.5 / (3 / 6))
    assert found["beyond", 0] == about(1, 1, 0.0, 0.0, 0.0)


def test_spans_of_all_rows_are_means_over_rows():
    found = table("all")
    mass = np.mean([0, 0.5, 0.8, 0.5, 0.5, 0.3])
    chance = np.mean([0, 1 / 2, 2 / 3, 2 / 4, 2 / 5, 2 / 6])
    assert found["question", None] == about(1, 2, mass, mass / 2, mass / chance)


def test_without_sinks_the_rest_counts():
    found = table("last", condition="sinks_removed")
    assert found["question", 0] == about(1, 2, 0.5, 0.25, 0.5 / (2 / 5))


def test_a_span_out_of_sight_has_no_relative_mass():
    found = table("last", window=2)
    assert found["question", 0] == about(1, 2, 0.0, 0.0, np.nan)
    assert found["keyword: plus", 1] == about(1, 2, 1.0, 0.5, 1.0 / (1 / 2))


def test_no_tokens_have_no_mass_per_token():
    received, _ = view("last")
    nothing = mass_on(received, np.zeros(0, np.int64))
    assert nothing.mass.tolist() == [0.0]
    assert np.isnan(nothing.per_token).all()
    assert np.isnan(nothing.relative).all()


@pytest.mark.parametrize("kind", ["causal", "full", "window"])
@pytest.mark.parametrize("length", [5, 9])
def test_uniform_attention_is_at_1_whatever_the_length(kind, length):
    items = make_items(kind, lengths=(length,))
    support = make_support(kind, length)
    items[0].weights[:] = support / support.sum(axis=1, keepdims=True)
    battery = TokenBattery(OPTIONS, texts_of(items))
    battery.update(batch(items))
    for which in ("all", "last"):
        received = battery.views[which, None].incoming.of(0)
        mass = mass_on(received, np.array([length - 2, length - 1]))
        np.testing.assert_allclose(mass.relative, np.ones(3), rtol=1e-13)


def test_sink_mass_is_the_mass_on_declared_sinks():
    received, text = view("all")
    sinks = Texts.of({3: text})[3].sinks
    assert sinks.tolist() == [True] + [False] * 5
    mass = mass_on(received, np.flatnonzero(sinks))
    assert mass.mass[0] == pytest.approx(ROWS[:, 0].mean())
    assert mass.chance[0] == pytest.approx(np.mean([1 / n for n in range(1, 7)]))
