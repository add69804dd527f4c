"""Plans to test: instances in which corners are common, and what a linear program says of them."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

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
