"""Composed texts: a span is its piece, however deep."""

from hypothesis import given
from hypothesis import strategies as st

from attnpipe.core.text import Span
from attnpipe.text.compose import Composed, Composer

PIECES = st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.text(max_size=6)), max_size=8)


def composed(pieces):
    composer = Composer()
    for name, piece in pieces:
        composer.add(name, piece)
    return composer.done()


def test_pieces_are_joined_and_named():
    prompt = (
        Composer()
        .add("instruction", "Let's think step by step.")
        .add(None, "\n\n")
        .add("question", "What is 15 plus 27?")
        .done()
    )
    assert prompt.text == "Let's think step by step.\n\nWhat is 15 plus 27?"
    assert prompt.spans == (Span("instruction", 0, 25), Span("question", 27, 46))


def test_inner_spans_move_with_their_piece_and_are_numbered_in_the_order_of_the_text():
    inner = Composer().add("operand", "3").add(None, "+").add("operand", "4").done()
    text = Composer().add("operand", "9").add(None, " ").add("shot_1", inner).done()
    assert text.spans == (
        Span("operand", 0, 1, 0),
        Span("shot_1", 2, 5, 0),
        Span("operand", 2, 3, 1),
        Span("operand", 4, 5, 2),
    )
    assert text.named("operand") == ["9", "3", "4"]


@given(PIECES, PIECES, PIECES)
def test_every_span_equals_its_piece(before, inside, after):
    inner = composed(inside)
    text = Composer().add(None, composed(before)).add("outer", inner).add(None, composed(after))
    done = text.done()
    assert done.text == "".join(piece for _, piece in [*before, *inside, *after])
    assert done.named("outer") == [inner.text]
    everything = [*before, *inside, *after]
    for name in ("a", "b"):
        spans = [span for span in done.spans if span.name == name]
        assert sorted(done.named(name)) == sorted(p for n, p in everything if n == name)
        assert [span.occurrence for span in spans] == list(range(len(spans)))
        assert spans == sorted(spans, key=lambda span: span.start)


@given(st.text())
def test_a_core_is_the_piece_without_white_space_at_its_ends(piece):
    text = Composer().add(None, "x").add_core("cue", piece).done()
    assert text.text == "x" + piece
    assert text.named("cue") == ([piece.strip()] if piece.strip() else [])


def test_a_composed_text_can_be_taken_apart_again():
    text = Composed("ab", (Span("whole", 0, 2),))
    assert Composer().add(None, text).done() == text
