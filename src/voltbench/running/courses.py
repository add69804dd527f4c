"""A session's part of a plan: its power over time, and how far it is held to that."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import Flags, Floats
from voltbench.energy.claim import Bounds, Claim, Room
from voltbench.energy.plan_car import Stretch
from voltbench.energy.schedule import steps_of
from voltbench.energy.steps import settable, step_below
from voltbench.quantities import MS_PER_HOUR, POWER_TOLERANCE_W, Instant
from voltbench.running.bay import Bay
from voltbench.running.needs import LEAST_WH, Need
from voltbench.site.sampling import Integers

_FULL = 0.999


class Stage(NamedTuple):
    """The power that is planned from an instant on, and whether more may be taken where others leave it."""

    at: Instant
    power_w: float
    is_open: bool


@dataclass(frozen=True, slots=True)
class Course:
    """One session's part of the plan, stage by stage; it ends with nothing.

    Once it is over, and where it is short, it holds nobody back.
    """

    stages: list[Stage]
    most_w: float
    ready_by: Instant
    is_short: bool
    instants: list[Instant] = field(init=False)
    total_wh: Floats = field(init=False)

    def __post_init__(self) -> None:
        instants, powers_w = [stage.at for stage in self.stages], np.array([stage.power_w for stage in self.stages])
        lengths_ms = np.diff(np.array(instants, dtype=np.float64))
        object.__setattr__(self, "instants", instants)
        object.__setattr__(
            self, "total_wh", np.concatenate(([0.0], np.cumsum(powers_w[:-1] * lengths_ms))) / MS_PER_HOUR
        )

    @property
    def ends_at(self) -> Instant:
        """When it has drawn all that was planned."""
        return self.instants[-1]

    def energy_wh(self, edges: Integers) -> Floats:
        """The energy in each of some slots."""
        return np.diff(np.interp(edges, self.instants, self.total_wh))

    def left_wh(self, now: Instant) -> float:
        """What is still to come."""
        return float(self.total_wh[-1] - np.interp(now, self.instants, self.total_wh))

    def power_w(self, now: Instant) -> float:
        """What is planned now."""
        return self._stage(now).power_w

    def is_in_full(self, now: Instant) -> bool:
        """Whether it is to charge with all its power now."""
        return self.power_w(now) >= self.most_w * _FULL

    def hold(self, now: Instant, bay: Bay) -> None:
        """Let a session draw what its plan has for it; or all it can, where nobody gains by its waiting."""
        power_w, is_open = self._stage(now).power_w, self._is_open(now, bay)
        bay.held_w = inf if is_open else settable(bay.claim, step_below(bay.claim, power_w + bay.claim.step_w / 2))
        bay.claim.planned_w = 0.0 if is_open and power_w == 0.0 and now < self.ends_at else inf

    def _is_open(self, now: Instant, bay: Bay) -> bool:
        waits_for_nothing = self.is_short or now >= self.ready_by or bay.claim.is_hurried
        return waits_for_nothing or self._stage(now).is_open or self.is_in_full(now)

    def _stage(self, now: Instant) -> Stage:
        return self.stages[max(0, bisect_right(self.instants, now) - 1)]


def in_their_order(now: Instant, bays: Sequence[Bay], courses: Sequence[Course]) -> None:
    """Cut who is to charge in part to that part, where others are to charge in full: those come first."""
    if any(course.is_in_full(now) for course in courses):
        for bay, course in zip(bays, courses, strict=True):
            if bay.claim.planned_w > 0.0 and now < course.ends_at and not course.is_in_full(now):
                bay.claim.planned_w = course.power_w(now)


def behind_the_plan(
    bounds: Bounds, claims: Sequence[Claim], demand_w: Sequence[float], keeps_on: Callable[[Claim], bool]
) -> list[float]:
    """Demands without those of who may only take what the plan leaves over, where that is less than their minimum.

    By turns they would have it all the same, at the expense of who is planned to charge now.
    """
    after = [i for i, c in enumerate(claims) if c.planned_w <= 0.0 < min(c.minimum_w, demand_w[i]) and not keeps_on(c)]
    asked_w = list(demand_w)
    room = Room(bounds)
    if after:
        for claim, wanted_w in zip(claims, demand_w, strict=True):
            room.take(claim, room.headroom(claim, min(wanted_w, claim.planned_w))[0])
    for i in after:
        if room.headroom(claims[i], claims[i].minimum_w)[0] >= claims[i].minimum_w - POWER_TOLERANCE_W:
            room.take(claims[i], claims[i].minimum_w)
        else:
            asked_w[i] = 0.0
    return asked_w


def stages_of(edges: Integers, need: Need, energy_wh: Floats, at_full: Flags, is_open: Flags) -> list[Stage]:
    """A session's powers: even within a slot; but where it begins or ends, and all can charge `at_full`, at full."""
    used, stretches = np.flatnonzero(energy_wh > LEAST_WH).tolist(), list[Stretch]()
    busy = set(used)
    for slot in used:
        lasts_ms = min(int(edges[slot + 1]), need.ready_by) - int(edges[slot])
        even_w = float(energy_wh[slot]) * MS_PER_HOUR / lasts_ms
        is_edge = slot - 1 not in busy or slot + 1 not in busy
        power_w = max(even_w, min(need.most_w, inf if at_full[slot] and is_edge else need.claim.minimum_w))
        stretches.append(Stretch(slot, float(energy_wh[slot]) / power_w, power_w))
    powers = dict(steps_of(edges.tolist(), need.car(int(edges[0]), None), stretches))
    ends_at = max(powers, default=int(edges[0]))
    opened = {at: flag for at, flag in zip(edges.tolist(), is_open.tolist(), strict=False) if at < ends_at}
    stages, power_w, is_open_now = list[Stage](), 0.0, bool(is_open[0])
    for at in sorted({int(edges[0]), *powers, *opened}):
        power_w, is_open_now = powers.get(at, power_w), opened.get(at, is_open_now)
        if not stages or (power_w, is_open_now) != stages[-1][1:]:
            stages.append(Stage(at, power_w, is_open_now))
    return stages
