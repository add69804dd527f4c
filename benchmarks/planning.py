"""Plans for one car and for fleets, beside linear programs of the same problem solved by HiGHS.

    python -m benchmarks planning

Three kinds of days of 96 quarter hours. *Day-ahead*: prices of a day's shape, cars that come home in the evening and
leave in the morning, a site limit that binds in the cheap hours. *Any*: prices, stays, powers and a limit that are all
drawn freely, where a third of the slots bind and the cars have to make room for one another. *Tight*: the same under a
limit that nearly all slots fill, so that serving the most urgent first leaves some short, though nothing has to be
lacking: there the heuristic, too, has to make room for these, and is told beside the same promise. Cars come and go
with the quarter hours; in the last row at any minute, where slots are cut. The program has one column for each car and
slot, and for what each car lacks; its costs are compared with ours on every input. What the program costs to put
together is not counted.

*plan()* is what users call: from a horizon and cars that are there to a plan, with its costs and shortfalls. Schedules
are made when they are read: *all read* is the same with every car's energies, steps and reasons. *The search alone*
begins and ends with arrays. EMHASS and FlexMeasures are asked in `planning_peers`, minimum powers are measured in
`planning_minimums`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array

from benchmarks import planning_minimums, planning_peers
from benchmarks.figures import Figure, median_cpu_s, ms, promised
from benchmarks.planning_days import Asked, Day, Floats, alone, any_day, asked, at_any_minute, day_ahead, tight
from voltbench.energy.plan import Plan, plan
from voltbench.energy.plan_car import plan_car
from voltbench.energy.plan_fleet import plan_fleet

LACKING_PER_WH = 10.0


@dataclass(frozen=True)
class Task:
    """Days to be planned, as arrays for the peers and as `plan` is asked for them, and what is promised for each."""

    what: str
    days: list[Day]
    asked: list[Asked]
    promised_ms: dict[bool, float]
    """By whether the plan is exact."""


def figures(quick: bool = False) -> list[Figure]:
    """One car, a hundred, a thousand; minimum powers; then one and a hundred beside EMHASS and FlexMeasures."""
    rows = _one_car(50 if quick else 500)
    for make, kind in ((day_ahead, "a day-ahead day"), (any_day, "any day"), (tight, "a tight day")):
        for cars, count, quick_ms, exact_ms in ((100, 10, 2.0, 40.0), (1_000, 4, 5.0, 400.0)):
            days = [make(cars, seed) for seed in range(2 if quick else count)]
            promise = {False: quick_ms, True: exact_ms}
            rows += _fleet(Task(f"{cars:,} cars x 96, {kind}", days, [asked(day) for day in days], promise))
    cut = [at_any_minute(any_day(100, seed), seed) for seed in range(2 if quick else 4)]
    rows += _fleet(Task("100 cars, any day and minute", [day for day, _ in cut], [one for _, one in cut], {}))
    return rows + planning_minimums.figures(quick) + planning_peers.figures(quick)


def _read(found: Plan) -> None:
    """Read all of a plan."""
    for one in found.schedules:
        _ = one.energy_wh, one.cost, one.shortfall_wh, one.steps, one.hindrances


def _timed(tasks: Sequence[Asked], exact: bool, rounds: int) -> tuple[str, float]:
    """What `plan` takes, in words and in seconds."""
    plan_s = median_cpu_s(tasks, lambda one: plan(*one, exact=exact), rounds)
    read_s = median_cpu_s(tasks, lambda one: _read(plan(*one, exact=exact)), rounds)
    return f"{ms(plan_s)}, all read {ms(read_s)}", plan_s


def _one_car(count: int) -> list[Figure]:
    days = [alone(seed) for seed in range(count)]
    tasks = [asked(day) for day in days]
    some = days[:20]
    peer_s = sum(_by_program(day, "simplex")[1] for day in some) / len(some)
    for day, task in zip(some, tasks, strict=False):
        cost, least = plan(*task).cost, _by_program(day, "simplex")[0]
        assert abs(cost - least) <= 1e-6 * max(1.0, least), (cost, least)
    search_s = median_cpu_s(days, lambda day: plan_car(day.price, day.room[0], float(day.needed[0])), 15)
    words, plan_s = _timed(tasks, exact=True, rounds=15)

    def row(what: str, ours: str, ours_s: float) -> Figure:
        ratio = f"{peer_s / ours_s:,.0f}x, {promised(0.1e-3, ours_s)}"
        return Figure(f"1 car x 96, exact, {what}", ours, f"HiGHS, simplex {ms(peer_s)}", ratio, "<= 0.1 ms")

    return [row("plan()", words, plan_s), row("the search alone", ms(search_s), search_s)]


def _fleet(task: Task) -> list[Figure]:
    least, peers = list[float](), {"simplex": 0.0, "ipm": 0.0}
    solvers = ["ipm"] if len(task.days[0].needed) > 300 else ["simplex", "ipm"]  # simplex takes minutes there
    for day in task.days:
        for solver in solvers:
            peers[solver] += _by_program(day, solver)[1] / len(task.days)
        least.append(_by_scipy(day))
    fastest_s = min(peers[solver] for solver in solvers)
    peer = "HiGHS, " + ", ".join(f"{solver} {ms(peers[solver])}" for solver in solvers)
    rows = []
    for exact in (False, True):
        gap = _gap(task, exact, least)
        words, plan_s = _timed(task.asked, exact, 7)
        search_s = median_cpu_s(task.days, _search(exact), 7)
        for what, ours, ours_s in (("plan()", words, plan_s), ("the search alone", ms(search_s), search_s)):
            most_ms = task.promised_ms.get(exact)
            ratio = f"{fastest_s / ours_s:,.0f}x" + (f", {promised(most_ms / 1e3, ours_s)}" if most_ms else "")
            name = f"{task.what}, {'exact' if exact else 'heuristic'}, {what}"
            rows.append(Figure(name, f"{ours}, {gap}", peer, ratio, f"<= {most_ms:.0f} ms" if most_ms else ""))
    return rows


def _search(exact: bool) -> Callable[[Day], object]:
    return lambda day: plan_fleet(day.price, day.room, day.needed, day.site, exact=exact)


def _gap(task: Task, exact: bool, least: list[float]) -> str:
    """By how much plans cost more than the programs', which have to lack nothing; both `plan`'s and the search's."""
    gaps = []
    for day, one, best in zip(task.days, task.asked, least, strict=True):
        found = plan(*one, exact=exact)
        searched = plan_fleet(day.price, day.room, day.needed, day.site, exact=exact)
        assert max(found.shortfall_wh, searched.shortfall_wh.sum()) < 1e-3, (found.shortfall_wh, searched.shortfall_wh)
        by_search = float(searched.energy_wh.sum(axis=0) @ day.price) / 1e3
        assert abs(by_search - found.cost) <= (1e-9 if exact else 1e-3) * best, (by_search, found.cost)
        gaps.append(found.cost / best - 1.0)
    assert not exact or max(map(abs, gaps)) < 1e-6, gaps
    return f"gap {max(gaps):.1e}" if exact else f"gap {np.mean(gaps):.2%}, at most {max(gaps):.2%}"


# --- the peers --------------------------------------------------------------------------------------------------------


def _parts(day: Day) -> tuple[Floats, csr_array, csr_array, Floats]:
    """Costs, who gives to which car, what each slot gives, and the most of each column."""
    cars, slots = np.nonzero(day.room)
    count, columns = len(day.needed), np.arange(len(cars))
    costs = np.concatenate((day.price[slots] / 1e3, np.full(count, LACKING_PER_WH)))
    own = np.concatenate((cars, np.arange(count))), np.concatenate((columns, len(cars) + np.arange(count)))
    needs = coo_array((np.ones(len(own[0])), own), shape=(count, len(costs))).tocsr()
    shared = coo_array((np.ones(len(cars)), (slots, columns)), shape=(len(day.price), len(costs))).tocsr()
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
    model.row_lower_ = np.concatenate((day.needed, np.zeros(len(day.price))))
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
