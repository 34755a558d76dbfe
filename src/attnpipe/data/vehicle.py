"""A car on a banked road, and its steering column.

The car is a single-track ("bicycle") model with linear tyres and road bank, R. Rajamani,
*Vehicle Dynamics and Control* (2nd ed., Springer 2012), section 2.3, with the parameters of
the passenger car in its examples (m = 1573 kg, I_z = 2873 kg m², l_f = 1.1 m, l_r = 1.58 m,
80 kN/rad per tyre). The steering column is massless with viscous damping and dry friction,
and turns against the aligning torque of the front tyres.

The numbers of the car are that example's. Those of its steering lie in the range of real cars:
openpilot's table of fits to the logs of 96 models (`selfdrive/car/torque_data/params.yaml`,
commit 0052ab78) has 0.8 to 3.9 m/s² at full torque, median 2.0, and a friction of 0.05 to 0.41 of
full torque, median 0.14. Within it they were chosen:

- 2.5 m/s² at full torque: more than the 2 m/s² that roads ask for (`disturbances.COMFORT`), so
  that every curve can be held with torque to spare;
- friction 0.1 of full torque: a hysteresis that one moment does not tell, small beside the torque
  in curves.

Two have no source:

- steering ratio 15: of the order of passenger cars'; it scales the logged angle and nothing else;
- column speed 0.17 rad/s per full torque: against the aligning torque of tyres that the car does
  not follow yet (69 times full torque per rad) the road wheels settle with a time constant of
  0.09 s, faster than car and controller.

Signs: left is positive. A positive roll pushes the car to the left.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from attnpipe.data.disturbances import Course

GRAVITY = 9.81
STEP = 0.01
"""Integration step, s."""


@dataclass(frozen=True)
class Car:
    """A mid-size passenger car, see the module's sources; SI units.

    Attributes
    ----------
    mass, yaw_inertia
        kg, kg m².
    front, rear
        Distances of the axles from the centre of mass, m.
    front_stiffness, rear_stiffness
        Cornering stiffness of both tyres of an axle together, N/rad.
    steering_ratio
        Turn of the steering wheel per turn of the road wheels.
    full_torque_accel
        Lateral acceleration that full torque can hold on a level road, m/s².
    friction
        Dry friction of the column, in units of full torque.
    column_speed
        Speed of the road-wheel angle per unit of net torque, rad/s.
    """

    mass: float = 1573.0
    yaw_inertia: float = 2873.0
    front: float = 1.1
    rear: float = 1.58
    front_stiffness: float = 160e3
    rear_stiffness: float = 160e3
    steering_ratio: float = 15.0
    full_torque_accel: float = 2.5
    friction: float = 0.1
    column_speed: float = 0.17


@dataclass
class State:
    """Everything that moves; one value per segment.

    Attributes
    ----------
    slip_speed, yaw_rate
        Lateral speed of the car in its own frame, m/s; rad/s.
    wheel
        Road-wheel angle, rad.
    offset, heading
        Distance from and angle to the lane's centre line, m and rad.
    measured
        Filtered measurement of the lateral acceleration, m/s².
    integral, torque
        Of the controller, in units of full torque.
    """

    slip_speed: Float64[np.ndarray, " segment"]
    yaw_rate: Float64[np.ndarray, " segment"]
    wheel: Float64[np.ndarray, " segment"]
    offset: Float64[np.ndarray, " segment"]
    heading: Float64[np.ndarray, " segment"]
    measured: Float64[np.ndarray, " segment"]
    integral: Float64[np.ndarray, " segment"]
    torque: Float64[np.ndarray, " segment"]


def move_car(
    state: State,
    course: Course,
    k: int,
    torque: Float64[np.ndarray, " segment"],
    car: Car,
) -> Float64[np.ndarray, " segment"]:
    """Advance car and steering column by one step; return the lateral acceleration v·r.

    Single track with bank φ (Rajamani, section 2.3)::

        m (dv_y/dt + v r) = F_f + F_r + m g sin φ,   I_z dr/dt = l_f F_f − l_r F_r
        F_f = C_f (δ − (v_y + l_f r) / v),           F_r = −C_r (v_y − l_r r) / v
    """
    speed, curvature = course.speed[:, k], course.curvature[:, k]
    front = car.front_stiffness * (
        state.wheel - (state.slip_speed + car.front * state.yaw_rate) / speed
    )
    rear = -car.rear_stiffness * (state.slip_speed - car.rear * state.yaw_rate) / speed
    base = car.front + car.rear
    aligning = front * base / (car.rear * car.mass) / car.full_torque_accel
    net = torque - aligning
    free = np.sign(net) * np.maximum(np.abs(net) - car.friction, 0.0)
    side = (front + rear) / car.mass + GRAVITY * np.sin(course.roll[:, k])
    lateral = state.yaw_rate * speed
    state.offset += STEP * (state.slip_speed + speed * state.heading)
    state.heading += STEP * (state.yaw_rate - speed * curvature)
    state.slip_speed += STEP * (side - lateral)
    state.yaw_rate += STEP * (car.front * front - car.rear * rear) / car.yaw_inertia
    state.wheel += STEP * car.column_speed * free
    after: np.ndarray = state.yaw_rate * speed
    return after
