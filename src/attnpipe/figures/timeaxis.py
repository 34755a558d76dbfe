"""The axis of key positions: in steps, and in time before the window's last input."""

import math

from matplotlib.axes import Axes

from attnpipe.figures.context import FigureContext


def stride(window: int, most: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … that gives at most `most` ticks."""
    for power in range(12):
        for digit in (1, 2, 5):
            step = digit * int(10**power)
            if math.ceil(window / step) <= most:
                return step
    return window


def label_keys(ax: Axes, context: FigureContext, window: int, *, most: int = 5) -> None:
    """Mark key positions, counted back from the newest, with the time below the step."""
    step = stride(window, most)
    ticks = list(range(window - 1, -1, -step))
    ax.set_xticks(ticks)
    ax.set_xticklabels([_label(context, t, window) for t in ticks])
    ax.set_xlim(-0.5, window - 0.5)


def _label(context: FigureContext, key: int, window: int) -> str:
    if not context.step_unit:
        return f"{key}"
    back = (window - 1 - key) * context.step_value
    return f"{key}\n{'−' if back else ''}{back:g} {context.step_unit}"


def key_axis_name(context: FigureContext, window: int) -> str:
    """Return the axis label that goes with `label_keys`."""
    name = f"key position (0 = oldest, {window - 1} = newest)"
    return f"{name}, and time before the newest" if context.step_unit else name
