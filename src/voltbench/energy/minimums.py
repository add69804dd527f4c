"""Minimum powers in a fleet's plan: what is planned below a car's minimum is helped to none or to enough.

Finding the cheapest way for all would be a mixed-integer program (`optimize`); this is a heuristic in two steps.
*Mending* keeps what each slot gives and changes who takes it: two cars swap energies between two slots, which costs
nothing; where nobody can swap, the car moves its own energy to another slot; where that fails too, it has its minimum
for a shorter time, or nothing. *Trying* goes back to the plan: minimums are reserved for who would have too little, or
the slot is barred for it, and all the rest is planned anew, exactly.

Measured (benchmarks/planning_minimums.py): of 300 fleets of 2 to 8 cars under tight limits, 8 lack more than HiGHS
finds they have to (0.03 % of all need on average, 6 % in the worst one), and the others cost 0.04 % more on average,
2.2 % at most. With 100 to 1,000 cars and 96 slots nothing more is lacking than without minimums, and the cost is within
0.02 %. Where no exact plan is asked for, and mending leaves out no more than has to be, that is all that is done, which
takes a tenth of the time; else there are two tries, with plans that are not exact either. Of 500 fleets of 2 to 9 cars
with circuits and priorities one lacks 0.2 kWh more then than the exact plan does, and none lacks more than at once
(`plan` compares the two).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Flags, Floats, Integers
from voltbench.energy.demand import Demand
from voltbench.energy.plan_effort import Effort

KEPT_FROM = (0.0, 0.25, 0.5, 1.0)
"""What part of its minimum a car has to have for the rest of it to be reserved, try by try."""
QUICK_KEPT_FROM = (0.0, 0.5)
"""The same where no exact plan is asked for, and one lacks more than without minimums."""
SMALL = 5_000
"""Slots times cars up to which all of these are tried; beyond, the first one alone, which is the best one mostly."""
ROUNDS = 6
"""How often the rest is planned anew in one try."""
NEAR = 1e-4
"""A plan that costs so little more than one without minimums is good enough, relatively."""
STEPS_TO_FILL, STEPS_TO_MEND, LOOKED_AT_IN_A_STEP = 100.0, 500.0, 50.0
"""How much effort it is to fill up one car, and to mend one energy: with so many of them in the plan, a step more."""
SAME_WH = 1.0
"""What lacks so little more lacks no more."""

Move: TypeAlias = tuple[int, int, float]
"""A slot, a car, and how much more that takes there."""
Chosen: TypeAlias = int | slice | Integers


def with_minimums(demand: Demand, least_wh: Floats, effort: Effort) -> Floats:
    """Energies (T x C) that are none, or for which there is room at the car's minimum (`least_wh`, T x C).

    An energy below it is a shorter time at the minimum.
    """
    exact, plan = effort.is_for_exact, demand.met(effort)
    best = filled(demand, mended(demand, plan, least_wh, effort), least_wh, effort)
    is_enough = _is_good if exact else _lacks_no_more
    tries = KEPT_FROM if exact else QUICK_KEPT_FROM
    for kept_from in tries if plan.size <= SMALL else tries[:1]:
        if is_enough(demand, best, plan) or not effort.lasts(exact):
            break
        tried = _tried(demand, plan, least_wh, kept_from, effort, exact)
        best = min(best, tried, key=lambda one: _badness(demand, one))
    return best


def _is_good(demand: Demand, plan: Floats, relaxed: Floats) -> bool:
    least = demand.cost(relaxed)
    return _lacks_no_more(demand, plan, relaxed) and demand.cost(plan) <= least + NEAR * abs(least)


def _lacks_no_more(demand: Demand, plan: Floats, relaxed: Floats) -> bool:
    lacking = zip(demand.lacking_wh(plan), demand.lacking_wh(relaxed), strict=True)
    return all(ours <= least + SAME_WH for ours, least in lacking)


def _badness(demand: Demand, plan: Floats) -> tuple[list[float], float]:
    return [round(wh, 1) for wh in demand.lacking_wh(plan)], demand.cost(plan)


def _tried(demand: Demand, plan: Floats, least_wh: Floats, kept_from: float, effort: Effort, exact: bool) -> Floats:
    """The rest planned anew round after round, until nobody has too little; then who charges when is kept."""
    reserved, barred = np.zeros(plan.shape, dtype=np.bool_), np.zeros(plan.shape, dtype=np.bool_)
    for _ in range(ROUNDS):
        too_little = _too_little(plan, least_wh) & ~reserved
        if not too_little.any() or not effort.lasts(exact):
            break
        for slot, car in _fullest_first(plan, least_wh, too_little):
            if plan[slot, car] >= kept_from * least_wh[slot, car] and _fits(demand, least_wh, reserved, slot, car):
                reserved[slot, car] = True
            else:
                barred[slot, car] = True
        plan = demand.met_beside(np.where(reserved, least_wh, 0.0), barred, effort)
    charging = mended(demand, plan, least_wh, effort, reserved) > NEGLIGIBLE_WH
    free = least_wh <= 0.0
    rest = demand.met_beside(np.where(charging, least_wh, 0.0), ~charging & ~free, effort)
    return filled(demand, rest, least_wh, effort)


def _too_little(plan: Floats, least_wh: Floats) -> Flags:
    found: Flags = (plan > NEGLIGIBLE_WH) & (plan < least_wh - NEGLIGIBLE_WH)
    return found


def _fullest_first(plan: Floats, least_wh: Floats, chosen: Flags) -> Iterator[tuple[int, int]]:
    slots, cars = np.nonzero(chosen)
    for at in np.argsort(-plan[slots, cars] / least_wh[slots, cars], kind="stable").tolist():
        yield int(slots[at]), int(cars[at])


def _fits(demand: Demand, least_wh: Floats, reserved: Flags, slot: int, car: int) -> bool:
    """Whether a car's minimum can be reserved beside those that are."""
    by_all = np.where(reserved[slot], least_wh[slot], 0.0)
    own, row = float(least_wh[slot, car]) - NEGLIGIBLE_WH, int(demand.limit[car])
    on_circuit = float(by_all[demand.limit == row].sum())
    return bool(
        by_all.sum() + own <= demand.limits_wh[0, slot]
        and (row == 0 or on_circuit + own <= demand.limits_wh[row, slot])
    )


