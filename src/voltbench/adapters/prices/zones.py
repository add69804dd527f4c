"""Time zones by their IANA names, and times of day in them as files and services write them."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from voltbench.adapters import strict
from voltbench.errors import InvalidInput
from voltbench.quantities import Instant, instant_of

_ALLOWED = "a time like 2026-10-25T02:30+01:00"


def zone_named(name: str, field: str = "zone") -> ZoneInfo:
    """The time zone of an IANA name such as Europe/Stockholm."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        allowed = strict.like(name, sorted(available_timezones()))
        raise InvalidInput(field, "is no time zone", found=strict.shown(name), allowed=allowed) from error


def instant_from(
    text: Any, field: str, zone: tzinfo | None = None, after: Instant | None = None, allowed: str = _ALLOWED
) -> Instant:
    """The instant of an ISO 8601 time. Without an offset it is local to the zone, if there is one.

    Of a local time that comes twice it is the second where the first is not later than `after`: in a list, the times
    between 2 and 3 o'clock when clocks are set back. Raises InvalidInput for one that does not come at all.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except (AttributeError, ValueError) as error:
        raise InvalidInput(field, "is no time", found=strict.shown(text), allowed=allowed) from error
    if not 1970 < moment.year < 2200:
        raise InvalidInput(field, "is no usable time", found=strict.shown(text), allowed="the years 1971 to 2199")
    if moment.tzinfo is not None:
        return instant_of(moment)
    if zone is None:
        raise InvalidInput(field, "has no UTC offset", found=strict.shown(text), allowed=f"{allowed}, or a zone")
    return _local(moment.replace(tzinfo=zone), field, after)


def _local(moment: datetime, field: str, after: Instant | None) -> Instant:
    first, second = instant_of(moment), instant_of(moment.replace(fold=1))
    if second < first:
        problem = "is a time that local clocks jump over"
        raise InvalidInput(field, problem, found=moment.replace(tzinfo=None).isoformat(), allowed="one that they show")
    return second if after is not None and first <= after < second else first
