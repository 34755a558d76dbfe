"""Steering logs of a simulated car that follows a winding, banked road.

The lateral controller has the structure of openpilot's torque controller (feedforward on the
lateral acceleration less the part that the bank carries, proportional and integral feedback,
friction compensation, a rate limit on torque). Its numbers were chosen here so that the loop is
calm: 2.5 m/s² at full torque, friction worth 0.1 of it, a delay of 0.2 s. Delay, integral, limit
and the column's hysteresis (see `vehicle`) give the log a memory: one moment does not determine
the torque, its history tells more.

Signs: left is positive. A positive roll pushes the car to the left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64

from attnpipe.data.disturbances import Course, draw_course
from attnpipe.data.layout import STEERING_RATE_HZ, steering_columns
from attnpipe.data.vehicle import GRAVITY, STEP, Car, State, move_car

EVERY = round(1 / (STEP * STEERING_RATE_HZ))
WARM_UP = 5.0
"""Seconds driven before a log begins, so that it does not begin at rest on a straight."""
BATCH = 128


@dataclass(frozen=True)
class Controller:
    """A lateral torque controller; torque is in units of full torque.

    Attributes
    ----------
    proportional, integral
        Feedback on the error of lateral acceleration, after division by
        `Car.full_torque_accel`; the integral one per second.
    friction_threshold
        Error from which on the whole of the friction is compensated, m/s².
    preview
        How far ahead the wanted curvature is taken, s.
    rate_up, rate_down
        Largest change of torque away from and towards zero, per second.
    delay_steps
        Integration steps from command to torque.
    lane_frequency, lane_damping
        Natural frequency (rad/s) and damping ratio of the return to the lane's centre.
    measurement_lag
        Time constant of the filter on the measured lateral acceleration, s.
    """

    proportional: float = 0.35
    integral: float = 0.2
    friction_threshold: float = 0.6
    preview: float = 0.4
    rate_up: float = 0.7
    rate_down: float = 1.7
    delay_steps: int = 20
    lane_frequency: float = 0.3
    lane_damping: float = 0.9
    measurement_lag: float = 0.1


def simulate(
    segments: int,
    seconds: float,
    seed: int,
    *,
    car: Car | None = None,
    controller: Controller | None = None,
) -> dict[str, pl.DataFrame]:
    """Return simulated logs, file stem → table with the columns of comma's layout.

    Parameters
    ----------
    segments
        How many logs; each depends on `seed` and its own number only.
    seconds
        Length of a log, at 10 rows per second.
    seed
        Seed of roads, speeds, noise and the driver.
    car, controller
        Other parameters than the default ones.
    """
    car, controller = car or Car(), controller or Controller()
    frames = {}
    for start in range(0, segments, BATCH):
        numbers = range(start, min(start + BATCH, segments))
        generators = [np.random.default_rng([seed, number]) for number in numbers]
        course = draw_course(generators, seconds + WARM_UP, STEP, controller.preview)
        rows = list(_drive(course, car, controller))
        logs = {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]}
        for index, number in enumerate(numbers):
            log = _sense({n: values[index] for n, values in logs.items()}, generators[index])
            frames[f"segment-{number:04d}"] = log
    return frames


def _drive(
    course: Course, car: Car, controller: Controller
) -> Iterator[dict[str, Float64[np.ndarray, " segment"]]]:
    """Integrate all segments side by side (explicit Euler, 100 Hz) and yield rows at 10 Hz."""
    segments, steps = course.speed.shape
    zero = np.zeros(segments)
    state = State(*(zero.copy() for _ in range(8)))
    warm = round(WARM_UP / STEP)
    sent = np.zeros((controller.delay_steps, segments))
    for k in range(steps):
        slot = k % controller.delay_steps
        torque = np.where(course.active[:, k], sent[slot], 0.0) + _driver(state, course, k)
        lateral = move_car(state, course, k, torque, car)
        _control(state, course, k, lateral, car, controller)
        sent[slot] = state.torque
        if k >= warm and (k - warm) % EVERY == 0:
            yield {
                "t": np.full(segments, (k - warm) * STEP),
                "vEgo": course.speed[:, k],
                "aEgo": course.acceleration[:, k],
                "steeringAngleDeg": np.degrees(state.wheel) * car.steering_ratio,
                "roll": course.roll[:, k],
                "latAccelLocalizer": state.yaw_rate * course.speed[:, k],
                "steerFiltered": state.torque.copy(),
                "latActive": course.active[:, k].astype(float),
                "steeringPressed": course.pressed[:, k].astype(float),
            }


def _driver(state: State, course: Course, k: int) -> Float64[np.ndarray, " segment"]:
    """Torque of the driver's hands: keeps the lane when in charge, pushes in an override."""
    speed = course.speed[:, k]
    wanted = course.curvature[:, k] * speed**2 + _back_to_lane(state, speed, 0.4, 0.9)
    steering = 0.4 * wanted + 0.4 * (wanted - state.yaw_rate * speed)
    hands = np.where(course.active[:, k], 0.0, np.clip(steering, -1.5, 1.5))
    return hands + np.where(course.pressed[:, k], course.push[:, k], 0.0)


