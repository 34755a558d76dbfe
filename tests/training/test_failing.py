"""A model whose code raises is a failed run; trouble of the machine is not."""

import pytest

from attnpipe.core.errors import UserError
from attnpipe.training import run as training
from attnpipe.training.run import train


def raising(error: Exception):
    def build(*_: object, **__: object) -> None:
        raise error

    return build


def test_what_a_model_raises_is_the_outcome_in_one_sentence(
    make_dataset, make_model, make_training, monkeypatch, capsys
) -> None:
    error = RuntimeError("shapes\n do not fit.")
    monkeypatch.setattr(training, "build_model", raising(error))
    run = train(make_dataset(), make_model(), make_training(), 7, name="m")
    assert run.outcome.outcome == "failed"
    assert run.outcome.reason == (
        "RuntimeError: shapes do not fit (model 'm', seed 7): mend its code or take it out of "
        "the study"
    )
    assert (run.checkpoints, run.outcome.checkpoints) == ({}, ())
    assert (len(run.history), len(run.evaluation)) == (0, 0)
    assert "Traceback" in capsys.readouterr().err, "whoever wrote the model sees where it raised"


@pytest.mark.parametrize(
    "error",
    [
        UserError("the data hold nan; mend them"),
        OSError(28, "No space left on device"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_trouble_of_data_and_machine_fails_the_job(
    make_dataset, make_model, make_training, monkeypatch, error: Exception
) -> None:
    monkeypatch.setattr(training, "build_model", raising(error))
    with pytest.raises(type(error)) as raised:
        train(make_dataset(), make_model(), make_training(), 7, name="m")
    assert raised.value is error
