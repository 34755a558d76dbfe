"""Colour bars with plain numbers."""

import math

from matplotlib.colorbar import Colorbar


def label_bar(bar: Colorbar, *, log: bool, ends: bool = False) -> None:
    """Label a colour bar: powers of ten on a logarithmic scale, or the ends of its scale.

    Parameters
    ----------
    log
        Whether the scale is logarithmic.
    ends
        Whether only the ends are labelled; so they are where fewer than two powers lie inside.
    """
    low, high = bar.norm.vmin, bar.norm.vmax
    assert low is not None  # the scale was given
    assert high is not None
    ticks = [low, high] if ends else []
    if log and not ends:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        ticks = [10.0**power for power in powers]
        ticks = ticks if len(ticks) > 1 else [low, high]
    if ticks:
        bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
        bar.minorticks_off()
    bar.outline.set_visible(False)
