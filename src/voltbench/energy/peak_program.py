"""What cars beside a load cost at least under a tariff that bills the highest means, as a linear program.

The sum of the k highest of some numbers is the least of k t + sum(max(0, number - t)) over all t (Ogryczak and Tamir
2003, https://doi.org/10.1016/S0020-0190(02)00370-8). So the bill is convex, and its program linear. What is told of the
solution is not a plan but limits: whoever plans under them, as with any others, pays no more than the program says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats, Integers
from voltbench.energy.fleet import Fleet, PlanSlots
from voltbench.energy.plan import Horizon, PlannedCar, hours_present
from voltbench.energy.program import Columns, Program
from voltbench.energy.search import solve
from voltbench.errors import LocalProtocolError, Unavailable


@dataclass(frozen=True, slots=True)
class Peaks:
    """Which means are billed. Each interval's is that of slots by their `shares` (I x T), times a weight.

    An interval raises an item: a day, or itself. Each item has a month, and is a peak of `floor_w` at least, as seen
    before. Of each month the `count` highest items cost so much each.
    """

    shares: Floats
    weight: Floats
    item: Integers
    floor_w: Floats
    month: Integers
    count: int
    price_per_kw: float


@dataclass(frozen=True, slots=True)
class LeastPeaks:
    """The solution: by slot what cars may draw so that it costs no more, and by item how high it may become.

    The slots are those of the horizon, cut where cars come and go. No plan of the program costs less than `cost`, with
    all that is billed of load and items.
    """

    slots: PlanSlots
    site_w: Floats
    items_w: Floats
    cost: float


def columns_of(horizon: Horizon, cars: Sequence[PlannedCar]) -> int:
    """How many columns a program of these has, about: one for each car and slot that it is there in."""
    return sum(int(np.count_nonzero(hours_present(horizon, car))) for car in cars)


def least_peaks(
    horizon: Horizon, cars: Sequence[PlannedCar], load_w: Floats, peaks: Peaks, given_wh: Floats
) -> LeastPeaks | None:
    """The cheapest way to give these cars as much as they are given: none of a priority may have less together.

    The load is by slot, what is given by car. Cars are as if they had no minimum, no losses, and could pause: with
    those that have, others may do better than the limits that are told, but no plan costs less. None where HiGHS finds
    nothing in its time.
    """
    program = _PeakProgram(horizon, cars, load_w, peaks)
    program.give(given_wh)
    return program.solved()


class _PeakProgram:
    """Energies by car and slot, and by slot those of all cars, in Wh; peaks in W, of which each month has a least one.

    An item may exceed that one, which it pays for once, and each month pays for its least one as often as it counts.
    """

    def __init__(self, horizon: Horizon, cars: Sequence[PlannedCar], load_w: Floats, peaks: Peaks) -> None:
        self._fleet = Fleet.of(cars, horizon.slots.circuits)
        self._slots, self._whole_h = horizon.slots.cut(self._fleet), horizon.hours
        self._whole: Columns = self._slots.repeated(np.arange(len(self._whole_h), dtype=np.int32))
        self._load_w, self._peaks, self._program = load_w, peaks, Program()
        room_wh = self._fleet.room_wh(self._slots)
        slot, self._car = np.nonzero(room_wh)
        self._energy = self._program.columns(len(slot), 0.0, room_wh[slot, self._car])
        self._drawn = self._draw(slot)
        self._keep_circuits(slot)
        self._least, self._above = self._billed()
        self._bill()

    def solved(self) -> LeastPeaks | None:
        """The solution, and the limits that it leads to."""
        model = self._program.finished()
        try:
            columns = solve(model).columns
        except (LocalProtocolError, Unavailable):
            return None  # who asks has other plans
        items_w = self._as_high_as_can_be(columns[self._least][self._peaks.month] + columns[self._above])
        return LeastPeaks(
            self._slots, self._site_w(columns[self._drawn], items_w), items_w, float(model.cost @ columns)
        )

    def give(self, given_wh: Floats) -> None:
        """Let no priority lack more, of what its cars need and of what they would like beyond."""
        fleet, program = self._fleet, self._program
        asked_wh = fleet.needed_wh + fleet.extra_wh
        rows = program.rows(len(asked_wh), asked_wh - NEGLIGIBLE_WH, asked_wh)
        program.enter(rows[self._car], self._energy, 1.0)
        short_wh = np.maximum(0.0, fleet.needed_wh - given_wh)
        for most_wh, lacks_wh in (
            (fleet.needed_wh, short_wh),
            (fleet.extra_wh, np.maximum(0.0, asked_wh - given_wh - short_wh)),
        ):
            for priority in np.unique(fleet.priority):
                own = np.flatnonzero(fleet.priority == priority)
                in_all_wh = float(lacks_wh[own].sum())
                if in_all_wh <= NEGLIGIBLE_WH * len(own):
                    continue
                lacking = program.columns(len(own), 0.0, most_wh[own])
                program.enter(rows[own], lacking, 1.0)
                kept = program.rows(1, -inf, in_all_wh)
                program.enter(np.repeat(kept, len(own)), lacking, 1.0)

    # --- its rows -----------------------------------------------------------------------------------------------------

    def _draw(self, slot: Integers) -> Columns:
        """What all cars draw in each slot, under the site's limit, with what it costs."""
        slots, program = self._slots, self._program
        count = len(slots.hours)
        drawn = program.columns(count, 0.0, slots.limits_w[0] * slots.hours, slots.price_per_kwh / 1e3)
        rows = program.rows(count, 0.0, 0.0)
        program.enter(rows, drawn, -1.0)
        program.enter(rows[slot], self._energy, 1.0)
        return drawn

    def _keep_circuits(self, slot: Integers) -> None:
        slots, limit = self._slots, self._fleet.limit[self._car]
        some = np.flatnonzero(limit > 0)
        places, row_of = np.unique(limit[some] * len(slots.hours) + slot[some], return_inverse=True)
        limits_wh = (slots.limits_w * slots.hours).ravel()[places]
        rows = self._program.rows(len(places), -inf, limits_wh)
        self._program.enter(rows[row_of], self._energy[some], 1.0)

    def _billed(self) -> tuple[Columns, Columns]:
        """The least peak of each month, and by how much each item exceeds it; W."""
        peaks, program = self._peaks, self._program
        price, months = peaks.price_per_kw / 1e3, int(peaks.month.max()) + 1
        least = program.columns(months, 0.0, inf, price * peaks.count)
        above = program.columns(len(peaks.month), 0.0, inf, price)
        rows = program.rows(len(above), peaks.floor_w, inf)
        program.enter(rows, above, 1.0)
        program.enter(rows, least[peaks.month], 1.0)
        return least, above

    def _bill(self) -> None:
        """Each interval that counts is no more than its item."""
        peaks, program = self._peaks, self._program
        counts = np.flatnonzero(peaks.weight > 0.0)
        item, weighted = peaks.item[counts], peaks.shares[counts] * peaks.weight[counts, None]
        rows = program.rows(len(counts), weighted @ self._load_w, inf)
        program.enter(rows, self._above[item], 1.0)
        program.enter(rows, self._least[peaks.month[item]], 1.0)
        by_part = (weighted / self._whole_h)[:, self._whole]
        row, slot = np.nonzero(by_part)
        program.enter(rows[row], self._drawn[slot], -by_part[row, slot])

    def _as_high_as_can_be(self, items_w: Floats) -> Floats:
        """The same bill with more room: what is not billed of a month may be as high as the least that is."""
        peaks, higher_w = self._peaks, items_w.copy()
        for month in range(int(peaks.month.max()) + 1):
            own = np.flatnonzero(peaks.month == month)
            if len(own) >= peaks.count:
                higher_w[own] = np.maximum(items_w[own], np.sort(items_w[own])[-peaks.count])
        return higher_w

    def _site_w(self, drawn_wh: Floats, items_w: Floats) -> Floats:
        """What cars may draw in each slot: what they do, and what this leaves of the mean of each interval."""
        peaks = self._peaks
        mean_w = peaks.shares @ (self._load_w + np.bincount(self._whole, drawn_wh) / self._whole_h)
        may_w = np.full(len(mean_w), inf)
        np.divide(items_w[peaks.item], peaks.weight, out=may_w, where=peaks.weight > 0.0)
        left_w = np.maximum(0.0, may_w - mean_w)
        spare_w = np.where(peaks.shares > 0.0, left_w[:, None], inf).min(axis=0)
        site_w: Floats = np.minimum(self._slots.limits_w[0], drawn_wh / self._slots.hours + spare_w[self._whole])
        return site_w
