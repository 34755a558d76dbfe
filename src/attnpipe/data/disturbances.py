"""What happens to a simulated car: road, speed, and the driver's hands.

Numbers were chosen, from no measurement, so that logs vary as drives do and the controller can
follow; curves stay below the 3 m/s² to which UN Regulation No. 79 limits lane keeping:

- speed: 12, 20 or 29 m/s (town, country road, motorway) within 15 %, and waves of 6 % with
  periods of 15 to 80 s;
- curvature: waves that last 6 to 40 s at cruising speed, with v²·curvature of sd 0.4 to 1.4 m/s²
  at every speed, and bounded at `COMFORT`, which the controller's full torque exceeds;
- roll: of sd 0.012 rad built into curves, which carries 8 to 30 % of their acceleration, and
  unevenness of sd 0.02 rad, worth 0.2 m/s² that no curve explains; clipped at 0.1 rad;
- hands: the driver takes over for 2 to 8 s about every 45 s, and pushes the wheel for 0.8 to 3 s
  about every 30 s with 0.2 to 0.5 of full torque, so that rows which do not count are common;
- noise of sd 0.3 m/s² on the acceleration that the controller measures, before its filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

COMFORT = 2.0
"""Largest lateral acceleration that a road asks for, m/s²."""


@dataclass(frozen=True)
class Course:
    """Inputs of the simulation, ``[segment, step]``; SI units, left positive.

    Attributes
    ----------
    speed, acceleration
        Along the road; the speed never falls below 6 m/s, where tyre slip is ill-defined.
    curvature, curvature_ahead
        Of the road at the car, and where it will be after the controller's preview.
    roll
        Bank of the road: partly built into its curves, partly unevenness.
    active, pressed
        Whether the controller steers; whether the driver's hands push the wheel.
    push
        The driver's torque in an override, in units of the controller's full torque.
    localizer_noise
        Noise on the lateral acceleration that the controller measures.
    """

    speed: Float64[np.ndarray, "segment step"]
    acceleration: Float64[np.ndarray, "segment step"]
    curvature: Float64[np.ndarray, "segment step"]
    curvature_ahead: Float64[np.ndarray, "segment step"]
    roll: Float64[np.ndarray, "segment step"]
    active: Bool[np.ndarray, "segment step"]
    pressed: Bool[np.ndarray, "segment step"]
    push: Float64[np.ndarray, "segment step"]
    localizer_noise: Float64[np.ndarray, "segment step"]


def draw_course(
    generators: Sequence[np.random.Generator], seconds: float, step: float, preview: float
) -> Course:
    """Draw the inputs of one segment from each generator.

    Parameters
    ----------
    generators
        One per segment, so that a segment does not depend on how many there are.
    seconds, step
        Length of a segment and of one integration step, s.
    preview
        How far ahead the controller knows the road, s.
    """
    steps = round(seconds / step)
    ahead = round(preview / step)
    drawn = [_draw(generator, steps, ahead, step) for generator in generators]
    return Course(**{name: np.stack([d[name] for d in drawn]) for name in drawn[0]})


def _draw(
    generator: np.random.Generator, steps: int, ahead: int, step: float
) -> dict[str, np.ndarray]:
    total = steps + ahead
    time = step * np.arange(total)
    cruise = generator.choice([12.0, 20.0, 29.0]) * generator.uniform(0.85, 1.15)
    speed = np.maximum(cruise * (1 + 0.06 * waves(generator, time, 15.0, 80.0)), 6.0)
    distance = np.cumsum(speed) * step
    # Roads for higher speeds have wider curves: the sd of v²·curvature is alike for all.
    winding = waves(generator, distance, 6.0 * cruise, 40.0 * cruise)
    wanted = generator.uniform(0.4, 1.4) * winding
    curvature = COMFORT * np.tanh(wanted / COMFORT) / np.maximum(speed, cruise) ** 2
    roll = 0.012 * winding + 0.02 * waves(generator, distance, 3.0 * cruise, 20.0 * cruise)
    active, pressed = np.ones(steps, dtype=bool), np.zeros(steps, dtype=bool)
    push = np.zeros(steps)
    most = steps * step / 5
    for start, stop in stretches(
        generator, steps, step, mean_gap=45.0, shortest=min(2.0, most), longest=min(8.0, most)
    ):
        active[start:stop] = False
    for start, stop in stretches(
        generator, steps, step, mean_gap=30.0, shortest=min(0.8, most), longest=min(3.0, most)
    ):
        pressed[start:stop] = True
        bell = np.sin(np.linspace(0.0, np.pi, stop - start))
        push[start:stop] = generator.choice([-1.0, 1.0]) * generator.uniform(0.2, 0.5) * bell
    return {
        "speed": speed[:steps],
        "acceleration": np.gradient(speed, step)[:steps],
        "curvature": curvature[:steps],
        "curvature_ahead": curvature[ahead:],
        "roll": np.clip(roll, -0.1, 0.1)[:steps],
        "active": active,
        "pressed": pressed | ~active & (generator.random() < 0.5),
        "push": push,
        "localizer_noise": 0.3 * generator.standard_normal(steps),
    }


def waves(
    generator: np.random.Generator,
    position: Float64[np.ndarray, " step"],
    shortest: float,
    longest: float,
    count: int = 12,
) -> Float64[np.ndarray, " step"]:
    """Return a smooth random curve of variance about 1: sines of random period and phase.

    Periods are log-uniform from `shortest` to `longest`, in the unit of `position`.
    """
    period = shortest * (longest / shortest) ** generator.random(count)
    phase = 2 * np.pi * generator.random(count)
    angle = 2 * np.pi * position[:, None] / period + phase
    curve: np.ndarray = np.sin(angle).sum(axis=1) * np.sqrt(2.0 / count)
    return curve


def stretches(
    generator: np.random.Generator,
    steps: int,
    step: float,
    *,
    mean_gap: float,
    shortest: float,
    longest: float,
) -> list[tuple[int, int]]:
    """Return stretches of steps that come at random (exponential gaps); times in s."""
    found, start = [], generator.exponential(mean_gap)
    while start < steps * step:
        stop = start + generator.uniform(shortest, longest)
        found.append((round(start / step), min(round(stop / step), steps)))
        start = stop + generator.exponential(mean_gap)
    return [(a, b) for a, b in found if b > a]
