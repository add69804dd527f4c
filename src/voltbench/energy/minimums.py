"""Minimum powers in a fleet's plan: what is planned below a car's minimum is helped to none or to enough.

Finding the cheapest way for all would be a mixed-integer program (`optimize`); this is a heuristic in two steps.
*Mending* keeps what each slot gives and changes who takes it: two cars swap energies between two slots, which costs
nothing; where nobody can swap, the car moves its own energy to another slot; where that fails too, it has its minimum
for a shorter time, or nothing. *Trying* goes back to the plan: minimums are reserved for who would have too little, or
the slot is barred for it, and all the rest is planned anew, exactly.

Measured (benchmarks/planning_minimums.py): of 300 fleets of 2 to 8 cars under tight limits, 8 lack more than HiGHS
finds they have to (0.03 % of all need on average, 6 % in the worst one), and the others cost 0.04 % more on average,
2.2 % at most. With 100 to 1,000 cars and 96 slots nothing more is lacking than without minimums, and the cost is within
0.02 %. Mending alone, which is all that is done where no exact plan is asked for, takes a tenth of the time and leaves
out up to 0.2 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from voltbench.energy.demand import Demand, Flags, Floats, Integers
from voltbench.energy.plan_car import LEAST_WH

KEPT_FROM = (0.0, 0.25, 0.5, 1.0)
"""What part of its minimum a car has to have for the rest of it to be reserved, try by try."""
SMALL = 5_000
"""Slots times cars up to which all of these are tried; beyond, the first one alone, which is the best one mostly."""
ROUNDS = 6
"""How often the rest is planned anew in one try."""
NEAR = 1e-4
"""A plan that costs so little more than one without minimums is good enough, relatively."""
SAME_WH = 1.0
"""What lacks so little more lacks no more."""

Move: TypeAlias = tuple[int, int, float]
"""A slot, a car, and how much more that takes there."""
Chosen: TypeAlias = int | slice | Integers


def with_minimums(demand: Demand, least_wh: Floats, exact: bool) -> Floats:
    """Energies (T x C) that are none, or for which there is room at the car's minimum (`least_wh`, T x C).

    An energy below it is a shorter time at the minimum.
    """
    plan = demand.met(exact)
    best = mended(demand, plan, least_wh)
    if not exact or _is_good(demand, best, plan):
        return best
    for kept_from in KEPT_FROM if plan.size <= SMALL else KEPT_FROM[:1]:
        best = min(best, _tried(demand, plan, least_wh, kept_from), key=lambda one: _badness(demand, one))
        if _is_good(demand, best, plan):
            break
    return best


def _is_good(demand: Demand, plan: Floats, relaxed: Floats) -> bool:
    lacking = zip(demand.lacking_wh(plan), demand.lacking_wh(relaxed), strict=True)
    least = demand.cost(relaxed)
    return all(ours <= least + SAME_WH for ours, least in lacking) and demand.cost(plan) <= least + NEAR * abs(least)


def _badness(demand: Demand, plan: Floats) -> tuple[list[float], float]:
    return [round(wh, 1) for wh in demand.lacking_wh(plan)], demand.cost(plan)


def _tried(demand: Demand, plan: Floats, least_wh: Floats, kept_from: float) -> Floats:
    """The rest planned anew round after round, until nobody has too little; then who charges when is kept."""
    reserved, barred = np.zeros(plan.shape, dtype=np.bool_), np.zeros(plan.shape, dtype=np.bool_)
    for _ in range(ROUNDS):
        too_little = _too_little(plan, least_wh) & ~reserved
        if not too_little.any():
            break
        for slot, car in _fullest_first(plan, least_wh, too_little):
            if plan[slot, car] >= kept_from * least_wh[slot, car] and _fits(demand, least_wh, reserved, slot, car):
                reserved[slot, car] = True
            else:
                barred[slot, car] = True
        plan = demand.met_beside(np.where(reserved, least_wh, 0.0), barred)
    charging = mended(demand, plan, least_wh, reserved) > LEAST_WH
    free = least_wh <= 0.0
    return demand.met_beside(np.where(charging, least_wh, 0.0), ~charging & ~free)


def _too_little(plan: Floats, least_wh: Floats) -> Flags:
    found: Flags = (plan > LEAST_WH) & (plan < least_wh - LEAST_WH)
    return found


def _fullest_first(plan: Floats, least_wh: Floats, chosen: Flags) -> Iterator[tuple[int, int]]:
    slots, cars = np.nonzero(chosen)
    for at in np.argsort(-plan[slots, cars] / least_wh[slots, cars], kind="stable").tolist():
        yield int(slots[at]), int(cars[at])


def _fits(demand: Demand, least_wh: Floats, reserved: Flags, slot: int, car: int) -> bool:
    """Whether a car's minimum can be reserved beside those that are."""
    by_all = np.where(reserved[slot], least_wh[slot], 0.0)
    own, row = float(least_wh[slot, car]) - LEAST_WH, int(demand.limit[car])
    on_circuit = float(by_all[demand.limit == row].sum())
    return bool(
        by_all.sum() + own <= demand.limits_wh[0, slot]
        and (row == 0 or on_circuit + own <= demand.limits_wh[row, slot])
    )


