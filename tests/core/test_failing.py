"""What a model's own code raises is its outcome; what the machine does is not."""

import pytest

from attnpipe.core.errors import UserError
from attnpipe.core.failing import reason_of_failure

RUN = "model 'lstm', seed 7"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("shapes do\nnot  match."), "ValueError: shapes do not match (model"),
        (ZeroDivisionError(), "ZeroDivisionError (model"),
    ],
)
def test_a_failure_is_one_sentence_that_names_run_and_cure(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = reason_of_failure(error, RUN)
    assert reason.startswith(said)
    assert reason.endswith(f"({RUN}): mend its code or take it out of the study")
    assert "\n" not in reason
    assert type(error).__name__ in capsys.readouterr().err  # the traceback, for who mends it


@pytest.mark.parametrize(
    "error",
    [
        UserError("a file is damaged"),
        OSError(28, "No space left on device"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_troubles_of_machine_and_data_fail_the_job_instead(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        reason_of_failure(error, RUN)
    assert raised.value is error
