"""All texts of a study: tables, limits, and back to the texts of a model."""

import json

import numpy as np
import polars as pl
import pytest
from tests.text.vocabularies import byte_level, word_piece

from attnpipe.core.errors import UserError
from attnpipe.schema.text import PromptsData, SentencesData
from attnpipe.tables.text import SPANS, TEXTS, TOKENS
from attnpipe.text.conditions import variant_label
from attnpipe.text.reading import model_texts, token_table
from attnpipe.text.study import study_texts
from attnpipe.text.tokens import load_tokenizer

PROMPTS = PromptsData(kind="prompts", name="prompts", questions=3, shots=[0, 1, 2])


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """As many candidates as these few questions need: counting their tokens takes seconds."""
    monkeypatch.setattr("attnpipe.text.arithmetic.POOL", 100)


def folder(path, tokenizer, **config):
    path.mkdir()
    (path / "tokenizer.json").write_text(tokenizer.to_str())
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.fixture
def models(tmp_path):
    return {
        "bytes": folder(tmp_path / "bytes", byte_level(), max_position_embeddings=512),
        "words": folder(tmp_path / "words", word_piece()),
    }


def prepared(models, spec=PROMPTS, **limits):
    return study_texts(spec, models, {m: limits.get(m) for m in models})


def test_every_question_is_asked_in_every_variant_of_every_model(models):
    study = prepared(models)
    assert list(study.texts.columns) == list(TEXTS.columns)
    assert list(study.spans.columns) == list(SPANS.columns)
    variants = ["plain", "1_shot", "2_shot", "cot", "expert", "structured"]
    assert sorted(study.description["variants"]) == sorted(variants)
    assert study.description["questions"] == 3
    assert study.description["available"] >= 3
    asked = study.texts.group_by("model", "question").agg(pl.col("variant").sort())
    assert asked["variant"].to_list() == [sorted(variants)] * 6
    for row in study.texts.iter_rows(named=True):
        assert int(row["answer"]) == row["first"] + row["second"]
        assert f"{row['first']} {row['operation']} {row['second']}" in row["text"]
    per_model = study.texts.partition_by("model", include_key=False)
    assert per_model[0].equals(per_model[1]), "raw prompts are the same for all models"


def test_spans_are_the_characters_they_name_and_keywords_without_a_hit_are_rows(models):
    study = prepared(models)
    texts = {(r["model"], r["item"]): r for r in study.texts.iter_rows(named=True)}
    missed = study.spans.filter(pl.col("start").is_null())
    assert missed["occurrence"].null_count() == missed.height > 0
    for row in study.spans.filter(pl.col("start").is_not_null()).iter_rows(named=True):
        text = texts[row["model"], row["item"]]
        piece = text["text"][row["start"] : row["end"]]
        if row["span"] == "operand_1":
            assert piece == str(text["first"])
        if row["span"].startswith("keyword: "):
            assert piece.lower() == row["span"].removeprefix("keyword: ").lower()
    for row in missed.iter_rows(named=True):
        word = row["span"].removeprefix("keyword: ").lower()
        assert word not in texts[row["model"], row["item"]]["text"].lower().split()


def test_tables_give_back_the_texts_as_the_model_reads_them(models):
    study = prepared(models)
    tokenizer = load_tokenizer(models["bytes"])
    texts = model_texts("bytes", study.texts, study.spans, tokenizer)
    assert [t.item for t in texts] == list(range(18))
    first = texts[0]
    assert tokenizer.encode(first.tokens.text).ids == first.tokens.ids.tolist()
    assert first.asked.answer == int(study.texts["answer"][0])
    table = token_table("bytes", texts, tokenizer)
    assert list(table.columns) == list(TOKENS.columns)
    mine = table.filter(pl.col("item") == 0)
    assert mine["special"].to_list() == [True] + [False] * (len(mine) - 1)
    spanned = mine.filter(pl.col("spans").str.contains("operand_1"))
    joined = "".join(first.tokens.text[r["start"] : r["end"]] for r in spanned.to_dicts())
    assert joined.strip() == str(study.texts["first"][0])
    for text in texts:
        for span in text.tokens.spans:
            offsets = text.tokens.offsets[span.tokens]
            assert np.all(offsets[:, 0] < span.span.end)
            assert np.all(offsets[:, 1] > span.span.start)


