"""Plans for one car and for fleets, beside linear programs of the same problem solved by HiGHS.

    python -m benchmarks planning

Two kinds of days of 96 quarter hours. *Day-ahead*: prices of a day's shape, cars that come home in the evening and
leave in the morning, a site limit that binds in the cheap hours. *Any*: prices, stays, powers and a limit that are all
drawn freely, where a third of the slots bind and the cars have to make room for one another. The program has one
column for each car and slot, and for what each car lacks; its costs are compared with ours on every input. What the
program costs to put together is not counted. EMHASS and FlexMeasures are asked in `planning_peers`.
"""

from __future__ import annotations

import time

import highspy
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array

from benchmarks import planning_peers
from benchmarks.figures import Figure, median_cpu_s, ms, promised
from benchmarks.planning_days import SLOTS, Day, Floats, alone, any_day, day_ahead
from voltbench.energy.plan_car import plan_car
from voltbench.energy.plan_fleet import plan_fleet

LACKING_PER_WH = 10.0


def figures(quick: bool = False) -> list[Figure]:
    """One car, a hundred, a thousand; then one and a hundred beside EMHASS and FlexMeasures."""
    rows = [_one_car(50 if quick else 500)]
    for make, kind in ((day_ahead, "a day-ahead day"), (any_day, "any day")):
        for cars, days, quick_ms, exact_ms in ((100, 10, 2.0, 40.0), (1_000, 4, 5.0, 400.0)):
            some = [make(cars, seed) for seed in range(2 if quick else days)]
            rows += _fleet(f"{cars:,} cars x 96, {kind}", some, quick_ms, exact_ms)
    return rows + planning_peers.figures(quick)


def _one_car(count: int) -> Figure:
    days = [alone(seed) for seed in range(count)]
    ours_s = median_cpu_s(days, lambda day: plan_car(day.price, day.room[0], float(day.needed[0])), 15)
    some = days[:20]
    peer_s = sum(_by_program(day, "simplex")[1] for day in some) / len(some)
    for day in some:
        cost = plan_car(day.price, day.room[0], float(day.needed[0])).cost
        least = _by_program(day, "simplex")[0]
        assert abs(cost - least) <= 1e-6 * max(1.0, least), (cost, least)
    return Figure(
        "1 car x 96, exact",
        ms(ours_s),
        f"HiGHS, simplex {ms(peer_s)}",
        f"{peer_s / ours_s:,.0f}x, {promised(0.1e-3, ours_s)}",
        "<= 0.1 ms",
    )


def _fleet(what: str, days: list[Day], quick_ms: float, exact_ms: float) -> list[Figure]:
    least, costs, peers = [], {True: list[float](), False: list[float]()}, {"simplex": 0.0, "ipm": 0.0}
    solvers = ["ipm"] if len(days[0].needed) > 300 else ["simplex", "ipm"]  # the simplex method takes minutes there
    for day in days:
        for solver in solvers:
            peers[solver] += _by_program(day, solver)[1] / len(days)
        least.append(_by_scipy(day))
        for exact, spent in costs.items():
            found = plan_fleet(day.price, day.room, day.needed, day.site, exact=exact)
            assert found.shortfall_wh.sum() < 1e-3, found.shortfall_wh
            spent.append(float(found.energy_wh.sum(axis=0) @ day.price) / 1e3)
    peer = ", ".join(f"{solver} {ms(peers[solver])}" for solver in solvers)
    rows = []
    for exact, promise_ms in ((False, quick_ms), (True, exact_ms)):
        gaps = [ours / best - 1.0 for ours, best in zip(costs[exact], least, strict=True)]
        assert not exact or max(map(abs, gaps)) < 1e-6, gaps
        ours_s = median_cpu_s(
            days, lambda day, exact=exact: plan_fleet(day.price, day.room, day.needed, day.site, exact=exact), 7
        )
        fastest_s = min(peers[solver] for solver in solvers)
        gap = f"gap {max(gaps):.1e}" if exact else f"gap {np.mean(gaps):.2%}, at most {max(gaps):.2%}"
        rows.append(
            Figure(
                f"{what}, {'exact' if exact else 'heuristic'}",
                f"{ms(ours_s)}, {gap}",
                f"HiGHS, {peer}",
                f"{fastest_s / ours_s:,.0f}x, {promised(promise_ms / 1e3, ours_s)}",
                f"<= {promise_ms:.0f} ms",
            )
        )
    return rows


# --- the peers --------------------------------------------------------------------------------------------------------


def _parts(day: Day) -> tuple[Floats, csr_array, csr_array, Floats]:
    """Costs, who gives to which car, what each slot gives, and the most of each column."""
    cars, slots = np.nonzero(day.room)
    count, columns = len(day.needed), np.arange(len(cars))
    costs = np.concatenate((day.price[slots] / 1e3, np.full(count, LACKING_PER_WH)))
    own = np.concatenate((cars, np.arange(count))), np.concatenate((columns, len(cars) + np.arange(count)))
    needs = coo_array((np.ones(len(own[0])), own), shape=(count, len(costs))).tocsr()
    shared = coo_array((np.ones(len(cars)), (slots, columns)), shape=(SLOTS, len(costs))).tocsr()
    return costs, needs, shared, np.concatenate((day.room[cars, slots], day.needed))


def _by_scipy(day: Day) -> float:
    costs, needs, shared, most = _parts(day)
    solved = linprog(
        costs,
        A_ub=shared,
        b_ub=day.site,
        A_eq=needs,
        b_eq=day.needed,
        bounds=np.column_stack((np.zeros_like(most), most)),
        method="highs-ipm",
    )
    return float(solved.fun)


def _by_program(day: Day, solver: str) -> tuple[float, float]:
    """The cost by HiGHS itself (interior point without crossover), and the CPU seconds that solving took."""
    costs, needs, shared, most = _parts(day)
    model = highspy.HighsLp()
    rows = coo_array(np.concatenate((needs.toarray(), shared.toarray()))).tocsc()
    model.num_col_, model.num_row_ = len(costs), rows.shape[0]
    model.col_cost_, model.col_lower_, model.col_upper_ = costs, np.zeros_like(most), most
    model.row_lower_ = np.concatenate((day.needed, np.zeros(SLOTS)))
    model.row_upper_ = np.concatenate((day.needed, day.site))
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    highs = highspy.Highs()
    for option, setting in (("output_flag", False), ("threads", 1), ("solver", solver), ("run_crossover", "off")):
        highs.setOptionValue(option, setting)
    highs.passModel(model)
    before_s = time.process_time()
    highs.run()
    taken_s = time.process_time() - before_s
    return float(highs.getInfo().objective_function_value), taken_s