# --- filling ----------------------------------------------------------------------------------------------------------


def filled(demand: Demand, plan: Floats, least_wh: Floats, effort: Effort) -> Floats:
    """The same plan (T x C), with what limits have left given to those who lack some, level by level.

    So nobody lacks what could be had without taking it from another: a shorter time at the minimum is made longer, and
    where there is room for its minimum a car begins.
    """
    plan, lacking_wh = plan.copy(), demand.levels[-1] - plan.sum(axis=0)
    if not (lacking_wh > NEGLIGIBLE_WH).any():
        return plan
    spare = demand.limits_wh - demand.carried(np.where(plan > NEGLIGIBLE_WH, np.maximum(plan, least_wh), plan))
    for level in demand.levels:
        for car in np.flatnonzero(level - plan.sum(axis=0) > NEGLIGIBLE_WH).tolist():
            if effort.is_over:
                return plan
            effort.spend(STEPS_TO_FILL)
            _fill(demand, plan, least_wh, spare, car, float(level[car]))
    return plan


def _fill(demand: Demand, plan: Floats, least_wh: Floats, spare: Floats, car: int, asked_wh: float) -> None:
    """Give a car as much as it asks for, or can have of what is spare (L x T), in the cheapest slots."""
    rows = sorted({0, int(demand.limit[car])})
    own, least = plan[:, car], least_wh[:, car]
    held = np.where(own > NEGLIGIBLE_WH, np.maximum(own, least), 0.0)
    most = np.minimum(demand.room_wh[:, car], held + spare[rows].min(axis=0))
    more = np.where(most >= least - NEGLIGIBLE_WH, np.maximum(0.0, most - own), 0.0)
    order = np.argsort(demand.price_per_kwh, kind="stable")
    before = np.cumsum(more[order]) - more[order]
    own[order] += np.minimum(more[order], np.maximum(0.0, asked_wh - own.sum() - before))
    spare[rows] -= np.where(own > NEGLIGIBLE_WH, np.maximum(own, least), 0.0) - held


