"""Rows of generated tokens, computed with a cache, are those of one pass over the whole text."""

import numpy as np
import pytest
import torch
from benchmarks.architectures import batch, build
from benchmarks.comparing.observed import Kept, observe
from benchmarks.comparing.rows import by_sample, metrics
from transformers import PreTrainedModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block

NEW = 5


def generated(
    model: PreTrainedModel, inputs: dict[str, torch.Tensor], **options
) -> tuple[torch.Tensor, dict[int, list[Block]]]:
    """Return the whole token sequences, and the blocks of all steps."""
    kept = Kept()
    with adapted(model), observing(kept):
        out = model.generate(
            **inputs, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, **options
        )
    return out, kept.blocks


def rows(blocks: list[Block], sample: int) -> dict[int, dict[int, torch.Tensor]]:
    """Return query position → key position → weights of all heads, of keys in the support."""
    found: dict = {}
    for block in blocks:
        if sample not in block.samples:
            continue
        at = block.samples.tolist().index(sample)
        support = block.support[at if len(block.support) > 1 else 0]
        for i, query in enumerate(block.query_positions.tolist()):
            seen = support[i if len(support) > 1 else 0]
            keys = block.key_positions[seen].tolist()
            weights = block.weights[:, at, i, seen]
            if keys:
                assert query not in found, "a row came twice"
                found[query] = dict(zip(keys, weights.unbind(-1), strict=True))
    return found


def same(left: dict, right: dict) -> None:
    assert left.keys() == right.keys()
    for query, keys in left.items():
        assert keys.keys() == right[query].keys()
        for key, weight in keys.items():
            torch.testing.assert_close(weight, right[query][key], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(("texts", "cache"), [((0,), None), ((0,), "static"), ((0, 1, 2), None)])
@pytest.mark.parametrize("name", ["Llama", "GPT-2", "Mistral", "Gemma 2"])
def test_decoder(name: str, texts: tuple[int, ...], cache: str | None) -> None:
    model = build(name)
    inputs = batch(name, texts, side="left")
    inputs.pop("position_ids")
    options = {"cache_implementation": cache} if cache else {}
    if name == "Gemma 2" and len(texts) > 1:
        model = build(name, torch.float32)  # its own float64 eager makes padding NaN
    out, steps = generated(model, inputs, disable_compile=True, **options)
    whole = out[:, :-1]  # the last token is never read
    mask = torch.nn.functional.pad(inputs["attention_mask"], (0, NEW - 1), value=1)
    kept = Kept()
    read = {"input_ids": whole, "attention_mask": mask}
    read["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    _, sites = observe(model, read, kept)
    lengths = mask.sum(1).tolist()
    for site in sites:
        for sample, length in enumerate(lengths):
            once = rows(kept.blocks[site.index], sample)
            assert sorted(once) == list(range(length))
            same(rows(steps[site.index], sample), once)


@pytest.mark.parametrize("name", ["T5", "BART"])
def test_encoder_decoder(name: str) -> None:
    model, inputs = build(name), batch(name)
    given = {k: inputs[k] for k in ("input_ids", "attention_mask")}
    options = {} if name == "T5" else {"forced_eos_token_id": None}
    out, steps = generated(model, given, **options)
    kept = Kept()
    _, sites = observe(model, given | {"decoder_input_ids": out[:, :-1]}, kept)
    for site in sites:
        for sample in range(3):
            once = rows(kept.blocks[site.index], sample)
            read = int(given["attention_mask"][sample].sum())
            assert len(once) == (NEW if "decoder" in site.name else read)
            same(rows(steps[site.index], sample), once)


def test_generated_rows_have_the_metrics_of_one_pass() -> None:
    model = build("Llama")
    inputs = batch("Llama", (1,))
    out, steps = generated(model, inputs)
    kept = Kept()
    observe(model, {"input_ids": out[:, :-1]}, kept)
    (once,) = by_sample(kept.blocks[1])
    want = metrics(once)
    for block in steps[1]:
        at = block.query_positions.tolist()
        for name, value in metrics(block).items():
            np.testing.assert_allclose(value, want[name][..., at], rtol=1e-6, atol=1e-6)
