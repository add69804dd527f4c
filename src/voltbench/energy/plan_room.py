"""Making room in a fleet's plan: cars that have had enough move to other slots, so that one in need has its place.

That is a search for augmenting paths. It goes from gate to gate: a gate is a circuit in a slot that can let more
through, because it has room of its own, or because one of its cars can leave. Sets of cars are the bits of one integer
for each circuit, which makes a step of the search a few machine words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Flags, Floats, Integers
from voltbench.energy.plan_effort import Effort

ByCircuit: TypeAlias = dict[int, list["_Gate"]]
Step: TypeAlias = tuple[int, int, int, bool]
"""A slot, a circuit, a car by its bit, and whether it takes more there or less."""


@dataclass(slots=True)
class _Gate:
    """A circuit in a slot that can let more through, once one of those `leaving` has left, who are on circuit `of`.

    Those come from a gate of the level `before`; where nobody has to leave, the way begins.
    """

    slot: int
    circuit: int
    leaving: int
    of: int
    before: ByCircuit


class Room:
    """Who takes how much in which slot (`taken`, T x C), and what each car still needs (`left`); both are changed.

    `open` are, for each circuit and slot, the cars that could take more there, `takers` those that take something.
    """

    def __init__(
        self,
        room: Floats,
        taken: Floats,
        left: Floats,
        circuit: Integers,
        circuit_room: Floats,
        effort: Effort,
        exact: bool,
    ) -> None:
        self._room, self._taken, self._left = room, taken, left
        self._effort, self._exact = effort, exact
        slots, circuits = circuit_room.shape
        self._sorted = None if circuits == 1 else np.argsort(circuit, kind="stable")
        counts = np.bincount(circuit, minlength=circuits)
        ends = np.cumsum(counts)
        self._first: list[int] = (ends - counts).tolist()
        self._masks = [(1 << count) - 1 for count in counts.tolist()]
        in_order = np.arange(len(left)) if self._sorted is None else self._sorted
        self._cars: list[list[int]] = [own.tolist() for own in np.split(in_order, ends[:-1])]
        self._circuit, self._circuit_room = circuit, circuit_room
        self._open = [[0] * slots for _ in range(circuits)]
        self._takers = [[0] * slots for _ in range(circuits)]
        self._spare: list[list[float]] = [[]] * slots
        self._needy = [0] * circuits
        self._dead = [bytearray(slots) for _ in range(circuits)]
        self._noted: list[list[int]] = [[] for _ in range(circuits)]
        self._is_needed = False

    # --- noting -----------------------------------------------------------------------------------------------------

    def note(self, slot: int) -> None:
        """Note who could take more or less in a slot, what circuits have left there, and who is in need."""
        self._note(slice(slot, slot + 1), [slot])

    def note_all(self, order: Sequence[int]) -> None:
        """The same of all slots."""
        self._note(slice(0, len(order)), order)

    def _note(self, part: slice, order: Sequence[int]) -> None:
        taken, count = self._taken[part], len(order)
        could, in_need = self._room[part] - taken > NEGLIGIBLE_WH, self._left > NEGLIGIBLE_WH
        bits = self._bits(np.concatenate((could, taken > NEGLIGIBLE_WH, in_need[None, :])))
        for g, own in enumerate(bits):
            self._open[g][part], self._takers[g][part], self._needy[g] = own[:count], own[count:-1], own[-1]
            self._noted[g] += order
        if len(bits) > 1:
            carried = np.array([np.bincount(self._circuit, weights=one, minlength=len(bits)) for one in taken])
            self._spare[part] = (self._circuit_room[part] - carried).tolist()
        self._is_needed = any(self._needy)

    def _bits(self, chosen: Flags) -> list[list[int]]:
        """Circuit by circuit, which of its cars are chosen in each row, as bits."""
        if self._sorted is not None:
            chosen = chosen[:, self._sorted]
        packed = np.packbits(chosen, axis=1, bitorder="little")
        in_all, (count, length) = packed.tobytes(), packed.shape
        rows = [int.from_bytes(in_all[at * length : (at + 1) * length], "little") for at in range(count)]
        if len(self._masks) == 1:
            return [rows]
        return [[row >> first & mask for row in rows] for first, mask in zip(self._first, self._masks, strict=True)]

    # --- making room ------------------------------------------------------------------------------------------------

    def make(self, slot: int, spare: float) -> None:
        """Use what a slot has left for cars in need, as far as others can make room for them."""
        while self._is_needed and spare > NEGLIGIBLE_WH and self._effort.lasts(self._exact):
            moved = self._rerouted(slot, spare)
            if not moved:
                break
            spare -= moved

    def _rerouted(self, slot: int, spare: float) -> float:
        """Lead what a slot has left to cars in need, on the shortest ways that there are; return how much that is."""
        moved = 0.0
        for gate in self._reached(slot):
            while (hit := self._open[gate.circuit][gate.slot] & self._needy[gate.circuit]) and spare > moved:
                amount = self._moved(gate, hit, spare - moved)
                if not amount:
                    break
                moved += amount
        return moved

    def _moved(self, gate: _Gate, hit: int, spare: float) -> float:
        """Let one of the cars in need take more at a gate; return how much, which is 0 where the way is closed."""
        needy = _first(hit)
        steps = self._trace(gate, needy)
        if steps is None:
            return 0.0
        car = self._cars[gate.circuit][needy]
        amount = min(spare, float(self._left[car]))
        for at, g, bit, more in steps:
            own = self._cars[g][bit]
            taken = float(self._taken[at, own])
            amount = min(amount, float(self._room[at, own]) - taken if more else taken)
        shifts = self._circuit_shifts(steps)
        for (at, g), times in shifts.items():
            if times > 0:
                amount = min(amount, self._spare[at][g] / times)
        if amount <= 0.0:
            return 0.0
        for step in steps:
            self._change(step, amount)
        for (at, g), times in shifts.items():
            self._spare[at][g] -= times * amount
        self._left[car] -= amount
        if self._left[car] <= NEGLIGIBLE_WH:
            self._left[car] = 0.0
            self._needy[gate.circuit] &= ~(1 << needy)
            self._is_needed = any(self._needy)
        return amount

    # --- the search -------------------------------------------------------------------------------------------------

    def _reached(self, slot: int) -> list[_Gate]:
        """The gates nearest to a slot at which cars in need could take more; none where there are none."""
        opened, reached = [bytearray(one) for one in self._dead], bytearray(len(self._spare))
        seen, level = [0] * len(self._cars), list[_Gate]()
        self._open_site(slot, 0, -1, {}, opened, level)
        reached[slot] = 1
        while level:
            hits = [gate for gate in level if self._open[gate.circuit][gate.slot] & self._needy[gate.circuit]]
            if hits:
                return hits
            level = self._following(level, seen, opened, reached)
            if not self._effort.lasts(self._exact):
                return []
        self._close(opened)
        return []

    def _following(
        self, level: list[_Gate], seen: list[int], opened: list[bytearray], reached: bytearray
    ) -> list[_Gate]:
        """The gates that open because cars which could take more at those of a level could leave there."""
        following, before, steps = list[_Gate](), ByCircuit(), len(level)
        for gate in level:
            before.setdefault(gate.circuit, []).append(gate)
        for g, gates in before.items():
            movers, could = 0, self._open[g]
            for gate in gates:
                movers |= could[gate.slot]
            movers &= ~seen[g]
            if not movers:
                continue
            seen[g] |= movers
            takers, is_open = self._takers[g], opened[g]
            steps += len(self._noted[g])
            for at in [at for at in self._noted[g] if takers[at] & movers and not is_open[at]]:
                leaving = takers[at] & movers
                if not is_open[at]:
                    is_open[at] = 1
                    following.append(_Gate(at, g, leaving, g, before))
                if not reached[at]:
                    reached[at] = 1
                    self._open_site(at, leaving, g, before, opened, following)
                    steps += len(opened)
        self._effort.spend(steps)
        return following

    def _open_site(
        self, slot: int, leaving: int, of: int, before: ByCircuit, opened: list[bytearray], level: list[_Gate]
    ) -> None:
        """The site has room in a slot, or somebody leaves: the gates of all circuits open there that have some."""
        if len(opened) == 1:
            if not opened[0][slot]:
                opened[0][slot] = 1
                level.append(_Gate(slot, 0, leaving, of, before))
            return
        for g, spare in enumerate(self._spare[slot]):
            if spare > NEGLIGIBLE_WH and not opened[g][slot]:
                opened[g][slot] = 1
                level.append(_Gate(slot, g, leaving, of, before))

    def _close(self, opened: list[bytearray]) -> None:
        """From where nobody in need is reached now, nobody will be: paths only close."""
        for g, (one, before) in enumerate(zip(opened, self._dead, strict=True)):
            if one != before:
                self._noted[g] = [at for at in self._noted[g] if not one[at]]
        self._dead = opened

    def _trace(self, gate: _Gate, needy: int) -> list[Step] | None:
        """Who takes more and who takes less on the way to a gate; None where that way is closed meanwhile."""
        steps: list[Step] = [(gate.slot, gate.circuit, needy, True)]
        while gate.of >= 0:
            could = self._open[gate.of]
            leaving = gate.leaving & self._takers[gate.of][gate.slot]
            before = next((one for one in gate.before.get(gate.of, ()) if leaving & could[one.slot]), None)
            if before is None:
                return None
            bit = _first(leaving & could[before.slot])
            steps += [(gate.slot, gate.of, bit, False), (before.slot, gate.of, bit, True)]
            gate = before
        return steps

    def _circuit_shifts(self, steps: list[Step]) -> dict[tuple[int, int], int]:
        """How many times the moved energy each circuit carries more in each slot."""
        shifts: dict[tuple[int, int], int] = {}
        if len(self._cars) > 1:
            for at, g, _, more in steps:
                shifts[at, g] = shifts.get((at, g), 0) + (1 if more else -1)
        return shifts

    def _change(self, step: Step, amount: float) -> None:
        at, g, bit, more = step
        car, flag = self._cars[g][bit], 1 << bit
        taken = float(self._taken[at, car]) + (amount if more else -amount)
        if more:
            self._takers[g][at] |= flag
            if self._room[at, car] - taken <= NEGLIGIBLE_WH:
                self._open[g][at] &= ~flag
        else:
            self._open[g][at] |= flag
            if taken <= NEGLIGIBLE_WH:
                taken = 0.0
                self._takers[g][at] &= ~flag
        self._taken[at, car] = taken


def _first(cars: int) -> int:
    return (cars & -cars).bit_length() - 1
