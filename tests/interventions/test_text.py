"""Answers under replaced attention: against eager attention whose weights are edited by hand."""

import numpy as np
import polars as pl
import pytest
import torch
from tests.text.tiny_model import save_tiny_llama
from transformers.models.llama import modeling_llama

from attnpipe.core.errors import UserError
from attnpipe.extraction.text.batches import batches as text_batches
from attnpipe.interventions.text.run import intervene_texts, layer_groups
from attnpipe.pretrained.load import load_model
from attnpipe.schema.analysis import AnswerSpec
from attnpipe.schema.text import PromptsData
from attnpipe.tables.text import TEXT_INTERVENTIONS
from attnpipe.tasks.answers import answer_batches, answer_losses
from attnpipe.text.reading import model_texts
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

PROMPTS = PromptsData(kind="prompts", name="p", questions=6, shots=[0, 1])
VARIANT = "structured"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnpipe.text.arithmetic.POOL", 100)
        study = study_texts(PROMPTS, {"m": folder}, {"m": None})
    tokenizer = load_tokenizer(folder)
    texts = model_texts("m", study.texts, study.spans, tokenizer)
    model = load_model(folder, "causal_lm", "float64")
    options = AnswerSpec(variants=[VARIANT], layer_groups=2)
    return folder, texts, tokenizer, intervene_texts(model, "m", texts, tokenizer, options, 1024)


class Eager:
    """transformers' own eager attention, whose weights `edit` may replace."""

    def __init__(self, folder, monkeypatch) -> None:
        self.model = load_model(folder, "causal_lm", "float64")
        self.model.set_attn_implementation("eager")
        self.edit = lambda layer, weights: weights
        self.seen: dict[int, torch.Tensor] = {}
        monkeypatch.setattr(modeling_llama, "eager_attention_forward", self._attend)

    def _attend(self, module, query, key, value, attention_mask, scaling, **_):
        groups = module.num_key_value_groups
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
        logits = query @ key.transpose(2, 3) * scaling
        mask = torch.ones(logits.shape[-2:]).tril().bool()
        weights = logits.masked_fill(~mask, -torch.inf).softmax(-1)
        self.seen[module.layer_idx] = weights
        weights = self.edit(module.layer_idx, weights)
        return (weights @ value).transpose(1, 2).contiguous(), weights

    def losses(self, ids: np.ndarray, length: int) -> list[float]:
        with torch.inference_mode():
            logits = self.model(torch.from_numpy(ids), use_cache=False).logits
        p = logits.log_softmax(-1)
        found = []
        for row, tokens in enumerate(ids):
            places = range(len(tokens) - length, len(tokens))
            found.append(-float(np.mean([p[row, at - 1, tokens[at]].item() for at in places])))
        return found


def uniform(weights: torch.Tensor) -> torch.Tensor:
    n = weights.shape[-1]
    rows = torch.ones(n, n, dtype=weights.dtype).tril()
    return (rows / rows.sum(-1, keepdim=True)).expand(weights.shape)


def of(table: pl.DataFrame, intervention: str, layers: str | None, items) -> list[float]:
    rows = table.filter(
        (pl.col("intervention") == intervention) & pl.col("layers").eq_missing(pl.lit(layers))
    )
    by_item = dict(rows.select("item", "loss").iter_rows())
    return [by_item[item] for item in items]


def batches(made):
    _, texts, tokenizer, _ = made
    return list(answer_batches([t for t in texts if t.variant == VARIANT], tokenizer))


def test_only_the_variants_asked_for_are_there_each_text_once(made) -> None:
    _, texts, _, table = made
    assert table.schema == TEXT_INTERVENTIONS.schema
    assert set(table["variant"]) == {VARIANT}
    items = sorted(t.item for t in texts if t.variant == VARIANT)
    kinds = table.select("intervention", "layers").unique().rows()
    names = [(n, w) for n in ("uniform", "position_mean", "permuted") for w in ("all", "0", "1")]
    assert sorted(kinds, key=str) == sorted(
        [("intact", None), ("other_answer", None), *names], key=str
    )
    for name, layers in kinds:
        rows = table.filter(
            (pl.col("intervention") == name) & pl.col("layers").eq_missing(pl.lit(layers))
        )
        assert rows["item"].to_list() == items


def test_delta_is_what_the_model_as_it_is_does_not_lose(made) -> None:
    *_, table = made
    intact = dict(
        table.filter(pl.col("intervention") == "intact").select("item", "loss").iter_rows()
    )
    assert table["delta"].is_null().equals(table["loss"].is_null())
    assert table["delta"].is_null().any()
    known = table.filter(pl.col("loss").is_not_null())
    for row in known.iter_rows(named=True):
        assert row["delta"] == row["loss"] - intact[row["item"]], row
    assert (known.filter(pl.col("intervention") == "uniform")["delta"] != 0).all()


def test_intact_losses_and_those_of_other_answers(made, monkeypatch) -> None:
    folder, _, _, table = made
    eager = Eager(folder, monkeypatch)
    for batch in batches(made):
        items = [t.item for t in batch.texts]
        expected = eager.losses(batch.ids, batch.length)
        assert of(table, "intact", None, items) == pytest.approx(expected, abs=1e-9)
        if len(items) < 2:
            assert of(table, "other_answer", None, items) == [None]
            continue
        ids = batch.ids.copy()
        for row in range(len(ids)):
            after = [(row + k) % len(ids) for k in range(1, len(ids))]
            answers = batch.ids[:, -batch.length :].tolist()
            donor = next((d for d in after if answers[d] != answers[row]), None)
            if donor is None:
                ids[row] = -1
                continue
            ids[row, -batch.length :] = batch.ids[donor, -batch.length :]
        known = [row for row in range(len(ids)) if ids[row, 0] >= 0]
        expected = eager.losses(ids[known], batch.length)
        found = of(table, "other_answer", None, items)
        assert [found[row] for row in known] == pytest.approx(expected, abs=1e-9)
        assert all(found[row] is None for row in set(range(len(ids))) - set(known))


