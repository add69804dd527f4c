"""When many cars charge, under the limits of a site and of its circuits: the cheapest energy per slot and car.

What a slot's energy costs does not depend on which car takes it. So the energies that the slots can give to the cars
form a polymatroid, and the greedy way is exact (Edmonds 1970; Federgruen and Groenevelt 1988): go through the slots
from the cheapest on, and let each give all it can, where cars that have had enough may make room in cheaper slots for
others. Making room is a search for an augmenting path; sets of cars are the bits of one integer, which makes a step of
it a few machine words. Without making room it is the heuristic: the most urgent cars are served first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan_car import LEAST_WH
from voltbench.errors import InvalidInput

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

DEARER = 4.0
"""How much less a car counts on dear slots than on cheap ones, when it is asked how urgent its need is: the dearest
counts e^-4. Found by trying: so the heuristic's gap is a third of what it is where every slot counts alike."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Energy per car and slot, and what each car lacks in the end; both in Wh.

    Without reroutes the plan may cost a little more than necessary.
    """

    energy_wh: Floats
    shortfall_wh: Floats
    reroutes: int


def plan_fleet(
    price_per_kwh: Floats,
    room_wh: Floats,
    needed_wh: Floats,
    site_wh: Floats,
    *,
    circuit: Integers | None = None,
    circuit_wh: Floats | None = None,
    exact: bool = True,
) -> FleetPlan:
    """The cheapest plan that gives the cars as much as they need, or as much of it as can be given.

    Prices are per slot (T); `room_wh` is what each car can take in each slot (C x T), `needed_wh` what it needs in all,
    `site_wh` what the site has left for cars per slot. `circuit` names each car's circuit, from 0, and `circuit_wh`
    what each circuit can carry (G x T). With `exact` no plan is cheaper. Raises InvalidInput where shapes do not fit
    or anything is negative or not finite.
    """
    _check(price_per_kwh, room_wh, needed_wh, site_wh)
    if circuit is None or circuit_wh is None:
        circuit, circuit_wh = np.zeros(len(needed_wh), dtype=np.intp), site_wh[None, :]
    order: list[int] = np.argsort(price_per_kwh, kind="stable").tolist()
    filling = _Filling(np.ascontiguousarray(room_wh.T), order, needed_wh, site_wh, circuit, circuit_wh.T)
    filling.fill(exact)
    return FleetPlan(filling.taken.T, filling.left, filling.reroutes)


def _check(price_per_kwh: Floats, room_wh: Floats, needed_wh: Floats, site_wh: Floats) -> None:
    cars, slots = room_wh.shape
    for field, found, length in (
        ("price_per_kwh", price_per_kwh, slots),
        ("needed_wh", needed_wh, cars),
        ("site_wh", site_wh, slots),
    ):
        if found.shape != (length,):
            raise InvalidInput(field, "does not fit the cars and slots", found=str(found.shape), allowed=f"({length},)")
    for field, found in (("room_wh", room_wh), ("needed_wh", needed_wh), ("site_wh", site_wh)):
        if not 0.0 <= found.min(initial=0.0) <= found.max(initial=0.0) < np.inf:
            raise InvalidInput(field, "holds energies that are negative or not finite", allowed="0 or more")
    if not np.isfinite(price_per_kwh).all():
        raise InvalidInput("price_per_kwh", "holds prices that are not finite", allowed="numbers")


def served_wh(
    room_wh: Floats, levels: Sequence[Floats], site_wh: Floats, circuit: Integers, circuit_wh: Floats
) -> Floats:
    """How much each car can have, where not all can have all: level after level, each as much as is still possible.

    A level says how much each car asks for in all, and no level asks for less than the one before. What is granted to
    a level is not taken away by a later one.
    """
    every = list(range(len(site_wh)))
    filling = _Filling(np.ascontiguousarray(room_wh.T), every, levels[0], site_wh, circuit, circuit_wh.T)
    filling.fill_all()
    for asked, before in zip(levels[1:], levels, strict=False):
        filling.ask(asked - before)
    served: Floats = filling.taken.sum(axis=0)
    return served


class _Filling:
    """Slots in the order of their prices, that are filled one by one. All energies in Wh.

    A car is a bit: `takers` are the cars that take something in a slot, `open` those that could take more there.
    """

    def __init__(
        self,
        room: Floats,
        order: list[int],
        needed: Floats,
        site: Floats,
        circuit: Integers,
        circuit_room: Floats,
    ) -> None:
        self._room, self._order = room, order
        self.taken = np.zeros_like(room)
        circuits = circuit_room.shape[1]
        self._site: list[float] = (np.minimum(site, circuit_room[:, 0]) if circuits == 1 else site).tolist()
        self._circuit, self._circuit_room = circuit, circuit_room
        self._members = [np.flatnonzero(circuit == g) for g in range(circuits)]
        self._of_circuit = [_bits(circuit == g) for g in range(circuits)]
        self.left = needed.astype(np.float64)
        self._ones = np.ones(len(needed))
        self._chance = self._chances(site)
        self._later = self._counted_on() + LEAST_WH
        self._short_slots, self._urgent = 0, np.arange(len(needed))
        self._noted: list[int] = []
        self._live = self._all_gates()
        self._needy = 0
        self._takers, self._open = [0] * len(site), [0] * len(site)
        self._spare: list[list[float]] = [[]] * len(site)
        self.reroutes = 0

    def fill(self, exact: bool) -> None:
        """Fill slot after slot until nobody needs more."""
        for slot in self._order:
            given = self._give(slot)
            if exact:
                self._note(slot)
                self._make_room(slot, self._site[slot] - given)
            if not given and not (self.left > LEAST_WH).any():
                break
        self.left[self.left <= LEAST_WH] = 0.0

    def fill_all(self) -> None:
        """Fill all slots, so that more can be asked for later."""
        for slot in self._order:
            self._give(slot)
            self._note(slot)
        self.ask(np.zeros_like(self.left))

    def ask(self, more: Floats) -> None:
        """The cars ask for more, and get of it what is left, without taking anything from one another."""
        self.left += more
        self._noted, self._live = self._order, self._all_gates()
        self._needy = _bits(self.left > LEAST_WH)
        for slot in self._order:
            self._make_room(slot, self._site[slot] - float(self.taken[slot].sum()))

    # --- urgency ----------------------------------------------------------------------------------------------------

    def _chances(self, site: Floats) -> Floats:
        """The part of its room in each slot that a car can count on, by circuit (T x G).

        It is little where many would share what there is, and where it is dear.
        """
        chance = _shares(site, self._room @ self._ones)[:, None]
        if len(self._members) > 1:
            wanted = np.column_stack([self._room[:, own].sum(axis=1) for own in self._members])
            chance = np.minimum(chance, _shares(self._circuit_room, wanted))
        turn = np.empty(len(site))
        turn[self._order] = np.arange(len(site)) / len(site)
        return chance * np.exp(-DEARER * turn)[:, None]

    def _counted_on(self) -> Floats:
        """The energy that each car can count on, in all slots together (Wh)."""
        counted_on = np.empty_like(self.left)
        for own, chance in zip(self._members, self._chance.T, strict=True):
            counted_on[own] = chance @ (self._room if len(self._members) == 1 else self._room[:, own])
        return counted_on

    # --- giving -----------------------------------------------------------------------------------------------------

    def _give(self, slot: int) -> float:
        """Give a slot's energy to the cars that need some, the most urgent first; return how much that is."""
        taken, site = self.taken[slot], self._site[slot]
        chance = self._chance[slot]
        self._later -= self._room[slot] * (chance if len(chance) == 1 else chance[self._circuit])
        np.minimum(self._room[slot], self.left, out=taken)
        if len(self._members) > 1:
            self._keep_circuits(slot)
        total = float(taken.dot(self._ones))
        if total > site:
            _ration(taken, site, self._turn())
            total = site
        self.left -= taken
        return total

    def _turn(self) -> Integers:
        """Who is served first; thought over for every other slot, since sorting takes longer than all the rest."""
        if self._short_slots % 2 == 0:
            self._urgent = _urgent_first(self.left, self._later)
        self._short_slots += 1
        return self._urgent

    def _keep_circuits(self, slot: int) -> None:
        """Cut what a slot would give down to what each circuit carries."""
        taken, limits = self.taken[slot], self._circuit_room[slot]
        wanted = np.bincount(self._circuit, weights=taken, minlength=len(limits))
        for g in np.flatnonzero(wanted > limits).tolist():
            own = self._members[g]
            some = taken[own]
            _ration(some, float(limits[g]), _urgent_first(self.left[own], self._later[own]))
            taken[own] = some

    def _note(self, slot: int) -> None:
        """Note who could take more, or less, and what circuits have left."""
        taken = self.taken[slot]
        self._noted.append(slot)
        self._needy = _bits(self.left > LEAST_WH)
        self._open[slot] = _bits(self._room[slot] - taken > LEAST_WH)
        self._takers[slot] = _bits(taken > LEAST_WH)
        carried = np.bincount(self._circuit, weights=taken, minlength=len(self._members))
        self._spare[slot] = (self._circuit_room[slot] - carried).tolist()

    # --- making room ------------------------------------------------------------------------------------------------

    def _make_room(self, slot: int, spare: float) -> None:
        """Use what a slot has left for cars in need, as far as others can make room for them."""
        while self._needy and spare > LEAST_WH:
            moved = self._reroute(slot, spare)
            if not moved:
                break
            spare -= moved

    def _reroute(self, slot: int, spare: float) -> float:
        """Let a car take more in this slot, so that another takes its place in a cheaper one, and so on to one in need.

        Returns how much, which is 0 where nobody's need can be met like this.
        """
        found = self._search(slot)
        if found is None:
            return 0.0
        steps, needy_car = found
        amount = min(spare, float(self.left[needy_car]))
        for at, car, more in steps:
            taken = float(self.taken[at, car])
            amount = min(amount, float(self._room[at, car]) - taken if more else taken)
        shifts = self._circuit_shifts(steps)
        for (at, g), times in shifts.items():
            if times > 0:
                amount = min(amount, self._spare[at][g] / times)
        for at, car, more in steps:
            self._change(at, car, amount if more else -amount)
        for (at, g), times in shifts.items():
            self._spare[at][g] -= times * amount
        self.left[needy_car] -= amount
        if self.left[needy_car] <= LEAST_WH:
            self.left[needy_car] = 0.0
            self._needy &= ~(1 << needy_car)
        self.reroutes += 1
        return amount

    def _search(self, slot: int) -> tuple[list[tuple[int, int, bool]], int] | None:
        """The shortest way from a slot to a car in need: who takes more (True) or less (False) in which slot.

        What is searched are gates: a circuit in a slot that can let more through, to which a car leads that leaves
        there, or another gate of the same slot by way of the site.
        """
        gates = _Gates(self._live, self._of_circuit)
        level = gates.opened(slot, self._spare[slot], None, None)
        while level:
            movers = 0
            for gate in level:
                hit = self._open[gate.slot] & gate.cars & self._needy
                if hit:
                    return self._trace(gate, _first(hit))
                movers |= self._open[gate.slot] & gate.cars
            following: list[_Gate] = []
            for at in self._noted:
                if gates.closed[at]:
                    leaving = self._takers[at] & movers & gates.closed[at]
                    if leaving:
                        following += gates.opened(at, self._spare[at], leaving, level)
            level = following
        self._live = gates.closed  # from where nobody in need is reached now, nobody will be: paths only close
        self._noted = [at for at in self._noted if self._live[at]]
        return None

    def _all_gates(self) -> list[int]:
        every = 0
        for cars in self._of_circuit:
            every |= cars
        return [every] * len(self._site)

    def _trace(self, gate: _Gate, needy_car: int) -> tuple[list[tuple[int, int, bool]], int]:
        car, steps = needy_car, [(gate.slot, needy_car, True)]
        while gate.leaving is not None:
            before, found = next(
                (earlier, gate.leaving & self._open[earlier.slot] & earlier.cars)
                for earlier in gate.level
                if gate.leaving & self._open[earlier.slot] & earlier.cars
            )
            car = _first(found)
            steps += [(gate.slot, car, False), (before.slot, car, True)]
            gate = before
        return steps, needy_car

    def _circuit_shifts(self, steps: list[tuple[int, int, bool]]) -> dict[tuple[int, int], int]:
        """How many times the moved energy each circuit carries more in each slot."""
        shifts: dict[tuple[int, int], int] = {}
        if len(self._of_circuit) > 1:
            for at, car, more in steps:
                place = (at, int(self._circuit[car]))
                shifts[place] = shifts.get(place, 0) + (1 if more else -1)
        return shifts

    def _change(self, at: int, car: int, amount: float) -> None:
        bit, taken = 1 << car, float(self.taken[at, car]) + amount
        if amount > 0.0:
            self._takers[at] |= bit
            if self._room[at, car] - taken <= LEAST_WH:
                self._open[at] &= ~bit
        else:
            self._open[at] |= bit
            if taken <= LEAST_WH:
                taken = 0.0
                self._takers[at] &= ~bit
        self.taken[at, car] = taken


