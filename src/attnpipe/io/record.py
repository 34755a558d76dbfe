"""Attention records and probes on disk: `attention.safetensors` and `probe.json`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.core.record import LayerRecord, Probe
from attnpipe.io.json import read_json, write_json
from attnpipe.io.tensors import TensorFile, open_tensors, write_tensors

ARRAYS = ("weights", "support", "query_positions", "key_positions", "samples")
AXES = {
    "weights": ["head", "sample", "query", "key"],
    "support": ["sample", "query", "key"],
    "query_positions": ["query"],
    "key_positions": ["key"],
    "samples": ["sample"],
}


def write_records(path: Path, records: Sequence[LayerRecord]) -> None:
    """Write records; a tensor's name is ``<checkpoint>/<layer>/<array>``."""
    arrays: dict[str, np.ndarray] = {}
    for record in records:
        prefix = f"{record.checkpoint}/{record.layer}"
        arrays |= {f"{prefix}/{name}": np.asarray(getattr(record, name)) for name in ARRAYS}
        for fold, state in record.states.items():
            arrays |= {f"{prefix}/state/{fold}/{key}": array for key, array in state.items()}
    order = [[record.checkpoint, record.layer] for record in records]
    write_tensors(path, arrays, {"schema": 1, "axes": AXES, "records": order})


def read_records(path: Path, only: Collection[str] | None = None) -> Iterator[LayerRecord]:
    """Yield the records of a file in order, those of the checkpoints `only` if given.

    One record is in memory at a time.
    """
    with open_tensors(path) as file:
        for checkpoint, layer in file.document["records"]:
            if only is None or checkpoint in only:
                yield _record(file, checkpoint, layer)


def _record(file: TensorFile, checkpoint: str, layer: int) -> LayerRecord:
    prefix = f"{checkpoint}/{layer}/"
    states: dict[str, dict[str, np.ndarray]] = {}
    for name in file.names:
        if name.startswith(f"{prefix}state/"):
            fold, _, key = name.removeprefix(f"{prefix}state/").partition("/")
            states.setdefault(fold, {})[key] = file[name]
    arrays = {name: file[prefix + name] for name in ARRAYS}
    return LayerRecord(checkpoint, layer, states=states, **arrays)


def write_probe(path: Path, probe: Probe) -> None:
    """Write a probe as JSON."""
    document: dict[str, Any] = {f.name: getattr(probe, f.name) for f in fields(probe)}
    document["halves"] = [int(half) for half in probe.halves]
    document["averaged_over"] = list(probe.averaged_over)
    shares = probe.null_shares.items()
    document["null_shares"] = {str(layer): list(of) for layer, of in shares}
    document["tokens"] = None if probe.tokens is None else probe.tokens.tolist()
    write_json(path, document)


def read_probe(path: Path) -> Probe:
    """Return a sealed probe."""
    document = read_json(path)
    document["halves"] = np.asarray(document["halves"], dtype=np.int64)
    document["averaged_over"] = tuple(document["averaged_over"])
    shares = document["null_shares"].items()
    document["null_shares"] = {int(layer): of for layer, of in shares}
    if document["tokens"] is not None:
        document["tokens"] = np.asarray(document["tokens"], dtype=np.int64)
    return Probe(**document)
