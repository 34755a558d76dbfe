"""The table can be repeated from nothing, and says which code gave the verdicts it keeps."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.calibration import sweep, tabulate, train
from tests.calibration.cases import calibrated
from tests.calibration.judging import hash_of, judging, modules
from tests.calibration.train import fingerprint, made

from attnpipe.core.errors import UserError
from attnpipe.io.tensors import read_tensors, write_tensors

KEPT = "groups_005_009"
HERE = "groups_000_004"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of results with one chunk of `lag`; verdicts of two are kept, judged once."""
    trained = fingerprint(calibrated("lag"))
    document = {"case": "lag", "groups": [0], "fingerprint": trained}
    arrays = {name: np.ones((10, 4), np.float32) for name in ("model", "uniform", "E2")}
    write_tensors(
        tmp_path / "lag" / f"{HERE}.safetensors",
        arrays | {"trivial": np.full((10, 4), 2, np.float32)}, document,
    )  # fmt: skip
    looks = pl.DataFrame({"seed": range(10)})
    looks.write_parquet(tmp_path / "lag" / f"{HERE}.parquet")
    kept = pl.DataFrame(
        [("lag", chunk, n, "POSITIONAL", 1, trained, None) for chunk in (HERE, KEPT)
         for n in tabulate.SIZES],
        schema=train.stored().schema, orient="row",
    )  # fmt: skip
    kept.write_csv(tmp_path / "verdicts.csv")
    for module in (train, tabulate):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
        monkeypatch.setattr(module, "VERDICTS", tmp_path / "verdicts.csv")
    monkeypatch.setattr(tabulate, "TABLE", tmp_path / "table.csv")
    monkeypatch.setattr(tabulate, "ProcessPoolExecutor", threads)
    monkeypatch.setattr(tabulate, "judge", always_averaging)
    return tmp_path


def threads(workers: int, mp_context: object) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers)


def always_averaging(group: tabulate.Group) -> str:
    return "AVERAGING"


def tabulated(monkeypatch: pytest.MonkeyPatch, *options: str) -> pl.DataFrame:
    monkeypatch.setattr(sys, "argv", ["tabulate", "lag", *options])
    tabulate.main()
    return train.stored()


def test_verdicts_that_are_kept_stand_for_a_chunk_unless_all_is_made_anew(results: Path) -> None:
    document = {"case": "lag", "groups": [0], "fingerprint": fingerprint(calibrated("lag"))}
    kept, here, absent = (
        results / "lag" / f"{name}.safetensors" for name in (KEPT, HERE, "groups_010_014")
    )
    assert made(kept, document)
    assert not made(kept, document, anew=True)
    assert made(here, document, anew=True)  # resumable
    assert not made(here, document | {"fingerprint": "older"}, anew=True)
    assert not made(absent, document)


def test_what_is_here_is_judged_by_the_code_of_now_and_what_is_not_keeps_its_mark(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = tabulated(monkeypatch)
    assert set(of.filter(chunk=HERE).select("diagnosis", "judged").iter_rows()) == {
        ("AVERAGING", judging())
    }
    assert set(of.filter(chunk=KEPT).select("diagnosis", "judged").iter_rows()) == {
        ("POSITIONAL", None)
    }
    assert "3 groups keep verdicts of other judging code" in capsys.readouterr().err


def test_anew_nothing_is_kept_that_is_not_here(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = tabulated(monkeypatch, "--anew")
    assert of["chunk"].unique().to_list() == [HERE]
    assert of.filter(seeds=3)["groups"].to_list() == [3]  # three of three in one ten
    assert "keep" not in capsys.readouterr().err
    assert pl.read_csv(results / "table.csv")["groups"].to_list() == [3, 2, 1]


def test_the_code_that_judges_is_all_that_lies_between_losses_and_verdict() -> None:
    of = {name.removeprefix("attnpipe.") for name in modules()}
    assert {
        "aggregation.effects", "aggregation.contrast", "diagnosis.gates", "diagnosis.run",
        "diagnosis.predicates.verdict", "diagnosis.verdicts.table", "stats.two_way", "stats.ratio",
    } <= of  # fmt: skip
    assert not any(name.startswith(("training", "models", "figures", "report")) for name in of)


def test_a_comment_is_no_change_and_a_bound_is() -> None:
    source = 'def f(x):\n    """Doc."""\n    return x > 3\n'
    commented = source.replace('"""Doc."""', '"""Other."""  # why')
    assert hash_of([source]) == hash_of([commented])
    assert hash_of([source]) != hash_of([source.replace("3", "4")])
    assert hash_of([source]) != hash_of([source, source])


def test_what_the_sweep_draws_from_is_named_and_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "STORED", tmp_path / "effect.safetensors")
    loss = np.arange(8, dtype=np.float32).reshape(2, 4)
    arrays = {"model": loss, "uniform": loss + 1, "E2": loss + 2, "trivial": loss + 4}
    other = tmp_path / "recall" / "groups_000_000.safetensors"  # sorts first
    write_tensors(other, arrays, {"fingerprint": "other"})
    with pytest.raises(UserError, match=r"tests\.calibration\.train recall --groups 5 --anew"):
        sweep.store(tmp_path)
    write_tensors(tmp_path / sweep.SOURCE, arrays, {"fingerprint": "abc"})
    sweep.store(tmp_path)
    found, document = read_tensors(sweep.STORED, sealed=False)
    assert (document["source"], document["trained"]) == (str(sweep.SOURCE), "abc")
    np.testing.assert_array_equal(found["R1"], np.full((2, 4), 0.25))
    np.testing.assert_array_equal(found["E2"], np.full((2, 4), 0.5))
