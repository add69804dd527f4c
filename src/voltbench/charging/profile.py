"""Charging profiles, and the one limit that all of them together give: the composite schedule.

One pure function for every version of OCPP (1.6 edition 2, section 3.13; 2.0.1 Part 2, block K). Instants are in ms, as
everywhere; what a schedule says is in seconds from its start, and in W or A, as the standard has it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from voltbench.quantities import MS_PER_DAY, MS_PER_SECOND, NOMINAL_VOLTAGE_V, Instant

DEFAULT_LIMIT_A = 48.0
"""What counts where no profile says anything, per phase, unless configured; never more than the connector's rating."""


class Purpose(StrEnum):
    """What a profile is for (ChargingProfilePurposeEnumType)."""

    STATION_MAX = "ChargingStationMaxProfile"
    EXTERNAL = "ChargingStationExternalConstraints"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    """What a profile's times count from (ChargingProfileKindEnumType)."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Unit(StrEnum):
    """What a schedule's limits are in: W in all, or A on each phase (ChargingRateUnitEnumType)."""

    W = "W"
    A = "A"


class Recurrency(StrEnum):
    """How often a recurring profile begins anew (RecurrencyKindEnumType)."""

    DAILY = "Daily"
    WEEKLY = "Weekly"

    @property
    def period_ms(self) -> int:
        """24 hours or 7 days, whatever clocks on walls do."""
        return MS_PER_DAY if self is Recurrency.DAILY else 7 * MS_PER_DAY


@dataclass(frozen=True, slots=True)
class Period:
    """A limit that holds from so many seconds after its schedule's start on; `phases` 3 where none are said."""

    start_s: int
    limit: float
    phases: int = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """Limits over time. Without a duration the last one holds for ever; `minimum` is what charging needs at least."""

    unit: Unit
    periods: tuple[Period, ...]
    start: Instant | None = None
    duration_s: int | None = None
    minimum: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile as it is installed."""

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    recurrency: Recurrency | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """What a connector hangs on: its voltage and phases, and its rating and its default, in A on each phase."""

    voltage_v: float = NOMINAL_VOLTAGE_V
    phases: int = 3
    rating_a: float = DEFAULT_LIMIT_A
    default_a: float = DEFAULT_LIMIT_A

    @property
    def gap_w(self) -> float:
        """What counts where no profile says anything."""
        return min(self.rating_a, self.default_a) * self.voltage_v * self.phases

    def in_w(self, limit: float, unit: Unit, phases: int) -> float:
        """A limit in W."""
        return limit if unit is Unit.W else limit * self.voltage_v * phases


@dataclass(frozen=True, slots=True)
class Stretch:
    """A limit in W from an instant until another, on so many phases; `why` is the profile that says so, or nobody.

    `minimum_w` is what charging needs at least to be worth while, as far as profiles say so (minChargingRate).
    """

    start: Instant
    end: Instant
    limit_w: float
    phases: int
    why: Profile | None = None
    minimum_w: float = 0.0

    def on(self, phases: int) -> Stretch:
        """The same where only so many phases may be used: what is said in A holds on each of them."""
        if phases >= self.phases or self.why is None or self.why.schedule.unit is Unit.W:
            return self
        share = self.phases / phases
        return replace(self, limit_w=self.limit_w / share, phases=phases, minimum_w=self.minimum_w / share)


def composite(
    profiles: Iterable[Profile],
    start: Instant,
    end: Instant,
    supply: Supply,
    transaction_start: Instant | None = None,
) -> list[Stretch]:
    """The limit of a connector from one instant until another: the lowest of what its profiles say, and which says so.

    `profiles` are those of the whole station and then those of the connector, which win where both stand at one stack
    level. TxProfile and TxDefaultProfile count only during a transaction; no profile gives more than the rating. There
    is always one stretch at least; an empty window has the limit of its instant.
    """
    last = max(end, start + 1)
    limits = _merged(_sweep(profiles, start, last, supply, transaction_start))
    limits[-1] = replace(limits[-1], end=end)
    return limits


def limit_at(
    profiles: Iterable[Profile],
    now: Instant,
    end: Instant,
    supply: Supply,
    transaction_start: Instant | None = None,
) -> Stretch:
    """The limit of a connector at an instant; it ends where any of its profiles says something new, before `end`.

    What comes then may be the same limit again, of which `composite` makes one.
    """
    return next(_sweep(profiles, now, end, supply, transaction_start))


def station_composite(
    connectors: Sequence[Sequence[Stretch]], station: Sequence[Stretch], start: Instant, end: Instant
) -> list[Stretch]:
    """The limit of a whole station: the sum of its connectors', capped by what limits the station itself."""
    edges = {edge for stretches in (*connectors, station) for s in stretches for edge in (s.start, s.end)}
    found = []
    for a, b in pairwise(sorted(edges | {start, max(end, start)})) if end > start else [(start, start)]:
        parts = [_at(stretches, a) for stretches in connectors]
        total_w, cap = sum(part.limit_w for part in parts), _at(station, a)
        why = cap.why if cap.limit_w <= total_w else None
        found.append(Stretch(a, b, min(total_w, cap.limit_w), min(p.phases for p in (*parts, cap)), why))
    return _merged(found)


# --- when a profile says what ----------------------------------------------------------------------------------------