def _back_to_lane(
    state: State, speed: Float64[np.ndarray, " segment"], frequency: float, damping: float
) -> Float64[np.ndarray, " segment"]:
    """Lateral acceleration that leads back to the lane's centre like a damped spring.

    ``−ω² e − 2 ζ ω de/dt`` with the offset e, ``de/dt ≈ v ψ`` and ω in rad/s.
    """
    drift = speed * state.heading
    back: np.ndarray = -(frequency**2) * state.offset - 2 * damping * frequency * drift
    return back


def _control(
    state: State,
    course: Course,
    k: int,
    lateral: Float64[np.ndarray, " segment"],
    car: Car,
    controller: Controller,
) -> None:
    """Update the commanded torque from the path ahead and the measured acceleration."""
    speed = course.speed[:, k]
    noisy = lateral + course.localizer_noise[:, k]
    state.measured += STEP / controller.measurement_lag * (noisy - state.measured)
    back = _back_to_lane(state, speed, controller.lane_frequency, controller.lane_damping)
    desired = np.clip(course.curvature_ahead[:, k] * speed**2 + back, -3.0, 3.0)
    error = desired - state.measured
    carried = GRAVITY * course.roll[:, k]
    scale = car.full_torque_accel
    push = car.friction * np.clip(error / controller.friction_threshold, -1.0, 1.0)
    wanted = (desired - carried + controller.proportional * error) / scale
    wanted = np.clip(wanted + state.integral + push, -1.0, 1.0)

    in_charge = course.active[:, k] & ~course.pressed[:, k]
    grown = state.integral + STEP * controller.integral * error / scale
    held = np.where(in_charge & (np.abs(wanted) < 1.0), np.clip(grown, -0.5, 0.5), state.integral)
    state.integral = np.where(course.active[:, k], held, 0.0)

    wanted = np.where(course.active[:, k], wanted, 0.0)
    growing = np.sign(wanted) * (wanted - state.torque) > 0
    limit = STEP * np.where(growing, controller.rate_up, controller.rate_down)
    state.torque = state.torque + np.clip(wanted - state.torque, -limit, limit)


def _sense(
    log: dict[str, Float64[np.ndarray, " row"]], generator: np.random.Generator
) -> pl.DataFrame:
    """Add the noise and resolution of a car's sensors."""
    rows = len(log["t"])
    noise = {"vEgo": 0.02, "aEgo": 0.05, "roll": 0.002, "latAccelLocalizer": 0.06}
    for name, sd in noise.items():
        log[name] = log[name] + sd * generator.standard_normal(rows)
    log["steeringAngleDeg"] = np.round(log["steeringAngleDeg"], 1)
    columns = {}
    for name in steering_columns():
        flag = name in ("latActive", "steeringPressed")
        columns[name] = log[name] > 0.5 if flag else np.round(log[name], 5) + 0.0
    return pl.DataFrame(columns)
