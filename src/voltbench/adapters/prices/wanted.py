"""What was asked for, out of what a source told."""

from __future__ import annotations

from collections.abc import Iterable

from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import MS_PER_DAY, Instant, rfc3339
from voltbench.site.slots import Slot, Slots

LONGEST_SPAN_MS = 31 * MS_PER_DAY
"""Services answer for so long at once; who wants a year asks for its months."""


def check_span(starts_at: Instant, ends_at: Instant) -> None:
    """Raise InvalidInput for a stretch of time that no service is asked for."""
    if not starts_at < ends_at <= starts_at + LONGEST_SPAN_MS:
        found = f"{rfc3339(starts_at)} to {rfc3339(ends_at)}"
        raise InvalidInput("time", "is no stretch to ask for", found=found, allowed="up to 31 days, forward")


def wanted(told: Iterable[Slot], starts_at: Instant, ends_at: Instant, source: str) -> Slots:
    """The slots that touch a stretch of time. NotFound where there are none: nothing is published of it yet.

    Raises InvalidInput for slots that contradict each other.
    """
    slots = [slot for slot in told if slot.starts_at < ends_at and starts_at < slot.ends_at]
    if not slots:
        raise NotFound(f"value of {source} from", rfc3339(starts_at))
    return Slots(slots)