def _stretches(
    profile: Profile, start: Instant, end: Instant, supply: Supply, transaction_start: Instant | None
) -> Iterator[Stretch]:
    """What one profile says between two instants, on its own and in the order of time."""
    first = max(start, profile.valid_from if profile.valid_from is not None else start)
    last = min(end, profile.valid_to if profile.valid_to is not None else end)
    unit, minimum = profile.schedule.unit, profile.schedule.minimum or 0.0
    for begins, ends in _occurrences(profile, start, last, transaction_start):
        for period, a, b in _periods(profile.schedule, begins, min(ends, last), first):
            phases = min(period.phases, supply.phases)
            power_w, minimum_w = supply.in_w(period.limit, unit, phases), supply.in_w(minimum, unit, phases)
            yield Stretch(a, b, power_w, phases, profile, minimum_w)


def _occurrences(
    profile: Profile, start: Instant, end: Instant, transaction_start: Instant | None
) -> Iterator[tuple[Instant, Instant]]:
    """When its schedule runs: from each beginning until the next, or its duration; the last may run beyond the end."""
    schedule, period_ms = profile.schedule, end - start
    begins = _begins(profile, start, transaction_start)
    if profile.kind is Kind.RECURRING and profile.recurrency is not None:
        period_ms = profile.recurrency.period_ms
        begins += max(0, (start - begins) // period_ms) * period_ms
    length_ms = schedule.duration_s * MS_PER_SECOND if schedule.duration_s is not None else None
    while begins < end:
        if profile.kind is not Kind.RECURRING:
            yield begins, begins + length_ms if length_ms is not None else end
            return
        yield begins, begins + min(period_ms, length_ms if length_ms is not None else period_ms)
        begins += period_ms


def _begins(profile: Profile, start: Instant, transaction_start: Instant | None) -> Instant:
    if profile.kind is Kind.RELATIVE:
        return transaction_start if transaction_start is not None else start
    if profile.schedule.start is not None:
        return profile.schedule.start
    return profile.valid_from if profile.valid_from is not None else start


def _periods(
    schedule: Schedule, begins: Instant, ends: Instant, first: Instant
) -> Iterator[tuple[Period, Instant, Instant]]:
    """The periods of a schedule that runs between two instants, and when each holds; none before the first instant."""
    periods = schedule.periods
    running = bisect_right(periods, (first - begins) // MS_PER_SECOND, key=lambda period: period.start_s) - 1
    for i in range(max(0, running), len(periods)):
        a = max(first, begins + periods[i].start_s * MS_PER_SECOND)
        if a >= ends:
            return
        b = begins + periods[i + 1].start_s * MS_PER_SECOND if i + 1 < len(periods) else ends
        yield periods[i], a, min(b, ends)


# --- who is right ----------------------------------------------------------------------------------------------------


def _sweep(
    profiles: Iterable[Profile], start: Instant, end: Instant, supply: Supply, transaction_start: Instant | None
) -> Iterator[Stretch]:
    """The limit from each instant at which a profile says something new until the next.

    For each purpose the highest profile that says something is in force; the last one of those that are equal.
    """
    counting = [
        p for p in profiles if transaction_start is not None or p.purpose not in (Purpose.TX, Purpose.TX_DEFAULT)
    ]
    counting.sort(key=lambda profile: profile.stack_level)
    said = [_stretches(profile, start, end, supply, transaction_start) for profile in counting]
    heads = [next(stretches, None) for stretches in said]
    at = start
    while at < end:
        in_force: dict[Purpose, Stretch] = {}
        until = end
        for i, stretches in enumerate(said):
            head = heads[i]
            while head is not None and head.end <= at:
                head = heads[i] = next(stretches, None)
            if head is not None and head.start <= at:
                in_force[counting[i].purpose] = head
                until = min(until, head.end)
            elif head is not None:
                until = min(until, head.start)
        yield _lowest(in_force, at, until, supply)
        at = until


def _lowest(said: dict[Purpose, Stretch], a: Instant, b: Instant, supply: Supply) -> Stretch:
    """A transaction's own profile beats the default one; the lowest of that and the station's holds."""
    if Purpose.TX in said:
        said = {purpose: stretch for purpose, stretch in said.items() if purpose is not Purpose.TX_DEFAULT}
    if not said:
        return Stretch(a, b, supply.gap_w, supply.phases)
    phases = min(stretch.phases for stretch in said.values())
    limits = [stretch.on(phases) for stretch in said.values()]
    least, rating_w = min(limits, key=lambda stretch: stretch.limit_w), supply.in_w(supply.rating_a, Unit.A, phases)
    why = least.why if least.limit_w <= rating_w else None
    return Stretch(a, b, min(least.limit_w, rating_w), phases, why, max(stretch.minimum_w for stretch in limits))


def _at(stretches: Sequence[Stretch], instant: Instant) -> Stretch:
    return stretches[max(0, bisect_right(stretches, instant, key=lambda stretch: stretch.start) - 1)]


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Equal neighbours are one."""
    merged: list[Stretch] = []
    for stretch in stretches:
        if merged and _says(stretch) == _says(merged[-1]):
            merged[-1] = replace(merged[-1], end=stretch.end)
        else:
            merged.append(stretch)
    return merged


def _says(stretch: Stretch) -> tuple[float, int, Profile | None, float]:
    return stretch.limit_w, stretch.phases, stretch.why, stretch.minimum_w
