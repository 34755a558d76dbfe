"""`attend` against plain formulas, its gradients, its support and its blocks."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from attnpipe.attention.attend import attend
from attnpipe.attention.hooks import observing
from attnpipe.attention.scores import additive_scores, pooling_scores, scaled_dot_scores

SAMPLES, HEADS, QUERIES, KEYS, DIM = 3, 2, 7, 5, 4


def tensors(*shapes: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*s, generator=generator, dtype=torch.float64) for s in shapes]


def positions(queries: int = QUERIES, keys: int = KEYS) -> dict:
    return {
        "query_positions": torch.arange(queries),
        "key_positions": torch.arange(keys),
        "layer": 0,
    }


def everything() -> torch.Tensor:
    return torch.ones(1, 1, 1, 1, dtype=torch.bool)


def supports() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ragged = torch.rand(SAMPLES, 1, QUERIES, KEYS, generator=generator) < 0.5
    ragged[..., 0] = True
    causal = torch.arange(QUERIES)[:, None] >= torch.arange(KEYS)[None, :]
    padded_keys = torch.arange(KEYS)[None, :] < torch.tensor([5, 3, 1])[:, None]
    return {
        "all": everything(),
        "causal": causal[None, None],
        "padded keys": padded_keys[:, None, None, :],
        "ragged": ragged,
    }


@pytest.mark.parametrize("query_block", [None, 1, 3, 7])
@pytest.mark.parametrize("kind", list(supports()))
def test_scaled_dot_matches_torchs_own(kind: str, query_block: int | None) -> None:
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])
    support = supports()[kind]
    got = attend(scaled_dot_scores(q, k), v, support, **positions(), query_block=query_block)
    mask = support.expand(SAMPLES, 1, QUERIES, KEYS)
    torch.testing.assert_close(got, scaled_dot_product_attention(q, k, v, attn_mask=mask))


def test_scaled_dot_takes_another_scale() -> None:
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])
    got = attend(scaled_dot_scores(q, k, scale=0.2), v, everything(), **positions())
    torch.testing.assert_close(got, scaled_dot_product_attention(q, k, v, scale=0.2))


def test_additive_matches_loops() -> None:
    q, k, vector = tensors((SAMPLES, QUERIES, 6), (SAMPLES, KEYS, 6), (6,))
    (v,) = tensors((SAMPLES, 1, KEYS, DIM), seed=3)
    got = attend(additive_scores(q, k, vector), v, everything(), **positions())
    for s in range(SAMPLES):
        for i in range(QUERIES):
            logits = [
                sum(vector[a].item() * math.tanh(q[s, i, a] + k[s, j, a]) for a in range(6))
                for j in range(KEYS)
            ]
            total = sum(math.exp(x) for x in logits)
            want = sum(math.exp(x) / total * v[s, 0, j] for j, x in enumerate(logits))
            torch.testing.assert_close(got[s, 0, i], want)


@pytest.mark.parametrize("samples", [1, 2, 37])
def test_additive_chunks_agree_with_the_plain_formula(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnpipe.attention.scores._CHUNK_ELEMENTS", 5 * QUERIES * KEYS * 6)
    q, k, vector = tensors((samples, QUERIES, 6), (samples, KEYS, 6), (6,))
    want = torch.tanh(q[:, :, None] + k[:, None]) @ vector
    got = additive_scores(q, k, vector)(slice(0, QUERIES))
    torch.testing.assert_close(got[:, 0], want)


def test_pooling_matches_softmax_over_steps() -> None:
    scores, v = tensors((SAMPLES, KEYS), (SAMPLES, 1, KEYS, DIM))
    got = attend(pooling_scores(scores), v, everything(), **positions(queries=1))
    want = (scores.exp() / scores.exp().sum(1, keepdim=True))[:, :, None] * v[:, 0]
    torch.testing.assert_close(got[:, 0, 0], want.sum(1))


@pytest.mark.parametrize("query_block", [None, 2])
@pytest.mark.parametrize("kind", [*supports(), "with empty rows"])
def test_gradients_are_right_for_every_input(kind: str, query_block: int | None) -> None:
    q, k, vector = tensors((SAMPLES, QUERIES, 3), (SAMPLES, KEYS, 3), (3,))
    (v,) = tensors((SAMPLES, 1, KEYS, 2), seed=3)
    support = supports().get(kind)
    if support is None:
        support = supports()["ragged"]
        support[1, :, 2] = False

    def by_additive(*args: torch.Tensor) -> torch.Tensor:
        score = additive_scores(*args[:3])
        return attend(score, args[3], support, **positions(), query_block=query_block)

    def by_dot(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        score = scaled_dot_scores(q, k)
        return attend(score, v, support, **positions(), query_block=query_block)

    inputs = [t.requires_grad_() for t in (q, k, vector, v)]
    assert torch.autograd.gradcheck(by_additive, inputs)
    assert torch.autograd.gradcheck(by_dot, [q[:, None], k[:, None], v])


def test_queries_without_support_give_zeros_and_stop_gradients() -> None:
    q, k, v = (t.requires_grad_() for t in tensors(*[(2, 1, 3, DIM)] * 3))
    support = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    support[0, 0, 1] = False
    out = attend(scaled_dot_scores(q, k), v, support, **positions(3, 3))
    assert (out[0, 0, 1] == 0).all()
    assert (out[0, 0, 0] != 0).all()
    out.sum().backward()
    assert (q.grad[0, 0, 1] == 0).all()
    assert all(torch.isfinite(t.grad).all() for t in (q, k, v))


def test_keys_off_the_support_have_no_influence_whatever_their_logits() -> None:
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])
    support = supports()["padded keys"]
    clean = attend(scaled_dot_scores(q, k), v, support, **positions())
    hidden = ~support[:, 0, 0]
    k = k.masked_fill(hidden[:, None, :, None], 1e9)
    got = attend(scaled_dot_scores(q, k), v, support, **positions())
    assert torch.equal(got, clean)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_numbers_are_not_hidden(bad: float) -> None:
    scores, v = tensors((SAMPLES, KEYS), (SAMPLES, 1, KEYS, DIM))
    scores[1, 2] = bad
    got = attend(pooling_scores(scores), v, everything(), **positions(queries=1))
    assert torch.isnan(got[1]).all()
    assert torch.isfinite(got[[0, 2]]).all()


@pytest.mark.parametrize("query_block", [None, 1, 2, 3])
def test_observer_sees_the_exact_rows_with_their_positions(query_block: int | None) -> None:
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])
    q.requires_grad_()
    support = supports()["ragged"]
    seen = []

    class Look:
        def observe(self, layer: int, block) -> None:
            assert layer == 4
            seen.append(block)

    where = {**positions(), "layer": 4, "query_positions": torch.arange(QUERIES) + 10}
    with observing(Look()):
        out = attend(scaled_dot_scores(q, k), v, support, **where, query_block=query_block)
    logits = (q @ k.transpose(-1, -2) / 2.0).masked_fill(~support, -torch.inf)
    want = logits.softmax(-1).transpose(0, 1).detach()
    torch.testing.assert_close(torch.cat([b.weights for b in seen], 2), want)
    assert torch.equal(torch.cat([b.support for b in seen], 1), support[:, 0])
    assert torch.cat([b.query_positions for b in seen]).tolist() == list(range(10, 17))
    assert all(b.key_positions.tolist() == list(range(KEYS)) for b in seen)
    assert all(b.samples.tolist() == [0, 1, 2] for b in seen)
    assert not any(b.weights.requires_grad for b in seen)
    assert out.requires_grad
    off = ~torch.cat([b.support for b in seen], 1)
    assert (torch.cat([b.weights for b in seen], 2)[:, off] == 0).all()


def test_observing_does_not_change_a_bit_of_the_output() -> None:
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])

    class Look:
        def observe(self, layer: int, block) -> None:
            pass

    plain = attend(scaled_dot_scores(q, k), v, everything(), **positions())
    with observing(Look()):
        seen = attend(scaled_dot_scores(q, k), v, everything(), **positions())
    assert torch.equal(plain, seen)


def test_large_weights_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attnpipe.attention.attend._BLOCK_ELEMENTS", 2 * SAMPLES * HEADS * KEYS)
    q, k, v = tensors(*[(SAMPLES, HEADS, n, DIM) for n in (QUERIES, KEYS, KEYS)])
    asked = []
    inner = scaled_dot_scores(q, k)

    def score(rows: slice) -> torch.Tensor:
        asked.append(rows.stop - rows.start)
        return inner(rows)

    got = attend(score, v, everything(), **positions())
    assert asked == [2, 2, 2, 1]
    torch.testing.assert_close(got, scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize(("samples", "queries"), [(0, QUERIES), (SAMPLES, 0)])
def test_nothing_in_gives_nothing_out(samples: int, queries: int) -> None:
    q, k, v = tensors(*[(samples, HEADS, n, DIM) for n in (queries, KEYS, KEYS)])
    got = attend(scaled_dot_scores(q, k), v, everything(), **positions(queries=queries))
    assert got.shape == (samples, HEADS, queries, DIM)
