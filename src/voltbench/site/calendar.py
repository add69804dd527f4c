"""Local time: days, the slots of a day, and windows such as "working days from 7 to 19 in winter".

A zone is handed in as a `tzinfo`; who reads its rules from disk is an adapter. A local day lasts 23, 24 or 25 hours
(23.5 or 24.5 on Lord Howe Island, none at all where a country jumps over the date line), so it has 92, 96 or 100
quarters. Nothing here counts on a day having 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, DurationMs, Instant, instant_of, utc

MINUTES_PER_DAY = 1_440
QUARTER_MS = 15 * MS_PER_MINUTE
HOUR_MS = 60 * MS_PER_MINUTE

WORKING_DAYS = frozenset(range(5))
WEEKEND = frozenset({5, 6})
EVERY_DAY = WORKING_DAYS | WEEKEND
SUNDAY = 6

MonthDay = tuple[int, int]
WHOLE_YEAR: tuple[MonthDay, MonthDay] = ((1, 1), (12, 31))


def day_start(day: date, zone: tzinfo) -> Instant:
    """The first instant of a local day; where clocks jump over midnight, the instant of the jump.

    Where midnight comes twice it is the first one: PEP 495, `fold=0`, which also takes the old offset in a gap.
    """
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def day_slots(day: date, zone: tzinfo, slot_ms: DurationMs = HOUR_MS) -> list[tuple[Instant, Instant]]:
    """The slots of a local day, each from and until when; the last one ends with the day."""
    starts_at, ends_at = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    return [(start, min(start + slot_ms, ends_at)) for start in range(starts_at, ends_at, slot_ms)]


def local_days(starts_at: Instant, ends_at: Instant, zone: tzinfo) -> Iterator[date]:
    """The local days that a stretch of time touches."""
    day = utc(starts_at).astimezone(zone).date()
    while day_start(day, zone) < ends_at:
        yield day
        day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The clocks of a place, and its public holidays, which count as Sundays."""

    zone: tzinfo
    holidays: frozenset[date] = frozenset()

    def local(self, now: Instant) -> datetime:
        """What clock and calendar on the wall say."""
        return utc(now).astimezone(self.zone)

    def weekday(self, day: date) -> int:
        """0 for Monday to 6 for Sunday."""
        return SUNDAY if day in self.holidays else day.weekday()

    def wall_instants(self, day: date, minute: int) -> tuple[Instant, ...]:
        """The instants at which local clocks show a minute of a day: one, or two when clocks are set back.

        A time that clocks jump over gives instants near the jump; they are for looking at what holds then.
        """
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone) + timedelta(minutes=minute)
        return instant_of(wall), instant_of(wall.replace(fold=1))


@dataclass(frozen=True, slots=True)
class Window:
    """A part of local time: minutes of the day, weekdays (0 is Monday) and a season, all of the moment itself.

    `until_min` is not part of it; a window that ends before it starts, as 22:00 to 06:00 does, goes over midnight, and
    one that ends when it starts lasts all day. A season includes both days and may go over New Year.
    """

    from_min: int = 0
    until_min: int = MINUTES_PER_DAY
    weekdays: frozenset[int] = EVERY_DAY
    season: tuple[MonthDay, MonthDay] = WHOLE_YEAR

    def __post_init__(self) -> None:
        for field, minute in (("from_min", self.from_min), ("until_min", self.until_min)):
            if not 0 <= minute <= MINUTES_PER_DAY:
                raise InvalidInput(field, "is no minute of a day", found=minute, allowed=f"0 to {MINUTES_PER_DAY}")
        if not self.weekdays <= EVERY_DAY:
            raise InvalidInput("weekdays", "has no such day", found=sorted(self.weekdays), allowed="0 (Monday) to 6")
        for month, day in self.season:
            if not (1 <= month <= 12 and 1 <= day <= 31):
                raise InvalidInput("season", "has no such day", found=(month, day), allowed="month and day")

    def holds(self, now: Instant, calendar: Calendar) -> bool:
        """Whether a moment lies in it."""
        local = calendar.local(now)
        return (
            self._in_season((local.month, local.day))
            and calendar.weekday(local.date()) in self.weekdays
            and self._in_hours(local.hour * 60 + local.minute)
        )

    def _in_season(self, day: MonthDay) -> bool:
        first, last = self.season
        return first <= day <= last if first <= last else day >= first or day <= last

    def _in_hours(self, minute: int) -> bool:
        if self.from_min < self.until_min:
            return self.from_min <= minute < self.until_min
        return minute >= self.from_min or minute < self.until_min


def changes_between(windows: list[Window], calendar: Calendar, starts_at: Instant, ends_at: Instant) -> list[Instant]:
    """Instants at which any of several windows may begin or end, the start among them; in order.

    On a day on which clocks are changed it is every quarter of an hour, since all changes are made on one.
    """
    minutes = {0} | {minute for window in windows for minute in (window.from_min, window.until_min)}
    found = {starts_at}
    for day in local_days(starts_at, ends_at, calendar.zone):
        first, last = day_start(day, calendar.zone), day_start(day + timedelta(days=1), calendar.zone)
        found.update(instant for minute in minutes for instant in calendar.wall_instants(day, minute))
        if last - first != MS_PER_DAY:
            found.update(range(first, last, QUARTER_MS))
    return sorted(instant for instant in found if starts_at <= instant < ends_at)
