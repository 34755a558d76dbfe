"""The fused battery of texts against the plain one, which sees every row."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from benchmarks.architectures import batch, build
from benchmarks.comparing.observed import output
from tests.attention.kernel.reference import CLOSE, Case, draw, make
from tests.attention.kernel.test_models import Largest

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing, on_samples
from attnpipe.attention.kernel import far
from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.fused_tokens import FusedTokenBattery
from attnpipe.attention.kernel.sums import MOST_REMOVED
from attnpipe.attention.observers import LayerFolds
from attnpipe.core.text import TokenText
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.scores import SCORES
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[3, 1, 30], recent_k=[2, 9])
KINDS: tuple[Kind, ...] = ("native", "array")
NAMES = ["GPT-2", "Llama", "Mistral", "Gemma 2", "BERT"]
ROWS = 7
SAMPLES = torch.tensor([4, 2, 9])


def text(ids: Sequence[int], special: Sequence[int]) -> TokenText:
    place, marked = np.arange(len(ids)), np.zeros(len(ids), bool)
    marked[list(special)] = True
    return TokenText("x" * len(ids), np.array(ids), np.stack([place, place + 1], -1), marked)


def texts_of(ids: torch.Tensor) -> Texts:
    """Give one text no sink, one a first and an inner one, one those at its end."""
    length = ids.shape[1]
    special = [[], sorted({0, length // 3}), sorted({length - 1, max(0, length - 2)})]
    found = {
        int(sample): text(own.tolist(), marked)
        for sample, own, marked in zip(SAMPLES, ids, special, strict=True)
    }
    return Texts.of(found, ["special"])


def plain(texts: Texts) -> LayerFolds[TokenBattery]:
    return LayerFolds(lambda layer: TokenBattery(OPTIONS, texts, distance_rows=ROWS))


def fused(texts: Texts, kind: Kind) -> FusedTokenBattery:
    return FusedTokenBattery(OPTIONS, texts, kind, distance_rows=ROWS)


def assert_alike(got: TokenBattery, want: TokenBattery) -> None:
    """Compare all that two batteries hold: labels and counts exactly, means within `CLOSE`."""
    ours, theirs = got.state(), want.state()
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        exact = key.rpartition("/")[2] in ("rows", "count", "log_n", "exposure", "chance")
        if "/sum/" not in key or exact or key.startswith("validity/"):
            np.testing.assert_allclose(ours[key], value, 1e-12, 1e-12, err_msg=key)
    for which, view in want.views.items():
        mine = got.views[which]
        for name in view.means.metrics:
            means, its = mine.means.means(name), view.means.means(name)
            assert np.array_equal(means.item_count, its.item_count), name
            np.testing.assert_allclose(
                means.item_mean, its.item_mean, CLOSE, CLOSE, err_msg=f"{which} {name}"
            )
        for name in SCORES:
            scores = mine.scores.score(name).value, view.scores.score(name).value
            np.testing.assert_allclose(*scores, CLOSE, CLOSE, err_msg=name)
        pairs = [
            (mine.distances.mean(), view.distances.mean()),
            (mine.variation.variation(), view.variation.variation()),
            (mine.lags.variation(), view.lags.variation()),
        ]
        for sample in view.incoming.samples.tolist():
            pairs.append((mine.incoming.of(sample).mass, view.incoming.of(sample).mass))
            pairs.append((mine.lags.of(sample).mass, view.lags.of(sample).mass))
        for pair in pairs:
            np.testing.assert_allclose(*pair, CLOSE, 3 * CLOSE, err_msg=str(which))


@pytest.mark.parametrize("length", [1, 2, 3, 24])
@pytest.mark.parametrize("name", NAMES)
def test_models(name: str, length: int) -> None:
    model = build(name, torch.float32)
    ids = torch.randint(5, 15, (3, length), generator=torch.Generator().manual_seed(length))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    texts = texts_of(ids)
    own, folds = output(model, inputs), plain(texts)
    with adapted(model), observing(folds), on_samples(SAMPLES):
        output(model, inputs)
    for kind in KINDS:
        battery = fused(texts, kind)
        with adapted(model), observing(battery), on_samples(SAMPLES):
            made = output(model, inputs)
        torch.testing.assert_close(made, own, rtol=1e-5, atol=1e-5)
        assert sorted(battery.folds) == sorted(folds.folds) != []
        for layer, fold in folds.folds.items():
            assert_alike(battery.folds[layer], fold)


def layer(length: int, *, samples: int = 1, spread: float = 2.0, sample: int = 3) -> Case:
    """Return a causal layer; positions start at 0."""
    case = make(draw(samples, heads=4, queries=length, keys=length, spread=spread), sample=sample)
    scores = case.scores
    for positions in (scores.query_positions, scores.key_positions):
        positions -= positions[0].item()
    return case


def both(case: Case, texts: Texts, kind: Kind) -> tuple[TokenBattery, TokenBattery, bool]:
    """Return the fused and the plain folds of a layer, and whether it was fused."""
    battery, folds = fused(texts, kind), plain(texts)
    context = battery.attend(0, case.scores)
    folds.observe(0, case.scores.block(slice(0, case.scores.q.shape[2])))
    return battery.folds[0], folds.folds[0], context is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [2, 10_000])
def test_many_and_few_repetitions(kind: Kind, words: int) -> None:
    ids = np.random.default_rng(0).integers(words, size=150).tolist()
    got, want, was_fused = both(layer(150), Texts.of({3: text(ids, [0])}), kind)
    assert was_fused
    assert_alike(got, want)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("elements", [1, 2**10])
def test_heads_are_compared_a_few_rows_at_a_time_at_least_one(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, elements: int
) -> None:
    """Also where a single row of all heads is more than is to be held at a time."""
    monkeypatch.setattr(far, "_ELEMENTS", elements)
    got, want, was_fused = both(layer(40), Texts.of({3: text(range(40), [0])}), kind)
    assert was_fused
    assert_alike(got, want)


@pytest.mark.parametrize("kind", KINDS)
def test_more_keys_than_the_kernel_takes_at_once(kind: Kind) -> None:
    ids = np.random.default_rng(1).integers(50, size=1090).tolist()
    got, want, was_fused = both(layer(1090), Texts.of({3: text(ids, [0, 1050])}), kind)
    assert was_fused
    assert_alike(got, want)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sinks", [MOST_REMOVED, MOST_REMOVED + 1])
def test_many_sinks(kind: Kind, sinks: int) -> None:
    """The fused rows take so many; more are left to the plain folds."""
    texts = Texts.of({3: text(range(100), range(20, 20 + sinks))}, ["special"])
    got, want, was_fused = both(layer(100), texts, kind)
    assert was_fused == (sinks <= MOST_REMOVED)
    assert_alike(got, want)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_sinks_alone(kind: Kind) -> None:
    got, want, _ = both(layer(12), Texts.of({3: text(range(12), range(12))}), kind)
    assert_alike(got, want)
    assert not got.views["all", "sinks_removed"].incoming.rows.any()


@pytest.mark.parametrize("kind", KINDS)
def test_sinks_that_hold_nearly_everything(kind: Kind) -> None:
    """Rows with less than a thousandth beside them have no statistics without them."""
    case = layer(60, spread=9.0)
    got, want, _ = both(case, Texts.of({3: text(range(60), [0, 1, 2, 30])}), kind)
    assert_alike(got, want)
    rows = got.views["all", "sinks_removed"].incoming.rows
    assert np.any((rows > 0) & (rows < 59))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_batches_go_through_the_plain_folds(side: str) -> None:
    model, inputs = build("Llama", torch.float32), batch("Llama", [0, 1], side=side)
    ids, real = inputs["input_ids"], inputs["attention_mask"].bool()
    own = [tokens[kept].tolist() for tokens, kept in zip(ids, real, strict=True)]
    texts = Texts.of({i: text(tokens, []) for i, tokens in enumerate(own)})
    battery, folds = fused(texts, "native"), plain(texts)
    for observer in (battery, folds):
        with adapted(model), observing(observer):
            output(model, inputs)
    for number, fold in folds.folds.items():
        assert_alike(battery.folds[number], fold)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_no_number_has_nothing_of_the_head_before(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads are measured one after another, in the same room."""
    monkeypatch.setattr("attnpipe.attention.kernel.fused._TABLE_ROWS", 1)
    case = layer(40)
    case.scores.q[0, -1, 20] = torch.nan
    texts = Texts.of({3: text([5 + i % 9 for i in range(40)], [0])}, ["special"])
    got, want, was_fused = both(case, texts, kind)
    assert was_fused
    assert_alike(got, want)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_more_is_a_sample_more(kind: Kind) -> None:
    ids = torch.randint(5, 15, (3, 20), generator=torch.Generator().manual_seed(1))
    texts, model = texts_of(ids), build("Llama", torch.float32)
    together, apart = fused(texts, kind), fused(texts, kind)
    for battery, parts in ((together, [[0, 1, 2]]), (apart, [[2], [0, 1]])):
        for part in parts:
            with adapted(model), observing(battery), on_samples(SAMPLES[part]):
                output(model, {"input_ids": ids[part]})
    for number, fold in together.folds.items():
        assert_alike(apart.folds[number], fold)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_queries_times_keys_is_made(kind: Kind) -> None:
    sizes = []
    for length in (1000, 2000):
        case = layer(length)
        battery = fused(Texts.of({3: text(range(length), [0])}), kind)
        with Largest() as mode:
            battery.attend(0, case.scores)
        sizes.append(mode.elements)
    rows = battery.engine.block_rows
    assert rows * 2000 <= sizes[1] < 1.3 * rows * 2000 < 2000**2 / 2
    assert sizes[1] < 2.1 * sizes[0]
