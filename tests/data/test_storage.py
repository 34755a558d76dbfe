"""A prepared dataset survives being stored."""

import json
from dataclasses import fields

import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.data.prepare import prepare
from attnpipe.data.storage import from_tensors, to_tensors
from attnpipe.io.tensors import read_tensors, write_tensors
from attnpipe.schema.data import SteeringData


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = SteeringData(
        kind="steering",
        name="s",
        window=20,
        segments=10,
        segment_seconds=20.0,
        probe_samples=8,
        lead=1,
    )
    return prepare(spec, cache=tmp_path_factory.mktemp("cache"))


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict) and any(isinstance(v, np.ndarray) for v in a.values()):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def test_everything_comes_back_through_a_file(dataset, tmp_path):
    path = tmp_path / "s.safetensors"
    write_tensors(path, *to_tensors(dataset))
    back = from_tensors(*read_tensors(path, sealed=False))
    for field in fields(dataset):
        assert same(getattr(dataset, field.name), getattr(back, field.name)), field.name


def test_document_is_plain_json(dataset):
    _, document = to_tensors(dataset)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_preparing_twice_gives_the_same_bytes(dataset, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    again = prepare(
        SteeringData(
            kind="steering",
            name="s",
            window=20,
            segments=10,
            segment_seconds=20.0,
            probe_samples=8,
            lead=1,
        ),
        cache=tmp_path,
    )
    for path, one in zip(paths, (dataset, again), strict=True):
        write_tensors(path, *to_tensors(one))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("lost", ["features", "split.test", "window"])
def test_missing_parts_are_named(dataset, lost):
    arrays, document = to_tensors(dataset)
    arrays.pop(lost, None)
    document.pop(lost, None)
    with pytest.raises(UserError, match=f"the prepared data lack '{lost}'"):
        from_tensors(arrays, document)
