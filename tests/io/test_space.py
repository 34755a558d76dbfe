"""Room is asked for before work starts."""

import shutil

import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.space import RESERVE, check_space


@pytest.mark.parametrize(("free", "enough"), [(RESERVE + 500, True), (RESERVE + 499, False)])
def test_need_and_a_reserve_must_be_free(tmp_path, monkeypatch, free, enough):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    if enough:
        check_space(tmp_path, 500)
    else:
        with pytest.raises(UserError, match=r"the disk of '.*' has 67 MB free, but the model"):
            check_space(tmp_path, 500)
