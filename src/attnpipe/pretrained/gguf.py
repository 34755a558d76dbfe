"""From one GGUF file of the Llama architecture to the layout of Hugging Face.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Quantised weights are
multiplied out to float32, which loses nothing further.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor
from gguf.quants import dequantize
from jaxtyping import Float32
from safetensors.numpy import save_file

from attnpipe.core.errors import UserError
from attnpipe.io.space import check_space
from attnpipe.pretrained.document import write_document
from attnpipe.pretrained.files import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    write_tokenizer,
)
from attnpipe.pretrained.gguf_config import llama_config
from attnpipe.pretrained.gguf_layout import check_layout
from attnpipe.pretrained.gguf_metadata import CURE, INSTEAD, Metadata
from attnpipe.pretrained.gguf_tokenizer import make_tokenizer, tokenizer_config

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TENSOR = re.compile(r"(?:blk\.(?P<layer>\d+)\.)?(?P<part>[a-z_]+)\.weight")


def convert_gguf(path: Path, folder: Path) -> dict[str, Any]:
    """Write config, weights and tokenizer of a GGUF file into a folder.

    Parameters
    ----------
    path
        The GGUF file.
    folder
        Exists already; takes `config.json`, `model.safetensors` (float32), `tokenizer.json`
        and `tokenizer_config.json`.

    Returns
    -------
    dict
        What the file says of itself: ``licence``, and ``quantisation``, the formats of its
        numbers.

    Raises
    ------
    UserError
        The file is damaged, or its architecture, tokenizer or number format is not
        supported, or the disk has no room.
    """
    metadata, tensors = _read(path)
    config = llama_config(metadata, tied=all(t.name != "output.weight" for t in tensors))
    tokenizer = make_tokenizer(metadata)
    check_space(folder, 4 * sum(int(t.n_elements) for t in tensors))
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    save_file(
        {target(t.name, path): _values(t, heads, path) for t in tensors},
        folder / WEIGHTS,
        metadata={"format": "pt"},
    )
    write_document(folder / CONFIG, config)
    write_tokenizer(folder / TOKENIZER, tokenizer)
    write_document(folder / TOKENIZER_CONFIG, tokenizer_config(metadata))
    return {
        "licence": metadata.get("general.license"),
        "quantisation": sorted({t.tensor_type.name for t in tensors}),
    }


def _read(path: Path) -> tuple[Metadata, list[ReaderTensor]]:
    check_layout(path)
    try:
        reader = GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
    except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UserError(f"'{path}' is no whole GGUF file ({reason}); {CURE}") from None
    return Metadata(path, fields), reader.tensors


def target(name: str, path: Path) -> str:
    """Return a tensor's name in transformers.

    Raises
    ------
    UserError
        The tensor belongs to a variant that is not known here.
    """
    match = TENSOR.fullmatch(name)
    if match is None or match["part"] not in NAMES:
        raise UserError(f"'{path}' holds the tensor '{name}', which no plain Llama has; {INSTEAD}")
    prefix = "" if match["layer"] is None else f"model.layers.{match['layer']}."
    return f"{prefix}{NAMES[match['part']]}.weight"


def _values(
    tensor: ReaderTensor, heads: Mapping[str, int], path: Path
) -> Float32[np.ndarray, "..."]:
    try:
        values = dequantize(tensor.data, GGMLQuantizationType(tensor.tensor_type))
    except NotImplementedError:
        raise UserError(
            f"tensor '{tensor.name}' in '{path}' is quantised as {tensor.tensor_type.name}, "
            "which cannot be read; give a file in F32, F16, BF16, Q8_0, Q4_0, Q4_1 or K-quants"
        ) from None
    values = values.astype(np.float32, copy=False)
    count = heads.get(tensor.name.split(".")[-2])
    if count is None:
        return values
    if values.ndim != 2 or values.shape[0] % (2 * count):
        raise UserError(
            f"tensor '{tensor.name}' in '{path}' has shape {values.shape}, which does not hold "
            f"{count} heads; {CURE}"
        )
    return unpermute(values, count)


def unpermute(rows: Float32[np.ndarray, "out in"], heads: int) -> Float32[np.ndarray, "out in"]:
    """Return query or key rows in transformers' order.

    GGUF pairs the rows of a head that rotate together as (0, 1), (2, 3), …; transformers as
    (i, i + width/2): undo ``permute`` of llama.cpp's ``conversion/llama.py``.
    """
    out, inner = rows.shape
    pairs = rows.reshape(heads, out // heads // 2, 2, inner)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(out, inner))