@dataclass(slots=True)
class _Gate:
    """A circuit in a slot that can let more through to its `cars`, once one of those that are `leaving` has left.

    Those come from a gate of the `level` before; who leaves nobody, begins the way.
    """

    slot: int
    cars: int
    leaving: int | None
    level: list[_Gate]


class _Gates:
    """The gates of a search that are still closed: for each slot the cars of the circuits that none has reached."""

    def __init__(self, live: list[int], of_circuit: list[int]) -> None:
        self._of_circuit, self.closed = of_circuit, live.copy()

    def opened(self, slot: int, spare: list[float], leaving: int | None, level: list[_Gate] | None) -> list[_Gate]:
        """The gates of a slot that open: where somebody leaves, and, as the site then has room, where one has spare."""
        gates = []
        for g, cars in enumerate(self._of_circuit):
            if not cars & self.closed[slot]:
                continue
            own = None if leaving is None else leaving & cars
            if own:
                gates.append(_Gate(slot, cars, own, level or []))
            elif len(self._of_circuit) == 1 or spare[g] > LEAST_WH:
                gates.append(_Gate(slot, cars, leaving, level or []))
            else:
                continue
            self.closed[slot] &= ~cars
        return gates


def _shares(limit: Floats, wanted: Floats) -> Floats:
    """The part of what is wanted that limits let through."""
    return np.minimum(1.0, limit / np.maximum(wanted, LEAST_WH))


def _urgent_first(left: Floats, later: Floats) -> Integers:
    """The order of cars: those first who could take least of what they need later on."""
    return (left / later).argsort()[::-1]


def _ration(taken: Floats, limit: float, turn: Integers) -> None:
    """Cut what cars take down to a limit: they are served in turn."""
    through = taken[turn].cumsum()
    last = int(through.searchsorted(limit))
    if last < len(turn):
        taken[turn[last]] -= float(through[last]) - limit
        taken[turn[last + 1 :]] = 0.0


def _bits(chosen: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(chosen, bitorder="little").tobytes(), "little")


def _first(cars: int) -> int:
    return (cars & -cars).bit_length() - 1