def test_sentences_are_texts_without_questions(models):
    spec = SentencesData(kind="sentences", name="s", count=5, min_tokens=5, max_tokens=200)
    study = prepared({"bytes": models["bytes"]}, spec)
    assert study.texts["variant"].to_list() == ["sentences"] * 5
    assert study.texts["question"].to_list() == list(range(5))
    assert study.texts["answer"].null_count() == 5
    assert study.spans.is_empty()
    texts = model_texts("bytes", study.texts, study.spans, load_tokenizer(models["bytes"]))
    assert all(t.asked is None and not t.tokens.spans for t in texts)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"bytes": 12}, "12 positions; shorten the prompt"),
        ({"bytes": 900}, "models.bytes.max_length is 900, but the model has 512 positions"),
    ],
)
def test_texts_that_do_not_fit_are_refused(models, limits, sentence):
    with pytest.raises(UserError, match=sentence):
        prepared(models, **limits)


def test_a_model_with_too_few_positions_is_refused(tmp_path):
    short = {"short": folder(tmp_path / "short", byte_level(), n_positions=16)}
    with pytest.raises(UserError, match="16 positions"):
        prepared(short)
    roberta = {"max_position_embeddings": 20, "model_type": "roberta"}
    model = {"r": folder(tmp_path / "r", byte_level(), **roberta)}
    with pytest.raises(UserError, match="18 positions"):
        prepared(model)


@pytest.mark.parametrize(("new_tokens", "room"), [(8, 8), (1, None)])
def test_prompts_leave_room_for_what_is_written_and_for_the_right_answer(
    tmp_path, new_tokens, room
):
    plain = {"max_new_tokens": None}
    variants = {n: v.model_copy(update=plain) for n, v in PROMPTS.variants.items()}
    spec = PROMPTS.model_copy(update={"max_new_tokens": new_tokens, "variants": variants})
    free = folder(tmp_path / "free", byte_level())
    study = prepared({"free": free}, spec)
    tokenizer = load_tokenizer(free)
    texts = model_texts("free", study.texts, study.spans, tokenizer)
    needed = max(
        len(t.tokens.ids)
        + (room or len(tokenizer.encode(f" {t.asked.answer}", add_special_tokens=False).ids))
        for t in texts
    )
    enough = folder(tmp_path / "enough", byte_level(), n_positions=needed)
    assert prepared({"m": enough}, spec).texts.height == len(texts)
    short = folder(tmp_path / "short", byte_level(), n_positions=needed - 1)
    sentence = rf"tokens and its answer up to \d+, the model has {needed - 1} positions; shorten"
    with pytest.raises(UserError, match=sentence):
        prepared({"m": short}, spec)


def test_examples_shorten_answers_and_variants_may_lengthen_them(models):
    variants = {"plain": {"max_new_tokens": 40}, "cot": {"instruction": "Think."}}
    spec = PromptsData.model_validate(
        PROMPTS.model_dump() | {"variants": variants, "max_new_tokens": 9, "min_new_tokens": 2}
    )
    study = prepared(models, spec)
    most = {"plain": 40, "1_shot": 9, "2_shot": 9, "cot": 9}
    assert dict(study.texts.select("variant", "max_new_tokens").unique().iter_rows()) == most
    assert set(study.texts["min_new_tokens"]) == {2}
    tokenizer = load_tokenizer(models["words"])
    for text in model_texts("words", study.texts, study.spans, tokenizer):
        assert (text.least, text.most) == (2, most[text.variant])


def test_the_longest_answer_of_a_variant_must_have_room(tmp_path):
    spec = PROMPTS.model_copy(update={"max_new_tokens": 8})
    sentence = r"its answer up to 80, the model has 90 positions; shorten"
    with pytest.raises(UserError, match=sentence):
        prepared({"m": folder(tmp_path / "m", byte_level(), n_positions=90)}, spec)


@pytest.mark.parametrize(
    ("variant", "shots", "label"),
    [("plain", 0, "plain"), ("plain", 2, "2_shot"), ("cot", 0, "cot"), ("cot", 4, "cot_4_shot")],
)
def test_labels_of_variants(variant, shots, label):
    assert variant_label(variant, shots) == label
