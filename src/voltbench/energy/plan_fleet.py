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
    circuit: NDArray[np.intp] | None = None,
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
    order = np.argsort(price_per_kwh, kind="stable")
    filling = _Filling(room_wh.T[order], needed_wh, site_wh[order], circuit, circuit_wh.T[order])
    filling.fill(exact)
    energy_wh = np.empty_like(room_wh)
    energy_wh[:, order] = filling.taken.T
    return FleetPlan(energy_wh, filling.left, filling.reroutes)


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
        if not (np.isfinite(found).all() and (found >= 0.0).all()):
            raise InvalidInput(field, "holds energies that are negative or not finite", allowed="0 or more")
    if not np.isfinite(price_per_kwh).all():
        raise InvalidInput("price_per_kwh", "holds prices that are not finite", allowed="numbers")


def served_wh(
    room_wh: Floats, levels: Sequence[Floats], site_wh: Floats, circuit: NDArray[np.intp], circuit_wh: Floats
) -> Floats:
    """How much each car can have, where not all can have all: level after level, each as much as is still possible.

    A level says how much each car asks for in all, and no level asks for less than the one before. What is granted to
    a level is not taken away by a later one.
    """
    filling = _Filling(np.ascontiguousarray(room_wh.T), levels[0], site_wh, circuit, circuit_wh.T)
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
        self, room: Floats, needed: Floats, site: Floats, circuit: NDArray[np.intp], circuit_room: Floats
    ) -> None:
        self._room = room
        self.taken = np.zeros_like(room)
        alone = circuit_room.shape[1] == 1
        self._site: list[float] = (np.minimum(site, circuit_room[:, 0]) if alone else site).tolist()
        self._members = [np.flatnonzero(circuit == g) for g in range(circuit_room.shape[1])]
        self._circuit: list[int] = circuit.tolist()
        self._of_circuit = [_bits(circuit == g) for g in range(circuit_room.shape[1])]
        self._spare: list[list[float]] = circuit_room.tolist()
        self.left = needed.astype(np.float64)
        self._needy = 0
        self._later = room.sum(axis=0)
        self._takers: list[int] = []
        self._open: list[int] = []
        self.reroutes = 0

    def fill(self, exact: bool) -> None:
        """Fill slot after slot until nobody needs more."""
        for slot in range(len(self._site)):
            if not self.left.any():
                break
            spare = self._give(slot)
            if exact:
                self._note(slot)
            while exact and self._needy and spare > LEAST_WH:
                moved = self._reroute(slot, spare)
                if not moved:
                    break
                spare -= moved

    def fill_all(self) -> None:
        """Fill all slots, in whatever order, so that more can be asked for later."""
        for slot in range(len(self._site)):
            self._give(slot)
            self._note(slot)
        self.ask(np.zeros_like(self.left))

    def ask(self, more: Floats) -> None:
        """The cars ask for more, and get of it what is left, without taking anything from one another."""
        self.left += more
        self._needy = _bits(self.left > LEAST_WH)
        for slot in range(len(self._site)):
            spare = self._site[slot] - float(self.taken[slot].sum())
            while self._needy and spare > LEAST_WH:
                moved = self._reroute(slot, spare)
                if not moved:
                    break
                spare -= moved

    # --- giving -----------------------------------------------------------------------------------------------------

    def _give(self, slot: int) -> float:
        """Give a slot's energy to the cars that need some, the most urgent first; return what the site has left."""
        room = self._room[slot]
        self._later -= room
        wanted = np.minimum(room, self.left)
        spare = self._spare[slot]
        if len(spare) > 1:
            for g, members in enumerate(self._members):
                wanted[members] = self._rationed(wanted[members], members, spare[g])
                spare[g] -= float(wanted[members].sum())
        given = self._rationed(wanted, None, self._site[slot])
        if len(spare) > 1 and given is not wanted:
            for g, members in enumerate(self._members):
                spare[g] += float((wanted[members] - given[members]).sum())
        self.left -= given
        self.left[self.left <= LEAST_WH] = 0.0
        self.taken[slot] = given
        return self._site[slot] - float(given.sum())

    def _note(self, slot: int) -> None:
        """Note who could take more, or less."""
        taken = self.taken[slot]
        self._needy = _bits(self.left > 0.0)
        self._open.append(_bits(self._room[slot] - taken > LEAST_WH))
        self._takers.append(_bits(taken > LEAST_WH))

    def _rationed(self, wanted: Floats, members: NDArray[np.intp] | None, limit: float) -> Floats:
        """What each of some cars gets of a limit: those first who could take least of what they need later on."""
        if wanted.sum() <= limit:
            return wanted
        left, later = (self.left, self._later) if members is None else (self.left[members], self._later[members])
        turn = np.argsort(-left / (later + LEAST_WH))
        in_turn = wanted[turn]
        before = np.cumsum(in_turn) - in_turn
        given = np.empty_like(wanted)
        given[turn] = np.clip(limit - before, 0.0, in_turn)
        return given

    # --- making room ------------------------------------------------------------------------------------------------

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
        gates = _Gates(len(self._open), self._of_circuit)
        level = gates.opened(slot, self._spare[slot], None, None)
        while level:
            movers = 0
            for gate in level:
                hit = self._open[gate.slot] & gate.cars & self._needy
                if hit:
                    return self._trace(gate, _first(hit))
                movers |= self._open[gate.slot] & gate.cars
            following: list[_Gate] = []
            for at in range(len(self._takers)):
                if gates.closed[at]:
                    leaving = self._takers[at] & movers & gates.closed[at]
                    if leaving:
                        following += gates.opened(at, self._spare[at], leaving, level)
            level = following
        return None

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
                place = (at, self._circuit[car])
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

    def __init__(self, slots: int, of_circuit: list[int]) -> None:
        self._of_circuit = of_circuit
        every = 0
        for cars in of_circuit:
            every |= cars
        self.closed = [every] * slots

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


def _bits(chosen: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(chosen, bitorder="little").tobytes(), "little")


def _first(cars: int) -> int:
    return (cars & -cars).bit_length() - 1
