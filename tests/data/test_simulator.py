"""The simulated car: its physics, its logs, and that they depend on the seed alone."""

from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest

from attnpipe.data.disturbances import Course, draw_course, stretches, waves
from attnpipe.data.simulator import simulate
from attnpipe.data.vehicle import Car, State, move_car

COLUMNS = [
    *("t", "vEgo", "aEgo", "steeringAngleDeg", "roll", "latAccelLocalizer", "steerFiltered"),
    *("latActive", "steeringPressed"),
]


@pytest.fixture(scope="module")
def logs():
    return simulate(12, 40.0, 3)


def test_logs_have_the_public_layout_at_10_hz(logs):
    assert list(logs)[:2] == ["segment-0000", "segment-0001"]
    for frame in logs.values():
        assert frame.columns == COLUMNS
        assert frame.dtypes == [pl.Float64] * 7 + [pl.Boolean] * 2
        np.testing.assert_allclose(frame["t"], np.arange(400) / 10, atol=1e-9)
        assert frame["steerFiltered"].is_between(-1, 1).all()
        assert frame["roll"].abs().max() < 0.12
        assert not frame.select(pl.any_horizontal(pl.all().cast(float).is_nan().any())).item()


def test_a_segment_depends_on_seed_and_number_only(logs):
    again = simulate(2, 40.0, 3)
    for name, frame in again.items():
        assert frame.equals(logs[name])
    assert not simulate(1, 40.0, 4)["segment-0000"].equals(logs["segment-0000"])
    assert not logs["segment-0000"].equals(logs["segment-0001"])


def test_driver_takes_over_now_and_then(logs):
    rows = pl.concat(logs.values())
    assert 0.7 < rows["latActive"].mean() < 0.99
    assert 0.02 < rows["steeringPressed"].mean() < 0.3


def test_torque_is_zero_after_the_controller_has_let_go_and_limited_in_rate(logs):
    for frame in logs.values():
        torque = frame["steerFiltered"].to_numpy()
        assert np.abs(np.diff(torque)).max() <= 1.7 / 10 + 1e-4
        active = frame["latActive"].to_numpy()
        long_off = [~active[max(0, i - 8) : i + 1].any() for i in range(8, len(active))]
        np.testing.assert_allclose(torque[8:][long_off], 0.0, atol=1e-4)


def test_history_tells_more_about_the_torque_than_the_moment(logs):
    """A linear forecast from five seconds beats one from the last row, on other segments."""
    names = COLUMNS[1:6]
    inputs, histories, torques = [], [], []
    for frame in logs.values():
        x = np.c_[frame.select(names).to_numpy(), np.ones(len(frame))]
        lags = np.concatenate([np.roll(x[:, :5], lag, axis=0) for lag in range(0, 50, 5)], axis=1)
        usable = (frame["latActive"] & ~frame["steeringPressed"]).to_numpy()
        usable[:50] = False
        inputs.append(x[usable])
        histories.append(np.c_[lags, np.ones(len(x))][usable])
        torques.append(frame["steerFiltered"].to_numpy()[usable])

    def error(blocks):
        fit = np.linalg.lstsq(np.concatenate(blocks[:8]), np.concatenate(torques[:8]))[0]
        return np.mean((np.concatenate(torques[8:]) - np.concatenate(blocks[8:]) @ fit) ** 2)

    variance = np.var(np.concatenate(torques[8:]))
    assert error(inputs) < 0.7 * variance
    assert error(histories) < 0.7 * error(inputs)


def course(segments, **constant):
    values = {field.name: np.zeros((segments, 1)) for field in fields(Course)}
    values |= {name: np.zeros((segments, 1), dtype=bool) for name in ("active", "pressed")}
    return Course(**(values | {n: np.asarray(v)[:, None] for n, v in constant.items()}))


def settle(car, wheel, speed, roll):
    """Drive with the wheel held until nothing changes; return the yaw rate."""
    n = len(wheel)
    state = State(*(np.zeros(n) for _ in fields(State)))
    state.wheel = wheel.copy()
    road = course(n, speed=speed, roll=roll)
    for _ in range(3000):
        move_car(state, road, 0, np.zeros(n), car)
    return state.yaw_rate


def test_steady_turn_is_that_of_the_single_track_model():
    """δ = L/R + K_V a_y with K_V = l_r m/(C_f L) − l_f m/(C_r L), Rajamani chapter 3."""
    car = replace(Car(), column_speed=0.0)
    speed, wheel = np.array([8.0, 15.0, 30.0]), np.array([0.02, -0.01, 0.005])
    base = car.front + car.rear
    understeer = (car.mass / base) * (
        car.rear / car.front_stiffness - car.front / car.rear_stiffness
    )
    expected = speed * wheel / (base + understeer * speed**2)
    np.testing.assert_allclose(settle(car, wheel, speed, np.zeros(3)), expected, rtol=1e-6)


def test_bank_to_the_left_turns_the_car_left_as_tyres_give_way():
    """The tyres carry v r − g sin φ, and δ = 0 = L r/v + K_V (v r − g sin φ)."""
    car = replace(Car(), column_speed=0.0)
    speed, roll = np.array([20.0]), np.array([0.03])
    base = car.front + car.rear
    understeer = (car.mass / base) * (
        car.rear / car.front_stiffness - car.front / car.rear_stiffness
    )
    expected = understeer * 9.81 * np.sin(0.03) / (base / speed + understeer * speed)
    np.testing.assert_allclose(settle(car, np.zeros(1), speed, roll), expected, rtol=1e-6)
    assert expected > 0


def test_friction_holds_the_wheel_until_torque_exceeds_it():
    car = Car()
    for torque, moves in ((0.09, False), (-0.09, False), (0.11, True), (-0.11, True)):
        state = State(*(np.zeros(1) for _ in fields(State)))
        move_car(state, course(1, speed=[20.0]), 0, np.array([torque]), car)
        assert (state.wheel[0] != 0) == moves
        assert state.wheel[0] * torque >= 0


def test_stretches_are_apart_and_within_the_segment():
    for seed in range(50):
        generator = np.random.default_rng(seed)
        found = stretches(generator, 1000, 0.01, mean_gap=1.0, shortest=0.5, longest=1.0)
        for (start, stop), following in zip(found, [*found[1:], (1000, 1000)], strict=True):
            assert 0 <= start < stop <= following[0]
            assert stop - start <= 101


def test_waves_have_unit_variance():
    position = np.arange(100_000.0)
    curves = [waves(np.random.default_rng(seed), position, 20.0, 200.0) for seed in range(5)]
    assert np.var(curves) == pytest.approx(1.0, rel=0.05)


def test_road_ahead_is_the_road_a_preview_later():
    road = draw_course([np.random.default_rng(0)], 20.0, 0.01, 0.4)
    np.testing.assert_array_equal(road.curvature[0, 40:], road.curvature_ahead[0, :-40])
    lateral = np.abs(road.curvature * road.speed**2)
    assert 0.2 < lateral.max() < 4.0