# --- mending ----------------------------------------------------------------------------------------------------------


def mended(demand: Demand, plan: Floats, least_wh: Floats, reserved: Flags | None = None) -> Floats:
    """The same plan (T x C) with energies below their minimum helped to none or to enough, one by one.

    Those for which the minimum is `reserved` stay as they are.
    """
    kept = np.zeros(plan.shape, dtype=np.bool_) if reserved is None else reserved
    mending = _Mending(demand, plan.copy(), least_wh, kept)
    for slot, car in np.argwhere(_too_little(plan, least_wh) & ~kept).tolist():
        if LEAST_WH < mending.plan[slot, car] < least_wh[slot, car] - LEAST_WH:  # else it has swapped meanwhile
            mending.mend(slot, car)
    return mending.plan


class _Mending:
    """A plan that is mended (T x C), and what it leaves of the limits: of the site's, and of circuits row by row."""

    def __init__(self, demand: Demand, plan: Floats, least_wh: Floats, reserved: Flags) -> None:
        self.plan, self._room, self._least, self._limit = plan, demand.room_wh, least_wh, demand.limit
        spare = demand.limits_wh - demand.carried(np.where(reserved, np.maximum(plan, least_wh), plan))
        self._site, self._circuit = spare[0], spare.copy()
        self._circuit[0] = np.inf  # who is on no circuit has only the site's
        self._price = demand.price_per_kwh

    def mend(self, slot: int, car: int) -> None:
        """Help what a car has in a slot to none, or to enough, or to its minimum for a shorter time."""
        for away in (True, False):
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
        could = (self.plan[:, car] <= LEAST_WH) & (self._room[:, car] >= has) & (spare >= least - LEAST_WH)
        if could.any():
            at = slot if could[slot] else int(np.where(could, self._price, np.inf).argmin())
            self._change((at, car, has))
            self._site[at] -= least[at] - has
            self._circuit[row, at] -= least[at] - has

    def _change(self, move: Move, times: float = 1.0) -> None:
        slot, car, more = move
        self.plan[slot, car] += times * more
        if self.plan[slot, car] <= LEAST_WH:
            self.plan[slot, car] = 0.0
        self._site[slot] -= times * more
        self._circuit[self._limit[car], slot] -= times * more

    def _swapped(self, slot: int, car: int, missing: float, away: bool, moves: list[Move]) -> float:
        """Swap with other cars, into this slot or `away` from it; return what is still missing then."""
        while missing > LEAST_WH:
            other_slot, other_car, most_wh = self._best_swap(slot, car, away)
            if most_wh <= LEAST_WH:
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
        slots, cars = np.flatnonzero(own > LEAST_WH), np.flatnonzero(others > LEAST_WH)
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
        return np.where((plan > LEAST_WH) & (plan >= least - LEAST_WH), play, 0.0)

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
            starts = np.where(own <= LEAST_WH, np.maximum(0.0, self._room[:, car] - own), 0.0)
            could = np.minimum(self._play(slice(None), car, False) + starts, spare)
        elif missing > spare[slot] + LEAST_WH:
            return False
        else:
            could = self._play(slice(None), car, True)
        could[slot] = 0.0
        parts = list[Move]()
        order = np.argsort(self._price if away else -self._price, kind="stable")
        for other in order[could[order] > LEAST_WH].tolist():
            if missing <= LEAST_WH:
                break
            part = min(missing, float(could[other]))
            if not away or own[other] + part >= least[other] - LEAST_WH:
                sign = 1.0 if away else -1.0
                parts += [(other, car, sign * part), (slot, car, -sign * part)]
                missing -= part
        if missing > LEAST_WH:
            return False
        for move in parts:
            self._change(move)
        return True
