"""Times as files give them: dates, times with and without a zone, times of day, and minutes from the first midnight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from math import isfinite
from typing import Any

from voltbench.adapters import strict
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, DurationMs, Instant, instant_of, utc

DEFAULT_START = date(2026, 6, 1)
"""The day on which scenarios begin that do not say when: a Monday."""

YEARS = (1970, 2199)
_MOST_MINUTES = 366 * 230 * MS_PER_DAY // MS_PER_MINUTE
_MINUTES = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")
_START = "a date, or a time like 2026-06-01T08:30Z"
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The clocks of a place: when its story starts, and how far its clocks are ahead of UTC.

    The offset is that of the start and does not change: there is no daylight saving time within a scenario.
    """

    start: Instant
    utc_offset_ms: DurationMs = 0

    @property
    def midnight(self) -> Instant:
        """The midnight on or before the start, by the clocks of the place."""
        return self.start - (self.start + self.utc_offset_ms) % MS_PER_DAY

    def instant(self, found: Any, field: str) -> Instant:
        """The instant of a time: minutes from the first midnight, or ISO 8601, which without a zone is local."""
        minutes = _as_minutes(found)
        if minutes is not None:
            if not (isfinite(minutes) and abs(minutes) <= _MOST_MINUTES):
                allowed = f"minutes from midnight, up to {_MOST_MINUTES}"
                raise InvalidInput(field, "is no time", found=strict.shown(found), allowed=allowed)
            return self.midnight + round(minutes * MS_PER_MINUTE)
        moment = _as_datetime(found, field, "minutes from midnight, or a time like 2026-06-01T08:30")
        zone = moment.tzinfo or timezone(timedelta(milliseconds=self.utc_offset_ms))
        return instant_of(moment.replace(tzinfo=zone))


def local_time(start: Any, field: str = "start") -> LocalTime:
    """The clocks of a place where a story starts then; a date is its midnight, and without a zone it is UTC."""
    moment = _as_datetime(DEFAULT_START if start is None else start, field, _START)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    offset = aware.utcoffset() or timedelta()
    return LocalTime(instant_of(aware), round(offset.total_seconds() * 1_000))


def refuse_naive(start: Any, field: str) -> None:
    """Raise InvalidInput for a time that leaves open by whose clocks it is; a date is its midnight in UTC."""
    if start is None or _is_date(start):
        return
    moment = _as_datetime(start, field, _START)
    if moment.tzinfo is None:
        iso = moment.isoformat()
        allowed = f"{iso}Z for UTC, or with the offset of the place, as in {iso}+02:00"
        raise InvalidInput(field, "has no UTC offset", found=iso, allowed=allowed)


def _is_date(found: Any) -> bool:
    """Whether it is a day, without a time of it."""
    if not isinstance(found, str):
        return isinstance(found, date) and not isinstance(found, datetime)
    try:
        date.fromisoformat(found.strip())
    except ValueError:
        return False
    return True


def time_of_day_ms(text: str, field: str) -> DurationMs:
    """How long after midnight a time like `17:30` is."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise InvalidInput(field, "is no time of day", found=strict.shown(text), allowed="00:00 to 23:59")
    return (int(match[1]) * 60 + int(match[2])) * MS_PER_MINUTE


def midnight_of(found: Any, field: str) -> datetime | None:
    """The midnight before a time that is given with its date, in its own zone; None for minutes."""
    if _as_minutes(found) is not None:
        return None
    moment = _as_datetime(found, field, "minutes from midnight, or a time like 2026-06-01T08:30")
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def written(instant: Instant) -> str:
    """An instant as people write it, in UTC."""
    return utc(instant).isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")


def _as_minutes(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, str):
        return float(found) if _MINUTES.fullmatch(found.strip()) else None
    return float(found) if isinstance(found, int | float) else None


def _as_datetime(found: Any, field: str, allowed: str) -> datetime:
    try:
        if isinstance(found, str):
            found = datetime.fromisoformat(found.strip())
        if isinstance(found, date) and not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day)  # noqa: DTZ001  a date is local; the caller says where
    except ValueError as error:
        raise InvalidInput(field, "is no time", found=strict.shown(found), allowed=allowed) from error
    if not isinstance(found, datetime) or not YEARS[0] < found.year < YEARS[1]:
        years = f"{allowed}, in the years {YEARS[0] + 1} to {YEARS[1] - 1}"
        raise InvalidInput(field, "is no usable time", found=strict.shown(found), allowed=years)
    return found
