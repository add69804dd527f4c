"""Security events: the diary of them, and those that the CSMS still has to hear of.

Security whitepaper (edition 3), section 4. They happen offline too, or right before the line is closed for their sake:
each waits until it is answered, in order, and survives the station.
"""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from voltbench.ocpp.v16.messages import SecurityEventNotification
from voltbench.ocpp.v16.station.desk import DIARY_LINES, Desk
from voltbench.ocpp.v16.station.errands import Errands
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

MOST_WAITING = 100
"""Events that a station remembers to tell of; then the oldest goes."""


class Event(Struct, array_like=True):
    """An event that has to be told: how often that was refused, and when it may be tried again."""

    sequence: int
    id: str
    request: SecurityEventNotification
    attempts: int = 0
    not_before: Instant = 0


class SecurityEvents:
    """The security events of a station. Transactions do not wait for one that is refused."""

    __slots__ = ("_desk", "_errands", "_last", "_waiting", "diary")

    def __init__(self, desk: Desk, errands: Errands) -> None:
        self._desk = desk
        self._errands = errands
        self._waiting: deque[Event] = deque()
        self._last = 0
        self.diary: deque[tuple[Instant, str]] = deque(maxlen=DIARY_LINES)

    def log(self, now: Instant, type: str, tech_info: str = "") -> None:
        """Something has happened that only the diary tells of."""
        self.diary.append((now, f"{type} {tech_info}".rstrip()))

    def note(self, now: Instant, type: str, tech_info: str = "") -> None:
        """Something that matters to security has happened."""
        self.log(now, type, tech_info)
        if len(self._waiting) >= MOST_WAITING:
            self._forget(self._waiting[0])
        self._last += 1
        request = SecurityEventNotification(type=type, timestamp=rfc3339(now), tech_info=tech_info[:255])
        event = Event(self._last, self._desk.new_id(), request)
        self._waiting.append(event)
        self._desk.keep_struct(_key(event), event)

    def note_routine(self, now: Instant, type: str, tech_info: str = "") -> None:
        """What happens every day matters only to who has any security: from profile 1 on (whitepaper, section 4)."""
        if self._desk.configuration.whole("SecurityProfile") > 0:
            self.note(now, type, tech_info)

    def pump(self, now: Instant) -> bool:
        """Tell of the first that waits, when nothing else is being said; return whether there was any to tell of."""
        if not self._waiting or self._waiting[0].not_before > now or not self._desk.may_call_now:
            return False
        event = self._waiting[0]
        return self._desk.call(now, event.request, lambda at, found: self._answered(at, event, found), id=event.id)

    def _answered(self, now: Instant, event: Event, response: Struct | None) -> None:
        if event not in self._waiting:
            return  # it had to make room meanwhile
        if response is None:
            if self._desk.peer is None:
                return  # the line was lost, which is no refusal
            keys = self._desk.configuration
            event.attempts += 1
            if event.attempts < keys.whole("TransactionMessageAttempts"):
                wait_s = keys.whole("TransactionMessageRetryInterval") * event.attempts
                event.not_before = now + self._desk.network_ms(wait_s * MS_PER_SECOND)
                self._desk.keep_struct(_key(event), event)
                self._errands.at(event.not_before, self._again)
                return
        self._forget(event)

    def _again(self, now: Instant) -> None:
        self.pump(now)

    def _forget(self, event: Event) -> None:
        self._waiting.remove(event)
        self._desk.keep(_key(event), None)

    def restore(self, _key: str, kept: bytes) -> None:
        """Take up an event that was kept; in the order of the keys. It may be told at once."""
        event = msgspec.json.decode(kept, type=Event)
        event.not_before = 0
        self._waiting.append(event)
        self._last = event.sequence


def _key(event: Event) -> str:
    return f"event/{event.sequence:012}"
