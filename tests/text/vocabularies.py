"""Small tokenizers of the kinds that pretrained models have."""

import re
from functools import lru_cache

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "What is 15 plus 27? What is 3 plus 4? What is 10 plus 5?",
    "Let's think step by step.\n\nYou are an expert mathematician.\n\n",
    "Question: What is 15 plus 27?\nAnswer: 42\n\nQ: What is 30 minus 12?\nA: 18",
] * 3


@lru_cache
def byte_level() -> Tokenizer:
    """Byte pairs, each digit alone, with a BOS: as SmolLM2's, plus the BOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


@lru_cache
def whole_numbers() -> Tokenizer:
    """Whole words and numbers, each sign and space alone: a number is one token."""
    words = dict.fromkeys(piece for line in LINES for piece in re.findall(r"\w+|\W", line))
    numbers = [str(number) for number in range(100)]
    vocabulary = dict.fromkeys(["[UNK]", *words, *numbers])
    ids = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|\W"), "isolated")
    return tokenizer


@lru_cache
def byte_level_trimmed() -> Tokenizer:
    """Byte pairs whose offsets leave out leading spaces: as RoBERTa's."""
    tokenizer = Tokenizer.from_str(byte_level().to_str())
    special = [(tokenizer.token_to_id("<|im_end|>"), "<|im_end|>"), (0, "<s>")]
    sep, cls = ((text, index) for index, text in special)
    tokenizer.post_processor = processors.RobertaProcessing(sep, cls, trim_offsets=True)
    return tokenizer


@lru_cache
def word_piece() -> Tokenizer:
    """Lower-case pieces of words between CLS and SEP: as BERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=80, special_tokens=names, show_progress=False, continuing_subword_prefix="##"
    )
    tokenizer.train_from_iterator(LINES, trainer)
    ids = [(name, tokenizer.token_to_id(name)) for name in names[1:]]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ids
    )
    return tokenizer


@lru_cache
def sentence_piece() -> Tokenizer:
    """Byte pairs over words that begin with ``▁``, unknown characters as bytes: as Llama's."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.train_from_iterator([line.replace("\n", " ") for line in LINES], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


ALL = {
    "byte_level": byte_level,
    "word_piece": word_piece,
    "sentence_piece": sentence_piece,
}
