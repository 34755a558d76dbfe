"""What a series must offer for the windows asked for: checks that are made twice.

Once before any job, as far as lengths are known, and once on the data.
"""

from typing import NoReturn

from attnpipe.core.errors import UserError
from attnpipe.schema.data import Windows


def require_windows(split: str, longest: int, windows: int, spec: Windows) -> None:
    """Raise a UserError unless a split can give the windows that a study needs.

    Parameters
    ----------
    split
        ``train``, ``validation`` or ``test``.
    longest
        Rows of its longest run without a break.
    windows
        Windows in it after striding.
    spec
        Window, lead, strides and probe size.
    """
    part = "training" if split == "train" else split
    need = spec.window + spec.lead
    if longest < need:
        shorten = "data.window or data.lead" if spec.lead > 1 else "data.window"
        raise UserError(
            f"data.window={spec.window} with data.lead={spec.lead} needs {need} rows without a "
            f"break, but the longest run in the {part} data has {longest}; shorten {shorten}, "
            "or give more data"
        )
    if split == "validation" and windows < spec.probe_samples:
        raise UserError(
            f"data.probe_samples={spec.probe_samples} but validation has only {windows} windows; "
            "lower data.probe_samples or data.evaluation_stride, or raise "
            "data.validation_fraction"
        )


def require_units(test_rows: int, hours: float, rows_per_hour: float) -> None:
    """Raise a UserError unless a single series' test data fill two units.

    Parameters
    ----------
    test_rows
        Rows of the test data.
    hours
        Length of a unit (`data.unit_hours`).
    rows_per_hour
        Rate of the series.
    """
    covered = test_rows / rows_per_hour
    if covered < 1.5 * hours:  # the last one may be half filled
        raise UserError(
            f"data.unit_hours={hours:g} but the test data cover {covered:.4g} hours, so that "
            "there would be fewer than two units; lower data.unit_hours or raise "
            "data.test_fraction"
        )


def refuse_unfilled_unit(covered: int, block_rows: int, *, by_time: bool) -> NoReturn:
    """Raise the UserError for test data of which no sequence fills half a unit.

    Parameters
    ----------
    covered
        Rows that the longest test sequence covers.
    block_rows
        Rows of a unit.
    by_time
        Whether there is one series, split by time: only then can its test part be longer.
    """
    cure = (
        "lower data.unit_hours or raise data.test_fraction"
        if by_time
        else "set data.unit_hours=null, so that each sequence is a unit, or lower it"
    )
    raise UserError(
        f"the longest test sequence covers {covered} rows, less than half of the {block_rows} rows "
        f"of a unit (data.unit_hours); {cure}"
    )


def block_rows(hours: float, rate_hz: float) -> int:
    """Return the rows of a unit (`data.unit_hours`) at so many rows per second."""
    return max(1, round(hours * 3600 * rate_hz))


def refuse_single_unit() -> NoReturn:
    """Raise the UserError for a single series without blocks."""
    raise UserError(
        "data.unit_hours is null but there is one series only, so that the test would be one "
        "unit; set data.unit_hours to the length of a block whose mean counts as one value"
    )
