"""Plans to test: instances in which corners are common, and what a linear program says of them."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.schedule import Steps
from voltbench.quantities import MS_PER_HOUR, Instant

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Instance:
    """A fleet to be planned; energies in Wh, by car and slot."""

    price_per_kwh: Floats
    room_wh: Floats
    needed_wh: Floats
    site_wh: Floats
    circuit: NDArray[np.intp]
    circuit_wh: Floats


@st.composite
def instances(draw: st.DrawFn, most_cars: int = 6, most_slots: int = 6, most_circuits: int = 3) -> Instance:
    """Small ones with many ties, slots without room, and too little for all."""
    cars, slots, circuits = (draw(st.integers(1, most)) for most in (most_cars, most_slots, most_circuits))
    whole = st.integers(0, 8).map(float)

    def some(*shape: int) -> Floats:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(whole, min_size=size, max_size=size))).reshape(shape) * 500.0

    price = np.array(draw(st.lists(st.integers(-3, 9).map(float), min_size=slots, max_size=slots))) / 10.0
    room = some(cars, slots)
    needed, site, circuit_wh = some(cars) * 2.0, some(slots) * 2.0, some(circuits, slots) * 2.0
    of = np.array(draw(st.lists(st.integers(0, circuits - 1), min_size=cars, max_size=cars)), dtype=np.intp)
    return Instance(price, room, needed, site, of, circuit_wh)


@st.composite
def crowds(draw: st.DrawFn, most_cars: int = 5) -> tuple[Horizon, list[PlannedCar]]:
    """Cars that come and go by quarters of four hours, under tight limits: some in one go, some with a minimum."""
    hours = draw(st.integers(1, 4))
    price = tuple(draw(st.lists(st.integers(-2, 6).map(lambda price: price / 10.0), min_size=hours, max_size=hours)))
    power_w = st.sampled_from([0.0, 2e3, 3e3, 5e3, 8e3, 10e3, 15e3])
    limits = st.lists(power_w, min_size=hours, max_size=hours).map(tuple)
    circuits = {name: draw(limits) for name in ("attic", "garage")[: draw(st.integers(0, 2))]}
    cars = list[PlannedCar]()
    for number in range(draw(st.integers(1, most_cars))):
        comes, goes = sorted(draw(st.lists(st.integers(0, 4 * hours), min_size=2, max_size=2, unique=True)))
        most_w = draw(st.sampled_from([3e3, 4e3, 7e3, 11e3]))
        cars.append(
            PlannedCar(
                f"car-{number}",
                comes * MS_PER_HOUR // 4,
                goes * MS_PER_HOUR // 4,
                draw(st.integers(0, 10)) * 1_500.0,
                most_w,
                draw(st.sampled_from([0.0, 0.0, 0.5, 1.0])) * most_w,
                draw(st.sampled_from([0.0, 0.0, 2_000.0, 6_000.0])),
                draw(st.sampled_from([None, *circuits])),
                draw(st.sampled_from([0, 0, 1, 5])),
                draw(st.sampled_from([False, False, True])),
            )
        )
    return Horizon(tuple(hour * MS_PER_HOUR for hour in range(hours + 1)), price, draw(limits), circuits), cars


def power_at(steps: Steps, at: Instant) -> float:
    """The power of a schedule at an instant."""
    return ([0.0] + [power_w for since, power_w in steps if since <= at])[-1]


def a_fleet(cars: int, seed: int, slots: int = 96) -> Instance:
    """Cars that come and go within a day of quarter hours, under a limit that binds in most cheap slots."""
    chance = np.random.default_rng(seed)
    price = 0.05 + 0.25 * chance.random(slots)
    arrives = chance.integers(0, slots // 2, cars)
    departs = np.minimum(slots, arrives + chance.integers(slots // 8, slots // 2, cars))
    power = chance.choice([3_680.0, 7_360.0, 11_040.0, 22_080.0], cars)
    at = np.arange(slots)
    room = power[:, None] / 4.0 * ((at >= arrives[:, None]) & (at < departs[:, None]))
    needed = room.sum(axis=1) * chance.uniform(0.1, 0.6, cars)
    site = needed.sum() / slots / 0.45 * chance.uniform(0.6, 1.4, slots)
    return Instance(price, room, needed, site, np.zeros(cars, dtype=np.intp), site[None, :])


def a_tight_fleet(cars: int, seed: int, slack: float) -> Instance:
    """Such a day under a limit that all can have what they need under, if they share it well, and hardly more."""
    of, chance = a_fleet(cars, seed), np.random.default_rng(seed)
    room_wh = of.room_wh.sum(axis=1)
    needed = room_wh * chance.uniform(0.3, 0.95, cars)
    site = (of.room_wh * (needed / room_wh)[:, None]).sum(axis=0) * slack
    return Instance(of.price_per_kwh, of.room_wh, needed, site, of.circuit, site[None, :])


def on_circuits(of: Instance, count: int, seed: int) -> Instance:
    """The same cars, each on one of some circuits, which bind too."""
    chance = np.random.default_rng(seed)
    circuit = chance.integers(0, count, len(of.needed_wh)).astype(np.intp)
    mean = np.array([of.needed_wh[circuit == g].sum() for g in range(count)]) / len(of.price_per_kwh)
    most = mean[:, None] / 0.5 * chance.uniform(0.5, 1.5, (count, len(of.price_per_kwh)))
    return Instance(of.price_per_kwh, of.room_wh, of.needed_wh, 0.95 * of.site_wh, circuit, most)


def by_linear_program(of: Instance, solver: str = "choose") -> tuple[float, float]:
    """The least that all can lack together, in Wh, and the least that the rest then costs."""
    cars, slots = of.room_wh.shape
    penalty = 1e3 * (1.0 + float(np.abs(of.price_per_kwh).max()))
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("solver", solver)
    c, t = (part.ravel() for part in np.indices((cars, slots)))
    cost = np.concatenate((of.price_per_kwh[t] / 1e3, np.full(cars, penalty)))
    n = len(cost)
    h.addVars(n, np.zeros(n), np.concatenate((of.room_wh.ravel(), of.needed_wh)))
    h.changeColsCost(n, np.arange(n, dtype=np.int32), cost)
    columns = np.arange(cars * slots, dtype=np.int32)
    for car in range(cars):
        own = np.append(columns[c == car], cars * slots + car).astype(np.int32)
        h.addRow(of.needed_wh[car], of.needed_wh[car], len(own), own, np.ones(len(own)))
    for slot in range(slots):
        own = columns[t == slot]
        h.addRow(0.0, of.site_wh[slot], len(own), own, np.ones(len(own)))
        for circuit in range(len(of.circuit_wh)):
            some = columns[(t == slot) & (of.circuit[c] == circuit)]
            h.addRow(0.0, of.circuit_wh[circuit, slot], len(some), some, np.ones(len(some)))
    h.run()
    assert h.getModelStatus() == highspy.HighsModelStatus.kOptimal
    x = np.array(h.getSolution().col_value)
    return float(x[cars * slots :].sum()), float(x[: cars * slots] @ cost[: cars * slots])
