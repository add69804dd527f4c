"""When many cars charge, under the limits of a site and of its circuits: the cheapest energy per slot and car.

What a slot's energy costs does not depend on which car takes it. So the energies that the slots can give to the cars
form a polymatroid, and the greedy way is exact (Edmonds 1970; Federgruen and Groenevelt 1988): go through the slots
from the cheapest on, and let each give all it can, where cars that have had enough may make room in cheaper slots for
others (`plan_room`). The quick way serves the most urgent cars first in each slot, and lets nobody make room but, in
the end, for those who are left short. So it costs more, but lacks no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats, Integers
from voltbench.energy.plan_effort import Effort
from voltbench.energy.plan_limits import Limits
from voltbench.energy.plan_room import Room
from voltbench.energy.plan_shift import shift
from voltbench.energy.plan_urgency import Urgency, urgent_first
from voltbench.errors import InvalidInput

FEW_CARS = 20
"""For so many in need room is made one by one, since that is faster then."""
SHIFTED_IN_A_STEP, GIVEN_IN_A_STEP = 50.0, 20.0
"""How many energies are looked at in the time of a step where it is many at once."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Energy per car and slot, and what each car lacks in the end; both in Wh."""

    energy_wh: Floats
    shortfall_wh: Floats


def plan_fleet(
    price_per_kwh: Floats,
    room_wh: Floats,
    needed_wh: Floats,
    site_wh: Floats,
    *,
    circuit: Integers | None = None,
    circuit_wh: Floats | None = None,
    exact: bool = True,
    effort: Effort | None = None,
) -> FleetPlan:
    """The cheapest plan that gives the cars as much as they need, or as much of it as can be given.

    Prices are per slot (T); `room_wh` is what each car can take in each slot (C x T), `needed_wh` what it needs in all,
    `site_wh` what the site has left for cars per slot. `circuit` names each car's circuit, from 0, and `circuit_wh`
    what each circuit can carry (G x T). With `exact` no plan is cheaper, unless the `effort` is over before; without,
    it lacks no more, unless so. Raises InvalidInput where shapes do not fit, a circuit is not among those, or anything
    is negative or not finite.
    """
    if (circuit is None) != (circuit_wh is None):
        raise InvalidInput("circuit_wh", "does not go without circuits", allowed="both of them, or none")
    if circuit is None or circuit_wh is None:
        circuit, circuit_wh = np.zeros(len(needed_wh), dtype=np.intp), site_wh[None, :]
    _check(price_per_kwh, room_wh, needed_wh, site_wh, circuit, circuit_wh)
    limits = Limits.of(site_wh, circuit, circuit_wh)
    effort = Effort(exact=exact) if effort is None else effort
    filling = _Filling(np.ascontiguousarray(room_wh.T), _by_price(price_per_kwh), needed_wh, limits, effort)
    filling.fill()
    return FleetPlan(filling.taken.T, filling.left)


def _check(
    price_per_kwh: Floats,
    room_wh: Floats,
    needed_wh: Floats,
    site_wh: Floats,
    circuit: Integers,
    circuit_wh: Floats,
) -> None:
    cars, slots = room_wh.shape
    for field, found, shape in (
        ("price_per_kwh", price_per_kwh, (slots,)),
        ("needed_wh", needed_wh, (cars,)),
        ("site_wh", site_wh, (slots,)),
        ("circuit", circuit, (cars,)),
        ("circuit_wh", circuit_wh, (len(circuit_wh), slots)),
    ):
        if found.shape != shape:
            raise InvalidInput(field, "does not fit the cars and slots", found=str(found.shape), allowed=str(shape))
    for field, found in (
        ("room_wh", room_wh),
        ("needed_wh", needed_wh),
        ("site_wh", site_wh),
        ("circuit_wh", circuit_wh),
    ):
        if not 0.0 <= found.min(initial=0.0) <= found.max(initial=0.0) < np.inf:
            raise InvalidInput(field, "holds energies that are negative or not finite", allowed="0 or more")
    if cars and not 0 <= circuit.min() <= circuit.max() < len(circuit_wh):
        raise InvalidInput("circuit", "names one that there is not", allowed=f"0 to {len(circuit_wh) - 1}")
    if not np.isfinite(price_per_kwh).all():
        raise InvalidInput("price_per_kwh", "holds prices that are not finite", allowed="numbers")


def served(
    price_per_kwh: Floats,
    room_wh: Floats,
    levels: Sequence[Floats],
    site_wh: Floats,
    circuit: Integers,
    circuit_wh: Floats,
    effort: Effort | None = None,
) -> Floats:
    """Energies (T x C) where not all can have all: level after level, each as much as is still possible.

    A level says how much each car asks for in all, and no level asks for less than the one before. What is granted to
    a level is not taken away by a later one. Cheap slots come first, but others may cost less.
    """
    effort, order = Effort() if effort is None else effort, _by_price(price_per_kwh)
    room, limits = np.ascontiguousarray(room_wh.T), Limits.of(site_wh, circuit, circuit_wh)
    taken, left = np.zeros_like(room), np.zeros(len(circuit))
    for asked, before in zip(levels, (np.zeros(len(circuit)), *levels), strict=False):
        more = _Filling(room - taken, order, asked - before, limits.without(taken), effort)
        more.fill_greedily()
        taken += more.taken
        left += more.left
        whole = _Filling(room, order, left, limits, effort, taken)
        whole.make_room()
        taken, left = whole.taken, whole.left
    return taken


