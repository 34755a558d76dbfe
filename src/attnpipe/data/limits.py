"""Whether a series is long enough for the windows asked for: one check, used twice."""

from attnpipe.core.errors import UserError
from attnpipe.schema.data import Windows


def require_windows(split: str, longest: int, windows: int, spec: Windows) -> None:
    """Raise a UserError unless a split can give the windows that a study needs.

    Parameters
    ----------
    split
        Name of the split.
    longest
        Rows of its longest run without a break.
    windows
        Windows in it after striding.
    spec
        Window, lead, strides and probe size.
    """
    need = spec.window + spec.lead
    if longest < need:
        raise UserError(
            f"data.window={spec.window} with data.lead={spec.lead} needs {need} rows without a "
            f"break, but the longest run in the {split} data has {longest}; shorten data.window "
            "or give more data"
        )
    if split == "validation" and windows < spec.probe_samples:
        raise UserError(
            f"data.probe_samples={spec.probe_samples} but validation has only {windows} windows; "
            "lower data.probe_samples or data.evaluation_stride, or raise "
            "data.validation_fraction"
        )