# --- mending ----------------------------------------------------------------------------------------------------------


def mended(demand: Demand, plan: Floats, least_wh: Floats, effort: Effort, reserved: Flags | None = None) -> Floats:
    """The same plan (T x C) with energies below their minimum helped to none or to enough, one by one.

    Those for which the minimum is `reserved` stay as they are. Once the effort is over, nobody swaps.
    """
    kept = np.zeros(plan.shape, dtype=np.bool_) if reserved is None else reserved
    mending = _Mending(demand, plan.copy(), least_wh, kept)
    for slot, car in np.argwhere(_too_little(plan, least_wh) & ~kept).tolist():
        if (
            NEGLIGIBLE_WH < mending.plan[slot, car] < least_wh[slot, car] - NEGLIGIBLE_WH
        ):  # else it has swapped meanwhile
            effort.spend(STEPS_TO_MEND + plan.size / LOOKED_AT_IN_A_STEP)
            mending.mend(slot, car, thoroughly=not effort.is_over)
    return mending.plan


class _Mending:
    """A plan that is mended (T x C), and what it leaves of the limits: of the site's, and of circuits row by row."""

    def __init__(self, demand: Demand, plan: Floats, least_wh: Floats, reserved: Flags) -> None:
        self.plan, self._room, self._least, self._limit = plan, demand.room_wh, least_wh, demand.limit
        spare = demand.limits_wh - demand.carried(np.where(reserved, np.maximum(plan, least_wh), plan))
        self._site, self._circuit = spare[0], spare.copy()
        self._circuit[0] = np.inf  # who is on no circuit has only the site's
        self._price = demand.price_per_kwh

    def mend(self, slot: int, car: int, thoroughly: bool) -> None:
        """Help what a car has in a slot to none, or to enough, or to its minimum for a shorter time."""
        for away in (True, False) if thoroughly else ():
            has, least = float(self.plan[slot, car]), float(self._least[slot, car])
            missing, moves = has if away else least - has, list[Move]()
            left = self._swapped(slot, car, missing, away, moves)
            if self._moved(slot, car, left, away):
                return
            for move in reversed(moves):
                self._change(move, -1.0)
        self._for_a_while(slot, car)

    def _for_a_while(self, slot: int, car: int) -> None:
        """Reserve a car's minimum for what it has in a slot, there or in the cheapest other one; or give it up."""
        has, row = float(self.plan[slot, car]), int(self._limit[car])
        self._change((slot, car, -has))
        spare = np.minimum(self._site, self._circuit[row])
        least = np.maximum(self._least[:, car], has)
        could = (self.plan[:, car] <= NEGLIGIBLE_WH) & (self._room[:, car] >= has) & (spare >= least - NEGLIGIBLE_WH)
        if could.any():
            at = slot if could[slot] else int(np.where(could, self._price, np.inf).argmin())
            self._change((at, car, has))
            self._site[at] -= least[at] - has
            self._circuit[row, at] -= least[at] - has

    def _change(self, move: Move, times: float = 1.0) -> None:
        slot, car, more = move
        self.plan[slot, car] += times * more
        if self.plan[slot, car] <= NEGLIGIBLE_WH:
            self.plan[slot, car] = 0.0
        self._site[slot] -= times * more
        self._circuit[self._limit[car], slot] -= times * more

    def _swapped(self, slot: int, car: int, missing: float, away: bool, moves: list[Move]) -> float:
        """Swap with other cars, into this slot or `away` from it; return what is still missing then."""
        while missing > NEGLIGIBLE_WH:
            other_slot, other_car, most_wh = self._best_swap(slot, car, away)
            if most_wh <= NEGLIGIBLE_WH:
                break
            wh = min(missing, most_wh) * (-1.0 if away else 1.0)
            for move in ((slot, car, wh), (slot, other_car, -wh), (other_slot, car, -wh), (other_slot, other_car, wh)):
                self._change(move)
                moves.append(move)
            missing -= abs(wh)
        return missing

    def _best_swap(self, slot: int, car: int, away: bool) -> tuple[int, int, float]:
        """With which car, and in which other slot, most energy can be swapped; and how much."""
        own = self._play(slice(None), car, not away)
        others = self._play(slot, slice(None), not away)
        own[slot] = others[car] = 0.0
        slots, cars = np.flatnonzero(own > NEGLIGIBLE_WH), np.flatnonzero(others > NEGLIGIBLE_WH)
        if not len(slots) or not len(cars):
            return slot, car, 0.0
        theirs = self._play(slots[:, None], cars, away)
        most = np.minimum(np.minimum(theirs, own[slots][:, None]), others[cars])
        most = np.minimum(most, self._carried(slot, car, slots, cars, away))
        best = int(most.argmax())
        return int(slots[best // len(cars)]), int(cars[best % len(cars)]), float(most.flat[best])

    def _play(self, slots: Chosen, cars: Chosen, less: bool) -> Floats:
        """How much less, or more, cars could take in slots in which they charge with their minimum or more."""
        plan, least = self.plan[slots, cars], self._least[slots, cars]
        play = plan - least if less else self._room[slots, cars] - plan
        return np.where((plan > NEGLIGIBLE_WH) & (plan >= least - NEGLIGIBLE_WH), play, 0.0)

    def _carried(self, slot: int, car: int, slots: Integers, cars: Integers, away: bool) -> Floats:
        """How much circuits let a car swap with others of other circuits, in other slots (by slot and car)."""
        row, rows = int(self._limit[car]), self._limit[cars]
        if away:
            spare = np.minimum(self._circuit[rows, slot][None, :], self._circuit[row, slots][:, None])
        else:
            spare = np.minimum(self._circuit[row, slot], self._circuit[np.ix_(rows, slots)].T)
        return np.where(rows == row, np.inf, spare)

    def _moved(self, slot: int, car: int, missing: float, away: bool) -> bool:
        """Move a car's own energy to its cheapest other slots, or from its dearest ones; say if that was all of it."""
        own, least, row = self.plan[:, car], self._least[:, car], int(self._limit[car])
        spare = np.minimum(self._site, self._circuit[row])
        if away:
            starts = np.where(own <= NEGLIGIBLE_WH, np.maximum(0.0, self._room[:, car] - own), 0.0)
            could = np.minimum(self._play(slice(None), car, False) + starts, spare)
        elif missing > spare[slot] + NEGLIGIBLE_WH:
            return False
        else:
            could = self._play(slice(None), car, True)
        could[slot] = 0.0
        parts = list[Move]()
        order = np.argsort(self._price if away else -self._price, kind="stable")
        for other in order[could[order] > NEGLIGIBLE_WH].tolist():
            if missing <= NEGLIGIBLE_WH:
                break
            part = min(missing, float(could[other]))
            if not away or own[other] + part >= least[other] - NEGLIGIBLE_WH:
                sign = 1.0 if away else -1.0
                parts += [(other, car, sign * part), (slot, car, -sign * part)]
                missing -= part
        if missing > NEGLIGIBLE_WH:
            return False
        for move in parts:
            self._change(move)
        return True
