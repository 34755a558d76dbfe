"""What folds know of texts, and how rows are brought to them."""

import numpy as np
import pytest
from tests.metrics.cases import as_torch
from tests.metrics.tokens.cases import batch, make_items, make_text, starts_of, texts_of

from attnpipe.core.block import Block
from attnpipe.core.errors import UserError
from attnpipe.metrics.rows import REASONS, Rows, to_numpy
from attnpipe.metrics.tokens.select import aligned, last_row
from attnpipe.metrics.tokens.texts import Texts

TEXT = make_text([4, 5, 6, 7], [0, 3])


def sinks(*roles):
    return np.flatnonzero(Texts.of({0: TEXT}, roles)[0].sinks).tolist()


def test_roles_of_sinks():
    assert sinks("special") == [0, 3]
    assert sinks("first") == [0]
    assert sinks("first", 2) == [0, 2]
    assert sinks(9) == []
    assert sinks() == []
    assert np.flatnonzero(Texts.of({0: TEXT})[0].sinks).tolist() == [0, 3]


def test_an_unknown_role_is_refused():
    with pytest.raises(UserError, match=r"unknown role of sinks 'specal': did you mean 'special'"):
        sinks("specal")


def test_an_empty_text_is_refused():
    with pytest.raises(UserError, match="text 5 has no tokens"):
        Texts.of({0: TEXT, 5: make_text([], [])})


def test_two_texts_of_one_sample_are_refused():
    mine, same = Texts.of({0: TEXT}), Texts.of({0: TEXT, 1: TEXT})
    assert sorted((mine | same).tokens) == [0, 1]
    with pytest.raises(ValueError, match="sample 0 stands for two different texts"):
        mine | Texts.of({0: make_text([4, 5, 6, 8], [0, 3])})


def test_texts_survive_their_state():
    texts = Texts.of({7: TEXT, 2: make_text([1], [])}, ["special"], {7: 3})
    again = Texts.from_state(texts.state())
    assert (texts | again).tokens.keys() == {2, 7}
    assert again[7].start == 3
    assert not Texts.from_state(Texts.of({}).state()).tokens


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("convert", [lambda b: b, as_torch], ids=["numpy", "torch"])
def test_aligned_rows_are_the_texts_own(padding, convert):
    items = make_items("causal", lengths=(3, 5, 3))
    rows = Rows.from_block(convert(batch(items, padding)), 1e-6)
    found = {int(r.samples[0]): r for r in aligned(rows, texts_of(items, padding), 1e-6)}
    assert {s: r.samples.tolist() for s, r in found.items()} == {0: [0, 2], 1: [1]}
    for group in found.values():
        for place, sample in enumerate(group.samples.tolist()):
            length = len(items[sample].text.ids)
            assert group.key_positions.tolist() == list(range(length))
            assert group.query_positions.tolist() == list(range(length))
            np.testing.assert_allclose(to_numpy(group.weights)[:, place], items[sample].weights)


def test_rows_that_may_see_padding_are_judged_by_what_they_give_it():
    items = make_items("causal", lengths=(3, 5), heads=1)
    block = batch(items, "left")
    block.support[0] = np.tril(np.ones((5, 5), bool))  # the mask forgot the padding
    block.weights[0, 0, :2, 0] = 1.0
    block.weights[0, 0, 3] = [0.05, 0, 0.5, 0.45, 0]
    rows = Rows.from_block(block, 1e-6)
    assert rows.valid.all()
    groups = list(aligned(rows, texts_of(items, "left"), 1e-6))
    reasons = groups[0].reason[0, 0]
    assert reasons.tolist() == [0, 1 + REASONS.index("off_support"), 0]
    np.testing.assert_allclose(groups[0].weights[0, 0].sum(axis=-1), [1, 0, 1])
    np.testing.assert_array_equal(groups[0].n[0, 0], [1, 2, 3])
    lenient = list(aligned(rows, texts_of(items, "left"), 0.1))
    np.testing.assert_allclose(lenient[0].weights[0, 0, 1], [0.5 / 0.95, 0.45 / 0.95, 0])


def test_rows_of_generated_tokens_are_left_out():
    items = make_items("causal", lengths=(6,))
    block = batch(items)
    short = Texts.of({0: make_text(items[0].text.ids[:4])})
    (rows,) = aligned(Rows.from_block(block, 1e-6), short, 1e-6)
    assert rows.query_positions.tolist() == [0, 1, 2, 3]
    assert rows.valid.all()


def test_the_last_row_is_each_texts_last_token():
    items = make_items("window", lengths=(6, 3))
    texts = texts_of(items, "left")
    rows = Rows.from_block(batch(items, "left"), 1e-6)
    for group in aligned(rows, texts, 1e-6):
        sample = int(group.samples[0])
        length = len(items[sample].text.ids)
        last = last_row(group, texts)
        assert last.query_positions.tolist() == [length - 1]
        first = max(0, length - 4)
        assert last.key_positions.tolist() == list(range(first, length))
        np.testing.assert_allclose(last.weights[:, 0, 0], items[sample].weights[:, -1, first:])


def test_blocks_without_the_last_row_have_none():
    items = make_items("causal", lengths=(6,))
    block = batch(items)
    early = Block(
        block.weights[:, :, :3], block.support[:, :3], np.arange(3), np.arange(6), block.samples
    )
    (rows,) = aligned(Rows.from_block(early, 1e-6), texts_of(items), 1e-6)
    assert rows.key_positions.tolist() == [0, 1, 2]  # none of these rows sees the others
    assert last_row(rows, texts_of(items)) is None


def test_starts_of_the_cases():
    assert starts_of(make_items("full", lengths=(2, 5)), "left") == {0: 3, 1: 0}