@pytest.mark.parametrize(("layers", "chosen"), [("all", {0, 1}), ("0", {0}), ("1", {1})])
def test_equal_weights_and_rows_of_other_questions(made, monkeypatch, layers, chosen) -> None:
    folder, _, _, table = made
    eager = Eager(folder, monkeypatch)
    edits = {"uniform": uniform, "permuted": lambda w: w.roll(-1, 0)}
    for batch in batches(made):
        if len(batch.texts) < 2:
            continue
        for name, edit in edits.items():
            eager.edit = lambda layer, w, edit=edit: edit(w) if layer in chosen else w
            expected = eager.losses(batch.ids, batch.length)
            items = [t.item for t in batch.texts]
            assert of(table, name, layers, items) == pytest.approx(expected, abs=1e-9), name


def test_mean_rows_are_those_of_the_other_half(made, monkeypatch) -> None:
    folder, _, _, table = made
    eager = Eager(folder, monkeypatch)
    for batch in batches(made):
        if len(batch.texts) < 4:
            items = [t.item for t in batch.texts]
            assert of(table, "position_mean", "all", items) == [None] * len(items)
            continue
        for own, other in ((0, 1), (1, 0)):
            eager.edit = lambda layer, w: w
            eager.losses(batch.ids[other::2], batch.length)
            means = {layer: w.mean(0, keepdim=True) for layer, w in eager.seen.items()}
            eager.edit = lambda layer, w, means=means: means[layer].expand(w.shape)
            expected = eager.losses(batch.ids[own::2], batch.length)
            items = [t.item for t in batch.texts[own::2]]
            assert of(table, "position_mean", "all", items) == pytest.approx(expected, abs=1e-9)


def test_mean_rows_of_long_texts_are_not_kept(made) -> None:
    folder, texts, tokenizer, table = made
    longest = max(batch.ids.shape[1] for batch in batches(made))
    model = load_model(folder, "causal_lm", "float64")
    options = AnswerSpec(variants=[VARIANT], layer_groups=2)
    told = []
    limited = intervene_texts(
        model, "m", texts, tokenizer, options, longest - 1, lambda *of: told.append(of)
    )
    assert told[-1] == ("scoring answers", len(limited), len(limited))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    for batch in batches(made):
        items = [text.item for text in batch.texts]
        for name in ("uniform", "permuted"):
            assert of(limited, name, "all", items) == of(table, name, "all", items)
        known = of(table, "position_mean", "all", items)
        if batch.ids.shape[1] == longest:
            known = [None] * len(items)
        assert of(limited, "position_mean", "all", items) == known


def test_long_texts_are_read_few_at_a_time(made, monkeypatch) -> None:
    _, texts, tokenizer, _ = made
    alone = [t for t in texts if t.variant == VARIANT]
    length = len(alone[0].tokens.ids)
    for tokens, largest in ((3 * length, 3), (length - 1, 1), (length * len(alone), len(alone))):
        groups = list(text_batches(alone, tokens=tokens))
        assert max(map(len, groups)) == largest
        assert sorted(t.item for g in groups for t in g) == sorted(t.item for t in alone)
    monkeypatch.setattr("attnpipe.tasks.answers.TOKENS", 1)
    assert max(len(b.texts) for b in answer_batches(texts, tokenizer, variants=[VARIANT])) <= 4


def test_removed_tokens_are_as_if_they_had_never_been_there(made, monkeypatch) -> None:
    folder, _, _, _ = made
    model = load_model(folder, "causal_lm", "float64")
    batch = batches(made)[0]
    n = batch.ids.shape[1]
    gone = {1, 3, 4}
    kept = np.array([p for p in range(n) if p not in gone])[None]
    eager = Eager(folder, monkeypatch)

    def hide(layer, weights):
        weights = weights.clone()
        weights[..., sorted(gone)] = 0
        return weights / weights.sum(-1, keepdim=True)

    eager.edit = hide
    expected = eager.losses(batch.ids, batch.length)
    assert answer_losses(model, batch, kept).tolist() == pytest.approx(expected, abs=1e-9)
    moved = answer_losses(model, batch, kept, keep_positions=False)
    assert abs(moved - expected).max() > 1e-6
    eager.edit = lambda layer, w: w
    again = eager.losses(np.ascontiguousarray(batch.ids[:, kept[0]]), batch.length)
    assert moved.tolist() == pytest.approx(again, abs=1e-9)


def test_a_model_whose_attention_does_not_act_is_refused(made) -> None:
    folder, texts, tokenizer, _ = made
    model = load_model(folder, "causal_lm")
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
    with pytest.raises(UserError, match=r"LlamaForCausalLM replaced by zero change its output by"):
        intervene_texts(model, "m", texts, tokenizer, AnswerSpec(variants=[VARIANT]), 1024)


def test_layers_are_grouped_evenly() -> None:
    assert list(layer_groups(30, 6)) == ["0-4", "5-9", "10-14", "15-19", "20-24", "25-29"]
    assert {k: list(v) for k, v in layer_groups(3, 6).items()} == {"0": [0], "1": [1], "2": [2]}
    assert layer_groups(12, 1) == {}
    assert layer_groups(1, 6) == {}  # one layer is the whole model
