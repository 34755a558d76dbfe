"""What the built-in sources hold: names, units, and the columns of steering logs."""

from attnpipe.data.series import Feature

GEOMAGNETIC_FEATURES = (
    Feature("RC_e", "nT"),
    Feature("RC_i", "nT"),
    Feature("RC_e rate", "nT/h"),
    Feature("RC_i rate", "nT/h"),
    Feature("season sine", "1"),
    Feature("season cosine", "1"),
    Feature("hour sine", "1"),
    Feature("hour cosine", "1"),
)
"""RC itself is the sum of RC_e and RC_i, so it would add nothing."""

GEOMAGNETIC_SERIES = ("time", "RC", "RC_e", "RC_i")
"""Datasets of the HDF5 file."""

GEOMAGNETIC_HOURS = 257_266
"""Hours in the file of the wheel that is pinned by default."""

STEERING_FEATURES = (
    Feature("vEgo", "m/s"),
    Feature("aEgo", "m/s²"),
    Feature("steeringAngleDeg", "°"),
    Feature("roll", "rad"),
    Feature("latAccelLocalizer", "m/s²"),
)
STEERING_TARGET = Feature("steerFiltered", "of full torque")
STEERING_TIME = "t"
STEERING_FLAGS = ("latActive", "steeringPressed")
STEERING_RATE_HZ = 10.0


def steering_columns() -> tuple[str, ...]:
    """Return the columns of a steering log, in the order in which they are written."""
    names = [feature.name for feature in (*STEERING_FEATURES, STEERING_TARGET)]
    return (STEERING_TIME, *names, *STEERING_FLAGS)
