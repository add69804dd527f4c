"""Minimum powers in fleets, which `plan` sees to by a heuristic, beside the mixed-integer program of the same problem.

Small fleets under tight limits, where minimums matter most: HiGHS finds the least that all have to lack, and the least
that the rest then costs. In its program a car is on or off in a slot, and while it is on the limit has room for its
minimum, as in our plans. Beside that, fleets as large as in `planning`, whose plans are compared with the cheapest ones
without any minimums, that no plan can be better than.
"""

from __future__ import annotations

import time
from dataclasses import replace

import highspy
import numpy as np

from benchmarks.figures import Figure, median_cpu_s, ms
from benchmarks.planning_days import Asked, any_day, asked, day_ahead
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.quantities import MS_PER_HOUR

LEAST_W = {3_680.0: 1_380.0}
"""6 A on one phase; all others have three, which is 4,140 W."""
MOST_S = 20.0


def figures(quick: bool = False) -> list[Figure]:
    """Small fleets beside the program, and large ones beside plans without minimums."""
    rows = [_small(20 if quick else 300)]
    for make, kind in ((day_ahead, "a day-ahead day"), (any_day, "any day")):
        rows += [_large(f"{cars} cars x 96, {kind}", [_with_minimums(asked(make(cars, seed))) for seed in range(count)])
                 for cars, count in ((100, 2 if quick else 6),)]  # fmt: skip
    return rows


def _small(count: int) -> Figure:
    lacks, gaps, peer_s = list[float](), list[float](), 0.0
    tasks = [_small_fleet(seed) for seed in range(count)]
    for horizon, cars in tasks:
        lacking_wh, least, taken_s = _by_program(horizon, cars)
        peer_s += taken_s / count
        found, needed_wh = plan(horizon, cars), sum(car.needed_wh for car in cars)
        assert found.shortfall_wh >= lacking_wh - 1.0, (found.shortfall_wh, lacking_wh)
        lacks.append(max(0.0, found.shortfall_wh - lacking_wh) / needed_wh)
        if lacks[-1] * needed_wh <= 1.0:
            gaps.append(found.cost / least - 1.0 if least else 0.0)  # where nobody can have anything
            assert gaps[-1] >= -1e-4, (found.cost, least)
    ours_s = median_cpu_s(tasks, lambda one: plan(*one), 3)
    more = sum(lack * 1e3 > 1e-3 for lack in lacks)
    return Figure(
        f"minimum powers, {count} small tight fleets, plan()",
        f"{ms(ours_s)}, {np.mean(lacks):.3%} of all need left out more, in {more} fleets, at most {max(lacks):.2%}; "
        f"else gap {np.mean(gaps):.3%}, median {np.median(gaps):.3%}, at most {max(gaps):.2%}",
        f"HiGHS, MIP {ms(peer_s)}",
        f"{peer_s / ours_s:,.0f}x",
    )


def _large(what: str, tasks: list[Asked]) -> Figure:
    lacks, gaps = list[float](), list[float]()
    for horizon, cars in tasks:
        free, found = plan(horizon, [replace(car, least_w=0.0) for car in cars]), plan(horizon, cars)
        lacks.append((found.shortfall_wh - free.shortfall_wh) / sum(car.needed_wh for car in cars))
        gaps.append(found.cost / free.cost - 1.0)
    ours = [ms(median_cpu_s(tasks, lambda one, exact=exact: plan(*one, exact=exact), 3)) for exact in (True, False)]
    return Figure(
        f"minimum powers, {what}, plan()",
        f"{ours[0]} (heuristic {ours[1]}), {max(lacks):.3%} of all need left out more, gap {max(gaps):.3%} at most",
        "the plan without minimums",
    )


def _with_minimums(task: Asked) -> Asked:
    horizon, cars = task
    return horizon, [replace(car, least_w=LEAST_W.get(car.most_w, 4_140.0)) for car in cars]


def _small_fleet(seed: int) -> Asked:
    chance = np.random.default_rng(seed)
    count, slots = int(chance.integers(2, 9)), int(chance.choice([8, 12, 16, 24]))
    hours = float(chance.choice([0.25, 1.0]))
    price = np.round(0.05 + 0.25 * chance.random(slots), 3)
    most_w = chance.choice([3_680.0, 7_360.0, 11_040.0, 22_080.0], count)
    least_w = np.minimum(most_w, chance.choice([0.0, 1_380.0, 4_140.0], count))
    arrives = chance.integers(0, slots // 2, count)
    departs = np.minimum(slots, arrives + chance.integers(slots // 4, slots, count))
    needed_wh = most_w * hours * (departs - arrives) * chance.uniform(0.1, 0.7, count)
    site_w = needed_wh.sum() / slots / hours * chance.choice([0.8, 1.3, 2.0, 3.2]) * chance.uniform(0.6, 1.4, slots)
    at = [round(slot * hours * MS_PER_HOUR) for slot in range(slots + 1)]
    cars = [
        PlannedCar(f"car-{i}", at[arrives[i]], at[departs[i]], float(needed_wh[i]), float(most_w[i]), float(least_w[i]))
        for i in range(count)
    ]
    return Horizon(tuple(at), tuple(price.tolist()), tuple(site_w.tolist())), cars


def _by_program(horizon: Horizon, cars: list[PlannedCar]) -> tuple[float, float, float]:
    """The least that all lack (Wh), the least that the rest costs, and the CPU seconds that solving took."""
    h = highspy.Highs()
    for option, setting in (("output_flag", False), ("threads", 1), ("time_limit", MOST_S), ("mip_rel_gap", 0.0)):
        h.setOptionValue(option, setting)
    hours, edges, price = horizon.hours.tolist(), horizon.edges, horizon.price_per_kwh
    short = [h.addVariable(0.0, car.needed_wh) for car in cars]
    on_limit: list[list[object]] = [[] for _ in hours]
    cost = 0.0
    for car, lacking in zip(cars, short, strict=True):
        own = [slot for slot in range(len(hours)) if car.arrives_at <= edges[slot] < car.departs_at]
        taken = [h.addVariable(0.0, car.most_w * hours[slot]) for slot in own]
        h.addConstr(sum(taken) + lacking == car.needed_wh)
        cost += sum(price[slot] / 1e3 * wh for slot, wh in zip(own, taken, strict=True))
        for slot, wh in zip(own, taken, strict=True):
            reserved = wh
            if car.least_w > 0.0:
                is_on, reserved = h.addBinary(), h.addVariable(0.0, car.most_w * hours[slot])
                h.addConstr(wh <= car.most_w * hours[slot] * is_on)
                h.addConstr(reserved >= car.least_w * hours[slot] * is_on)
                h.addConstr(reserved >= wh)
            on_limit[slot].append(reserved)
    for slot, reserved in enumerate(on_limit):
        if reserved:
            h.addConstr(sum(reserved) <= horizon.site_w[slot] * hours[slot])
    before_s = time.process_time()
    h.minimize(sum(short))
    lacking_wh = float(sum(h.vals(short)))
    h.addConstr(sum(short) <= lacking_wh + 1e-3)
    h.minimize(cost)
    return lacking_wh, float(h.getObjectiveValue()), time.process_time() - before_s
