"""Days of 96 quarter hours on which cars are to be planned: of a day-ahead market's shape, or with everything drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE

Floats = NDArray[np.float64]
SLOTS = 96
SLOT_MS = 15 * MS_PER_MINUTE
SHAPE = (85.28, 70.86, 68.01, 67.95, 68.01, 85.04, 87.86, 100.26, 118.45, 116.61, 105.93, 91.95,
         90.51, 90.34, 90.8, 88.85, 90.39, 99.03, 87.11, 82.9, 80.45, 76.48, 32.0, 34.29)  # fmt: skip
"""Of a real day's prices, from midnight on."""


@dataclass(frozen=True)
class Day:
    """What is to be planned; energies in Wh."""

    price: Floats
    room: Floats
    needed: Floats
    site: Floats


Asked = tuple[Horizon, list[PlannedCar]]
"""The same day as `plan` is asked for it."""


def asked(day: Day) -> Asked:
    """A horizon of quarter hours, and the cars."""
    edges = tuple(slot * SLOT_MS for slot in range(SLOTS + 1))
    horizon = Horizon(edges, tuple(day.price.tolist()), tuple((day.site * 4.0).tolist()))
    cars = []
    for number, (room, needed_wh) in enumerate(zip(day.room, day.needed.tolist(), strict=True)):
        there = np.flatnonzero(room).tolist()
        stay = there[0] * SLOT_MS, (there[-1] + 1) * SLOT_MS
        cars.append(PlannedCar(f"car-{number}", *stay, needed_wh, float(room.max()) * 4.0))
    return horizon, cars


def at_any_minute(of: Day, seed: int) -> tuple[Day, Asked]:
    """The same, with cars that come up to a quarter of an hour later, and leave earlier; and as slots that are cut."""
    chance, (horizon, whole) = np.random.default_rng(seed), asked(of)
    cars = []
    for car in whole:
        comes, goes = (int(chance.integers(0, 15)) * MS_PER_MINUTE for _ in range(2))
        arrives_at, departs_at = car.arrives_at + comes, car.departs_at - goes
        most_wh = 0.9 * car.most_w * (departs_at - arrives_at) / MS_PER_HOUR
        cars.append(PlannedCar(car.id, arrives_at, departs_at, min(car.needed_wh, most_wh), car.most_w))
    edges = np.unique([*horizon.edges, *(at for car in cars for at in (car.arrives_at, car.departs_at))])
    hours, slot = np.diff(edges) / MS_PER_HOUR, edges[:-1] // SLOT_MS
    room = np.array(
        [car.most_w * hours * ((edges[:-1] >= car.arrives_at) & (edges[1:] <= car.departs_at)) for car in cars]
    )
    needed = np.array([car.needed_wh for car in cars])
    return Day(of.price[slot], room, needed, of.site[slot] * 4.0 * hours), (horizon, cars)


def day_ahead(cars: int, seed: int) -> Day:
    """From noon to noon."""
    chance = np.random.default_rng(seed)
    price = np.repeat(np.roll(SHAPE, -12), 4) / 100.0 * (1.0 + 0.05 * chance.standard_normal(SLOTS))
    arrives = np.clip(chance.normal(22, 8, cars), 0, 60).astype(int)
    departs = np.clip(chance.normal(78, 6, cars), arrives + 8, SLOTS).astype(int)
    power = chance.choice([3_680.0, 7_360.0, 11_040.0], cars, p=[0.3, 0.3, 0.4])
    room = _room(arrives, departs, power)
    needed = np.minimum(chance.normal(20e3, 8e3, cars).clip(3e3), 0.9 * room.sum(axis=1))
    load = 0.3 + 0.2 * np.sin(np.arange(SLOTS) / SLOTS * 2.0 * np.pi)
    return Day(price, room, needed, needed.sum() / SLOTS * 2.6 * (1.0 - 0.4 * load))


def any_day(cars: int, seed: int) -> Day:
    """Everything drawn freely."""
    chance = np.random.default_rng(seed)
    arrives = chance.integers(0, SLOTS // 2, cars)
    departs = np.minimum(SLOTS, arrives + chance.integers(SLOTS // 8, SLOTS // 2, cars))
    room = _room(arrives, departs, chance.choice([3_680.0, 7_360.0, 11_040.0, 22_080.0], cars))
    needed = room.sum(axis=1) * chance.uniform(0.1, 0.6, cars)
    site = needed.sum() / SLOTS / 0.45 * chance.uniform(0.6, 1.4, SLOTS)
    return Day(0.05 + 0.25 * chance.random(SLOTS), room, needed, site)


def tight(cars: int, seed: int) -> Day:
    """Any day whose limit is 5 % above what all need if each charges evenly: who comes too late lacks some."""
    day, chance = any_day(cars, seed), np.random.default_rng(seed)
    room_wh = day.room.sum(axis=1)
    needed = room_wh * chance.uniform(0.3, 0.95, cars)
    return Day(day.price, day.room, needed, 1.05 * (day.room * (needed / room_wh)[:, None]).sum(axis=0))


def alone(seed: int) -> Day:
    """Any day of one car whose site has room for it."""
    day = any_day(1, seed)
    return Day(day.price, day.room, day.needed, day.room[0])


def _room(arrives: NDArray[np.int64], departs: NDArray[np.int64], power: Floats) -> Floats:
    at = np.arange(SLOTS)
    return power[:, None] / 4.0 * ((at >= arrives[:, None]) & (at < departs[:, None]))
