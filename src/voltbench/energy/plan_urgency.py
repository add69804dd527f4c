"""Who is served first in a slot in which not all can be: those who could take least of what they need later on."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats, Integers
from voltbench.energy.plan_limits import Limits

DEARER = 4.0
"""How much less a car counts on dear slots than on cheap ones, when it is asked how urgent its need is: the dearest
counts e^-4. Found by trying: so the heuristic's gap is a third of what it is where every slot counts alike."""


class Urgency:
    """How urgent needs are while slots are filled in their `order`: asked of the n-th of them, and then of later ones.

    Nothing is made of it until somebody asks: where there is enough for all, nobody does.
    """

    def __init__(self, room: Floats, order: list[int], limits: Limits) -> None:
        self._room, self._order, self._limits = room, order, limits
        self._passed, self._short_slots = 0, 0
        self._turn = np.arange(0)

    def turn(self, n: int, left: Floats) -> Integers:
        """Who is served first; thought over for every other slot, since sorting takes longer than all the rest."""
        if self._short_slots % 2 == 0:
            self._turn = urgent_first(left, self.later(n))
        self._short_slots += 1
        return self._turn

    def later(self, n: int) -> Floats:
        """The energy that each car can count on after the n-th slot (Wh)."""
        room, later, chances = self._room, self._later, self._chances
        of_car = slice(None) if chances.shape[1] == 1 else self._limits.circuit
        for slot in self._order[self._passed : n + 1]:
            later -= room[slot] * chances[slot][of_car]
        self._passed = n + 1
        return later

    @cached_property
    def _later(self) -> Floats:
        """The energy that each car can count on, in all slots together (Wh)."""
        counted_on = np.empty(self._room.shape[1])
        for own, chance in zip(self._limits.members, self._chances.T, strict=True):
            counted_on[own] = chance @ self._room[:, own]
        return counted_on + NEGLIGIBLE_WH

    @cached_property
    def _chances(self) -> Floats:
        """The part of its room in each slot that a car can count on, by circuit (T x G).

        It is little where many would share what there is, and where it is dear.
        """
        limits, room = self._limits, self._room
        chance = _shares(limits.site, room @ np.ones(room.shape[1]))[:, None]
        if limits.circuits.shape[1] > 1:
            wanted = np.column_stack([room[:, own].sum(axis=1) for own in limits.members])
            chance = np.minimum(chance, _shares(limits.circuits, wanted))
        turn = np.empty(len(room))
        turn[self._order] = np.arange(len(room)) / len(room)
        return chance * np.exp(-DEARER * turn)[:, None]


def _shares(limit: Floats, wanted: Floats) -> Floats:
    """The part of what is wanted that limits let through."""
    return np.minimum(1.0, limit / np.maximum(wanted, NEGLIGIBLE_WH))


def urgent_first(left: Floats, later: Floats) -> Integers:
    """The order of cars: those first who could take least of what they need later on."""
    return (left / later).argsort()[::-1]