def _by_price(price_per_kwh: Floats) -> list[int]:
    order: list[int] = np.argsort(price_per_kwh, kind="stable").tolist()
    return order


class _Filling:
    """Slots in the order of their prices, that are filled one by one. All energies in Wh."""

    def __init__(
        self,
        room: Floats,
        order: list[int],
        needed: Floats,
        limits: Limits,
        effort: Effort,
        taken: Floats | None = None,
    ) -> None:
        self._room, self._order, self._limits, self._effort = room, order, limits, effort
        self.taken = np.zeros(room.shape) if taken is None else taken
        self._site: list[float] = limits.site.tolist()
        self._circuit, self._circuit_room = limits.circuit, limits.circuits
        self._members = limits.members
        self._urgency = Urgency(room, order, limits)
        self._ones = np.ones(len(needed))
        self.left = needed.astype(np.float64)

    def fill(self) -> None:
        """Fill slot after slot until nobody needs more."""
        if self._effort.is_for_exact:
            self._fill_exactly()
        else:
            self.fill_greedily()
        if not self._effort.is_for_exact:
            self.make_room()

    def fill_greedily(self) -> None:
        """Fill slot after slot, and move nobody."""
        self._effort.spend(self.taken.size / GIVEN_IN_A_STEP)
        for n, slot in enumerate(self._order):
            if not self._give(n, slot) and not (self.left > NEGLIGIBLE_WH).any():
                break
        self.left[self.left <= NEGLIGIBLE_WH] = 0.0

    def _fill_exactly(self) -> None:
        room = self._making_room(exact=True)
        for n, slot in enumerate(self._order):
            given = self._give(n, slot)
            if self._effort.is_for_exact:
                room.note(slot)
                room.make(slot, self._site[slot] - given)
            if not given and not (self.left > NEGLIGIBLE_WH).any():
                break
        self.left[self.left <= NEGLIGIBLE_WH] = 0.0

    def make_room(self) -> None:
        """Give what slots have left to those who are short, as far as others can make room for them."""
        if self._effort.is_over or not (self.left > NEGLIGIBLE_WH).any():
            return
        spare: list[float] = (self._limits.site - self.taken.sum(axis=1)).tolist()
        if self._circuit_room.shape[1] == 1:
            self._shift(spare)
        if (self.left > NEGLIGIBLE_WH).any():
            room = self._making_room(exact=False)
            room.note_all(self._order)
            for slot in self._order:
                room.make(slot, spare[slot])
        self.left[self.left <= NEGLIGIBLE_WH] = 0.0

    def _shift(self, spare: list[float]) -> None:
        for slot in self._order:
            if spare[slot] <= NEGLIGIBLE_WH:
                continue
            if np.count_nonzero(self.left > NEGLIGIBLE_WH) <= FEW_CARS:
                break
            spare[slot] = shift(self._room, self.taken, self.left, slot, spare[slot])
            self._effort.spend(self.taken.size / SHIFTED_IN_A_STEP)

    def _making_room(self, exact: bool) -> Room:
        return Room(self._room, self.taken, self.left, self._circuit, self._circuit_room, self._effort, exact)

    # --- giving -----------------------------------------------------------------------------------------------------

    def _give(self, n: int, slot: int) -> float:
        """Give the energy of a slot, the n-th in the order, to the cars that need some; return how much that is.

        The most urgent come first.
        """
        taken, site, left = self.taken[slot], self._site[slot], self.left
        np.minimum(self._room[slot], left, out=taken)
        if len(self._members) > 1:
            self._keep_circuits(n, slot)
        total = float(taken.dot(self._ones))
        if total > site:
            _ration(taken, site, self._urgency.turn(n, left))
            total = site
        left -= taken
        return total

    def _keep_circuits(self, n: int, slot: int) -> None:
        """Cut what a slot would give down to what each circuit carries."""
        taken, limits = self.taken[slot], self._circuit_room[slot]
        wanted = np.bincount(self._circuit, weights=taken, minlength=len(limits))
        for g in np.flatnonzero(wanted > limits).tolist():
            own = self._members[g]
            some = taken[own]
            _ration(some, float(limits[g]), urgent_first(self.left[own], self._urgency.later(n)[own]))
            taken[own] = some


def _ration(taken: Floats, limit: float, turn: Integers) -> None:
    """Cut what cars take down to a limit: they are served in turn."""
    through = taken[turn].cumsum()
    last = int(through.searchsorted(limit))
    if last < len(turn):
        taken[turn[last]] -= float(through[last]) - limit
        taken[turn[last + 1 :]] = 0.0
