"""A fleet of which some charge in one go: each of these by itself, and all the others together beside them.

The blocks are planned one by one, those of the highest priority first and of these the most urgent, in what the others
leave that may not be passed over: those of a higher priority, and, order by order, those of the same one or not. The
others are then planned anew in what all blocks have left. Each order is tried with blocks that hold what their cars
would like beyond their needs, and with blocks of needs alone; the draft that lacks least, and then costs least, is it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from voltbench.energy.arrays import Floats, Integers
from voltbench.energy.fleet import Fleet, PlanSlots, SlotStretches, most_drawn_w
from voltbench.energy.plan_car import plan_block
from voltbench.energy.plan_draft import FleetDraft, drafted, energies
from voltbench.energy.plan_effort import Effort

if TYPE_CHECKING:
    from voltbench.energy.plan import PlannedCar

ROUNDS = 8
"""How often blocks that lack something are tried again in what is left in the end: mostly nothing is found twice."""
STEPS_TO_PLACE, LIMITS_IN_A_STEP = 1_000.0, 10.0
"""How much effort it is to place a block: so much, and more with many limits and slots."""
WORTH_WH = 1e-2
"""A block is not moved for less than this."""


def with_blocks(slots: PlanSlots, fleet: Fleet, cars: Sequence[PlannedCar], effort: Effort) -> FleetDraft:
    """The best of the drafts, order by order; of as many as the effort lasts for, and of one at least."""
    extras = (True, False) if fleet.extra_wh.any() else (True,)
    drafts = list[FleetDraft]()
    for blocks_first, with_extras in product((True, False), extras):
        drafts.append(_Drafting(slots, fleet, cars, effort).draft(blocks_first, with_extras))
        if effort.is_over:
            break
    return min(drafts, key=lambda draft: draft.badness(fleet))


class _Drafting:
    """A fleet's plan in the making: the energies of all (T x C), and the power that each block has in each slot."""

    def __init__(self, slots: PlanSlots, fleet: Fleet, cars: Sequence[PlannedCar], effort: Effort) -> None:
        self._slots, self._fleet, self._cars, self._effort = slots, fleet, cars, effort
        is_block = np.array([car.in_one_go for car in cars])
        self._others = np.flatnonzero(~is_block)
        urgency = fleet.needed_wh / (fleet.most_w * (fleet.departs_at - fleet.arrives_at))
        blocks = np.flatnonzero(is_block)
        self._blocks: list[int] = blocks[np.lexsort((-urgency[blocks], -fleet.priority[blocks]))].tolist()
        self._room_wh = fleet.room_wh(slots)
        self._energy_wh = np.zeros((len(slots.price_per_kwh), len(cars)))
        self._stretches: dict[int, SlotStretches] = {}
        self._blocks_w = np.zeros_like(slots.limits_w)
        self._others_w = np.zeros_like(slots.limits_w)

    def draft(self, blocks_first: bool, with_extras: bool) -> FleetDraft:
        """All blocks, and then all the others."""
        before: Integers = self._others[:0]
        for block in self._blocks:
            priority = self._fleet.priority[self._others]
            own = self._fleet.priority[block]
            served = self._others[priority > own if blocks_first else priority >= own]
            if len(served) > len(before):
                before = served
                self._plan_needs(before)
            extra_wh = self._cars[block].extra_wh if with_extras else 0.0
            self._place(block, self._cars[block].needed_wh + extra_wh, 0.0)
        self._plan_others()
        for _ in range(ROUNDS):
            if self._effort.is_over or not self._lengthened():
                break
            self._plan_others()
        return drafted(self._slots, self._fleet, self._cars, self._energy_wh, self._all_stretches)

    # --- the others -------------------------------------------------------------------------------------------------

    def _plan_needs(self, some: Integers) -> None:
        """Keep free what some of the others need, beside the blocks that there are."""
        fleet = replace(self._fleet.some(some), extra_wh=np.zeros(len(some)))
        energy_wh = energies(self._slots, fleet, self._beside_blocks(), self._effort)
        self._others_w = SlotStretches.even(self._slots, fleet, energy_wh).on_limits(self._slots, fleet)

    def _plan_others(self) -> None:
        fleet = self._fleet.some(self._others)
        energy_wh = energies(self._slots, fleet, self._beside_blocks(), self._effort)
        self._energy_wh[:, self._others] = energy_wh
        self._others_w = SlotStretches.even(self._slots, fleet, energy_wh).on_limits(self._slots, fleet)

    def _beside_blocks(self) -> Floats:
        return np.maximum(0.0, self._slots.limits_w - self._blocks_w)

    # --- blocks -----------------------------------------------------------------------------------------------------

    def _place(self, block: int, asked_wh: float, worth_wh: float) -> bool:
        """Plan a block anew in what all but itself leave, if it then has so much more; say whether it does."""
        self._effort.spend(STEPS_TO_PLACE + self._slots.limits_w.size / LIMITS_IN_A_STEP)
        car, own_w = self._cars[block], self._on_limits(block)
        left_w = np.maximum(0.0, self._slots.limits_w - self._others_w - (self._blocks_w - own_w))
        most_w = np.where(self._room_wh[:, block] > 0.0, most_drawn_w(self._slots, car, left_w), 0.0)
        found = plan_block(self._slots.price_per_kwh, most_w * self._slots.hours, asked_wh)
        if found.energy_wh.sum() <= self._energy_wh[:, block].sum() + worth_wh:
            return False
        self._energy_wh[:, block] = found.energy_wh
        self._stretches[block] = SlotStretches.even(self._slots, self._alone(block), found.energy_wh[:, None])
        self._blocks_w += self._on_limits(block) - own_w
        return True

    def _on_limits(self, block: int) -> Floats:
        """The power of a block on each limit."""
        if block not in self._stretches:
            return np.zeros_like(self._slots.limits_w)
        return self._stretches[block].on_limits(self._slots, self._alone(block))

    def _alone(self, block: int) -> Fleet:
        return self._fleet.some(np.array([block]))

    def _lengthened(self) -> bool:
        """Give blocks that lack something more, where they can have it without taking it from anybody."""
        asked_wh = self._fleet.needed_wh + self._fleet.extra_wh
        lacking = asked_wh - self._energy_wh.sum(axis=0) > WORTH_WH
        longer = [
            self._place(block, float(asked_wh[block]), WORTH_WH)
            for block in self._blocks
            if lacking[block] and not self._effort.is_over
        ]
        return any(longer)

    def _all_stretches(self) -> SlotStretches:
        others = self._fleet.some(self._others)
        even = SlotStretches.even(self._slots, others, self._energy_wh[:, self._others])
        blocks = [(np.array([block]), stretches) for block, stretches in self._stretches.items()]
        return SlotStretches.joined([(self._others, even), *blocks])
