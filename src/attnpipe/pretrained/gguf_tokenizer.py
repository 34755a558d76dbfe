"""The tokenizer inside a GGUF file, as one of the library `tokenizers`."""

from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence
from tokenizers.processors import TemplateProcessing

from attnpipe.core.errors import UserError
from attnpipe.pretrained.gguf_metadata import CURE, INSTEAD, Metadata

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
ROLES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}

# How text is cut before pairs are merged, by `tokenizer.ggml.pre`. Both cut as GPT-2 does;
# smollm takes every digit alone.
CUTS: dict[str, Callable[[bool], PreTokenizer]] = {
    "gpt-2": lambda space: ByteLevel(add_prefix_space=space),
    "smollm": lambda space: Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=space)]
    ),
}


def make_tokenizer(metadata: Metadata) -> Tokenizer:
    """Return the byte-level BPE tokenizer that the metadata describe.

    Raises
    ------
    UserError
        Another kind of tokenizer, or an incomplete one.
    """
    kind, cut = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if kind != "gpt2" or cut not in CUTS:
        raise UserError(
            f"'{metadata.path}' has a tokenizer of kind '{kind}' with pre-tokenizer '{cut}', but "
            f"from GGUF only 'gpt2' with {' or '.join(map(repr, CUTS))} is converted; {INSTEAD}"
        )
    tokens = metadata.texts("tokenizer.ggml.tokens")
    merges = [merge.partition(" ") for merge in metadata.texts("tokenizer.ggml.merges")]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    kinds = metadata.get("tokenizer.ggml.token_type")
    kinds = kinds if isinstance(kinds, list) else [NORMAL] * len(tokens)
    if len(vocabulary) != len(tokens) or len(kinds) != len(tokens):
        raise UserError(
            f"'{metadata.path}' has {len(tokens)} tokens, of which {len(vocabulary)} differ and "
            f"{len(kinds)} have a type; {CURE}"
        )
    try:
        tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[(a, b) for a, _, b in merges]))
    except Exception as error:  # the library raises plain exceptions only
        raise UserError(
            f"'{metadata.path}' has merges that do not fit its tokens ({error}); {CURE}"
        ) from None
    tokenizer.pre_tokenizer = CUTS[cut](bool(metadata.get("tokenizer.ggml.add_space_prefix")))
    tokenizer.decoder = ByteLevelDecoder()
    _add(tokenizer, tokens, kinds)
    _frame(tokenizer, tokens, metadata)
    return tokenizer


def _add(tokenizer: Tokenizer, tokens: list[str], kinds: list[int]) -> None:
    """Make tokens that are never cut: control tokens special, the user's own plain."""
    by_kind = {CONTROL: tokenizer.add_special_tokens, USER_DEFINED: tokenizer.add_tokens}
    for kind, add in by_kind.items():
        chosen = [t for t, k in zip(tokens, kinds, strict=True) if k == kind]
        add([AddedToken(t, special=kind == CONTROL, normalized=False) for t in chosen])


def _frame(tokenizer: Tokenizer, tokens: list[str], metadata: Metadata) -> None:
    """Let the tokenizer add the first and last token, if the file asks for them."""
    ids = {
        role: i
        for role in ("bos", "eos")
        if metadata.get(f"tokenizer.ggml.add_{role}_token")
        and (i := metadata.token_id(role)) is not None
    }
    if ids:
        texts = {role: tokens[i] for role, i in ids.items()}
        single = [texts.get("bos"), "$A", texts.get("eos")]
        tokenizer.post_processor = TemplateProcessing(
            single=[piece for piece in single if piece],
            pair=None,
            special_tokens=[(texts[role], i) for role, i in ids.items()],
        )


def tokenizer_config(metadata: Metadata) -> dict[str, Any]:
    """Return what stands beside the tokenizer: its special tokens, length and chat template."""
    tokens = metadata.texts("tokenizer.ggml.tokens")
    ids = {role: metadata.token_id(key) for role, key in ROLES.items()}
    template = metadata.get("tokenizer.chat_template")
    return {f"{role}_token": tokens[i] for role, i in ids.items() if i is not None} | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": metadata.count("llama.context_length"),
        "clean_up_tokenization_spaces": False,
        **({} if template is None else {"chat_template": template}),
    }
