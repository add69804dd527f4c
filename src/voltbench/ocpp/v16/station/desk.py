"""What the parts of a station share: the line to the CSMS, the calls that are under way, and what has to be kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from voltbench.charging.life import StationLife
from voltbench.ocpp.orders import Keep, Order, Send
from voltbench.ocpp.rpc import Answered, Overdue, Peer, Refused
from voltbench.ocpp.v16.station.configuration import Configuration
from voltbench.ocpp.versions import OCPP_16
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant

ANSWER_WITHIN_MS = 30 * MS_PER_SECOND
"""How long the CSMS may take for an answer."""

DIARY_LINES = 50
"""What a station remembers of what it did."""

Then = Callable[[Instant, Struct | None], None]
"""Told what a call was answered with; None where it was refused, or never answered (`Desk.is_overdue`)."""


class Desk:
    """The line to the CSMS and what belongs to it; and the station's diary.

    `may_call` says that the CSMS has accepted the station and the line stands, `is_heard` that it has answered a call
    on this line, `keeps` that the station has a memory. What has to wait until the call that is being handled has been
    answered goes to `afterwards`.
    """

    __slots__ = (
        "_then",
        "afterwards",
        "chance",
        "configuration",
        "diary",
        "is_heard",
        "is_overdue",
        "keeps",
        "life",
        "may_call",
        "new_id",
        "orders",
        "overdue",
        "peer",
        "speed",
    )

    def __init__(
        self,
        life: StationLife,
        configuration: Configuration,
        new_id: Callable[[], str],
        chance: Callable[[], float],
        keeps: bool,
        speed: float = 1.0,
    ) -> None:
        self.life = life
        self.configuration = configuration
        self.new_id = new_id
        self.chance = chance
        self.keeps = keeps
        self.speed = speed
        self.orders: list[Order] = []
        self.afterwards: list[Callable[[Instant], None]] = []
        self.diary: deque[tuple[Instant, str]] = deque(maxlen=DIARY_LINES)
        self.peer: Peer | None = None
        self.may_call = False
        self.is_heard = False
        self.is_overdue = False
        self.overdue = 0
        self._then: dict[str, Then] = {}

    # --- the line ---------------------------------------------------------------------------------------------------

    def open(self) -> Peer:
        """The line stands."""
        self.is_heard = False
        self.peer = Peer(OCPP_16, "station", self.new_id, self.network_ms(ANSWER_WITHIN_MS))
        return self.peer

    def network_ms(self, duration_ms: float) -> DurationMs:
        """How much time passes here while the network has so much: it does not hurry with us."""
        return max(1, round(duration_ms * self.speed))

    def close(self, now: Instant) -> None:
        """The line is gone, and with it every call that was under way."""
        lost = self.peer.lose() if self.peer is not None else []
        self.peer, self.may_call = None, False
        for call in lost:
            self._settle(now, call.id, None)
        self._then.clear()

    def hush(self, now: Instant) -> None:
        """The CSMS does not want to hear from the station: what waits to be said is not."""
        self.may_call = False
        for call in self.peer.take_back() if self.peer is not None else ():
            self._settle(now, call.id, None)

    def send(self) -> None:
        """Hand over the frames that are to be sent."""
        if self.peer is not None:
            for frame in self.peer.frames():
                self.orders.append(Send(frame))

    @property
    def may_call_now(self) -> bool:
        """Whether the CSMS has accepted the station, and nothing else is being said."""
        return self.may_call and self.peer is not None and self.peer.is_idle

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

    def answered(self, now: Instant, happening: Answered) -> None:
        """A call was answered."""
        self.is_heard = True
        self._settle(now, happening.call.id, happening.response)

    def unanswered(self, now: Instant, happening: Refused | Overdue) -> None:
        """A call was refused, or never answered."""
        call = happening.call
        self.is_overdue = isinstance(happening, Overdue)
        self.overdue += self.is_overdue
        why = (
            f"was refused: {happening.code} {happening.description}" if isinstance(happening, Refused) else "is overdue"
        )
        self.diary.append((now, f"{call.action} {why}".rstrip()))
        self._settle(now, call.id, None)
        self.is_overdue = False

    def _settle(self, now: Instant, id: str, response: Struct | None) -> None:
        then = self._then.pop(id, None)
        if then is not None:
            then(now, response)

    # --- what has to be kept ----------------------------------------------------------------------------------------

    def keep(self, key: str, entry: bytes | None) -> None:
        """Remember an entry under a key, or forget it."""
        if self.keeps:
            self.orders.append(Keep(key, entry))

    def keep_struct(self, key: str, entry: Struct | None) -> None:
        """Remember a struct under a key, or forget it."""
        if self.keeps:
            self.orders.append(Keep(key, None if entry is None else msgspec.json.encode(entry)))
