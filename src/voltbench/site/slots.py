"""What is known for stretches of time, a price or a carbon intensity a kWh each, and until when it is known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

from voltbench.errors import InvalidInput
from voltbench.quantities import Instant, rfc3339
from voltbench.site.calendar import HOUR_MS
from voltbench.site.series import StepSeries


class Slot(NamedTuple):
    """So much a kWh, from one instant until another."""

    starts_at: Instant
    ends_at: Instant
    per_kwh: float


class Slots:
    """Slots in the order of time, at least one; they do not overlap, and between them there may be gaps.

    They may come in any order, and the same slot twice. Raises InvalidInput for what contradicts itself.
    """

    __slots__ = ("_slots",)

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._slots = sorted(set(slots))
        if not self._slots:
            raise InvalidInput("slots", "are none", allowed="at least one")
        for slot in self._slots:
            if slot.ends_at <= slot.starts_at:
                raise InvalidInput("slots", "holds one that ends before it starts", found=rfc3339(slot.starts_at))
            if not isfinite(slot.per_kwh):
                raise InvalidInput("slots", "holds what is not finite", found=slot.per_kwh, allowed="numbers")
        for earlier, later in pairwise(self._slots):
            if later.starts_at < earlier.ends_at:
                raise InvalidInput("slots", "says two things of the same time", found=rfc3339(later.starts_at))

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slots) and self._slots == other._slots

    def __hash__(self) -> int:
        return hash(tuple(self._slots))

    def __repr__(self) -> str:
        return f"Slots({len(self)} from {rfc3339(self.starts_at)} until {rfc3339(self.ends_at)})"

    @property
    def starts_at(self) -> Instant:
        """When the first one starts."""
        return self._slots[0].starts_at

    @property
    def ends_at(self) -> Instant:
        """When the last one ends."""
        return self._slots[-1].ends_at

    def known_until(self, now: Instant) -> Instant:
        """Until when it is known without a gap from now on; now itself where nothing is known of it.

        When tomorrow is not published yet this is midnight: plan until then, and again when there is more.
        """
        i = bisect_right(self._slots, now, key=_start) - 1
        if i < 0 or self._slots[i].ends_at <= now:
            return now
        while i + 1 < len(self._slots) and self._slots[i + 1].starts_at == self._slots[i].ends_at:
            i += 1
        return self._slots[i].ends_at

    def series(self) -> StepSeries:
        """The same as a series, for whoever knows how far it may be trusted: a gap holds what was before it."""
        return StepSeries((slot.starts_at, slot.per_kwh) for slot in self._slots)

    def mapped(self, change: Callable[[Slot], float]) -> Slots:
        """Slots of the same times that hold something else."""
        return Slots(slot._replace(per_kwh=change(slot)) for slot in self._slots)

    def cut_at_changes(self, series: Sequence[StepSeries]) -> Slots:
        """The same, cut so that within a slot none of several series changes."""
        return Slots(piece for slot in self._slots for piece in _pieces(slot, series))


def from_starts(starts: Sequence[Instant], found: Sequence[float | None]) -> list[Slot]:
    """Slots of which only starts are told: each lasts until the next, and the last as long as the one before it.

    None is a gap, and so is what is more than an hour from the next start. Market time units last 15, 30 or 60 min.
    """
    slots, length_ms = [], HOUR_MS
    steps = [later - earlier for earlier, later in pairwise(starts)]
    if any(step <= 0 for step in steps):
        raise InvalidInput("slots", "do not rise", allowed="each later than the one before")
    length_ms = next((step for step in steps if step <= HOUR_MS), HOUR_MS)
    for i, (start, per_kwh) in enumerate(zip(starts, found, strict=True)):
        if i < len(steps) and steps[i] <= HOUR_MS:
            length_ms = steps[i]
        if per_kwh is not None:
            slots.append(Slot(start, start + length_ms, per_kwh))
    return slots


def from_series(series: StepSeries, starts_at: Instant, ends_at: Instant) -> Slots:
    """What a series says between two instants, a slot for as long as it stays the same."""
    changes = [at for at, _ in series.steps() if starts_at < at < ends_at]
    edges = [starts_at, *changes, ends_at]
    return Slots(Slot(start, end, series.at(start)) for start, end in pairwise(edges))


def _start(slot: Slot) -> Instant:
    return slot.starts_at


def _pieces(slot: Slot, series: Sequence[StepSeries]) -> Iterator[Slot]:
    start = slot.starts_at
    while start < slot.ends_at:
        changes = [change for change in (each.next_change(start) for each in series) if change is not None]
        end = min([slot.ends_at, *changes])
        yield Slot(start, end, slot.per_kwh)
        start = end
