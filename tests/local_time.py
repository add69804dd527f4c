"""A place with clocks that change, and days to look at."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from zoneinfo import ZoneInfo

from voltbench.quantities import Instant, instant_of
from voltbench.site.calendar import Calendar

STOCKHOLM = ZoneInfo("Europe/Stockholm")
HERE = Calendar(STOCKHOLM, holidays=frozenset({date(2026, 12, 25)}))
MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""When clocks change in Europe: days of 23 and of 25 hours."""


def at(text: str, zone: tzinfo = STOCKHOLM) -> Instant:
    """The instant of a local time."""
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=zone))
