"""What the parts of a station share: the line to the CSMS, the calls that are under way, and what has to be kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from voltbench.charging.life import StationLife
from voltbench.ocpp.orders import Keep, Order, Send
from voltbench.ocpp.rpc import Answered, Overdue, Peer, Refused
from voltbench.ocpp.v16.messages import SecurityEventNotification
from voltbench.ocpp.v16.station.configuration import Configuration
from voltbench.ocpp.versions import OCPP_16
from voltbench.quantities import Instant, rfc3339

DIARY_LINES = 50
"""What a station remembers of what it did."""

Then = Callable[[Instant, Struct | None], None]
"""Told what a call was answered with; None where it was refused, or never answered."""


class Desk:
    """The line to the CSMS and what belongs to it; and the station's diary, of which its security log is a part.

    `may_call` says that the CSMS has accepted the station and the line stands, `keeps` that it has a memory. What has
    to wait until the call that is being handled has been answered goes to `afterwards`.
    """

    __slots__ = (
        "_then",
        "afterwards",
        "chance",
        "configuration",
        "diary",
        "keeps",
        "life",
        "may_call",
        "new_id",
        "orders",
        "peer",
        "security_diary",
    )

    def __init__(
        self,
        life: StationLife,
        configuration: Configuration,
        new_id: Callable[[], str],
        chance: Callable[[], float],
        keeps: bool,
    ) -> None:
        self.life = life
        self.configuration = configuration
        self.new_id = new_id
        self.chance = chance
        self.keeps = keeps
        self.orders: list[Order] = []
        self.afterwards: list[Callable[[Instant], None]] = []
        self.diary: deque[tuple[Instant, str]] = deque(maxlen=DIARY_LINES)
        self.security_diary: deque[tuple[Instant, str]] = deque(maxlen=DIARY_LINES)
        self.peer: Peer | None = None
        self.may_call = False
        self._then: dict[str, Then] = {}

    # --- the line ---------------------------------------------------------------------------------------------------

    def open(self) -> Peer:
        """The line stands."""
        self.peer = Peer(OCPP_16, "station", self.new_id)
        return self.peer

    def close(self, now: Instant) -> None:
        """The line is gone, and with it every call that was under way."""
        lost = self.peer.lose() if self.peer is not None else []
        self.peer, self.may_call = None, False
        for call in lost:
            self._settle(now, call.id, None)
        self._then.clear()

    def send(self) -> None:
        """Hand over the frames that are to be sent."""
        if self.peer is not None:
            self.orders += map(Send, self.peer.frames())

    def put_off(self) -> list[Callable[[Instant], None]]:
        """What had to wait until now."""
        acts, self.afterwards = self.afterwards, []
        return acts

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(self, now: Instant, request: Struct, then: Then | None = None, *, id: str | None = None) -> bool:
        """Call the CSMS, if that can be; return whether. `then` hears what comes of it, if it was called."""
        if self.peer is None:
            return False
        call = self.peer.call(now, request, id)
        if then is not None:
            self._then[call.id] = then
        return True

    def tell(self, now: Instant, request: Struct, then: Then | None = None) -> bool:
        """Call the CSMS, if it has accepted the station."""
        return self.may_call and self.call(now, request, then)

    def answered(self, now: Instant, happening: Answered | Refused | Overdue) -> None:
        """Something has come of a call."""
        response = happening.response if isinstance(happening, Answered) else None
        self._settle(now, happening.call.id, response)

    def _settle(self, now: Instant, id: str, response: Struct | None) -> None:
        then = self._then.pop(id, None)
        if then is not None:
            then(now, response)

    def security_event(self, now: Instant, type: str, tech_info: str = "") -> None:
        """Something that matters to security has happened (whitepaper, section 4)."""
        self.security_diary.append((now, f"{type} {tech_info}".rstrip()))
        told = SecurityEventNotification(type=type, timestamp=rfc3339(now), tech_info=tech_info[:255])
        self.tell(now, told)

    # --- what has to be kept ----------------------------------------------------------------------------------------

    def keep(self, key: str, entry: bytes | None) -> None:
        """Remember an entry under a key, or forget it."""
        if self.keeps:
            self.orders.append(Keep(key, entry))

    def keep_struct(self, key: str, entry: Struct | None) -> None:
        """Remember a struct under a key, or forget it."""
        if self.keeps:
            self.orders.append(Keep(key, None if entry is None else msgspec.json.encode(entry)))
