"""A site's limits, handed to real stations: what they measure goes to the site, what it allows comes back.

Each session's limit is a charging profile that ends by itself (TxProfile); below it lies the failsafe
(TxDefaultProfile) to which a station falls back when nobody renews it. A station whose failsafe is not confirmed yet is
not trusted with anything else. What a decrease frees is given away only after the station has accepted it and
reported since: that is the site's own law (`confirmation` reported), which a report reaches only while no profile is
under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from voltbench.errors import NotFound
from voltbench.events import Fact, LimitSet
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W, DurationMs, Instant
from voltbench.running.hosted import HostedSite
from voltbench.running.inputs import StartSession, StopSession, UpdatePower
from voltbench.running.views import SessionView

MARGIN_MS = 2 * MS_PER_SECOND
"""How much sooner a profile ends than its validity: clocks differ, and messages take their time."""

FAILSAFE_AGAIN_MS = 10 * MS_PER_SECOND
"""Between two attempts to have a station take its failsafe."""

STALE_MS = 15 * MS_PER_SECOND
"""A reading that is told so late is an old story."""

CLOCKS_DIFFER_MS = 1 * MS_PER_SECOND
"""How far a station's clock may be off before its readings count for nothing."""


@dataclass(frozen=True, slots=True)
class SetFailsafe:
    """Tell a station what each of its EVSEs may draw when nothing else is said, for good."""

    station: str
    power_w: float


@dataclass(frozen=True, slots=True)
class SetPower:
    """Tell a station what a transaction may draw until an instant."""

    station: str
    evse: int
    transaction: str
    power_w: float
    since: Instant
    until: Instant


@dataclass(frozen=True, slots=True)
class ReadMeter:
    """Ask a station for a reading now."""

    station: str
    evse: int


Command = SetFailsafe | SetPower | ReadMeter


@dataclass(slots=True)
class _Steered:
    """A session at a station, and what was said about it. It `is_awaited` until it is heard of (again)."""

    station: str
    evse: int
    transaction: str
    maximum_w: float
    heard_at: Instant
    wanted_w: float = 0.0
    told: SetPower | None = None
    under_way: SetPower | None = None
    arrived_at: Instant = 0
    still_to_read: int = 0
    is_awaited: bool = False

    @property
    def id(self) -> str:
        """The session at the site."""
        return f"{self.station}:{self.transaction}"


@dataclass(slots=True)
class _Station:
    """A station of the site: whether it is there, and trusted."""

    charger: str
    is_there: bool = False
    is_safe: bool = False
    failsafe_due: Instant | None = None
    sessions: dict[str, _Steered] = field(default_factory=dict)


class Steering:
    """Steers a hosted site's stations. `chargers` gives the site's name of each station; `commands` what to send.

    The site has to run with `confirmation` reported and a validity. Every command is answered by `answered`.
    """

    def __init__(self, site: HostedSite, chargers: Mapping[str, str]) -> None:
        assert site.plan.validity_ms is not None, "a site that steers stations needs a validity of its limits"
        self._site = site
        self._validity_ms: DurationMs = site.plan.validity_ms
        self._stations = {station: _Station(charger) for station, charger in chargers.items()}
        self._by_session: dict[str, _Steered] = {}
        self._commands: list[Command] = []
        self._heard_before = site.on_fact
        site.on_fact = self._hear

    def commands(self) -> list[Command]:
        """What is to be sent now; each is told once."""
        commands, self._commands = self._commands, []
        return commands

    # --- what stations tell -----------------------------------------------------------------------------------------

    def arrived(self, now: Instant, station: str) -> None:
        """A station is connected and accepted: whatever else, it has to hold the failsafe."""
        known = self._stations.get(station)
        if known is not None:
            known.is_there, known.is_safe = True, False
            for steered in known.sessions.values():
                steered.under_way = steered.told = None
                steered.is_awaited = True
            self._secure(station, known)

    def _secure(self, station: str, known: _Station) -> None:
        known.failsafe_due = None
        self._commands.append(SetFailsafe(station, self._site.plan.failsafe_w))

    def left(self, station: str) -> None:
        """A station's line is gone. What it holds goes on until it ends by itself."""
        known = self._stations.get(station)
        if known is not None:
            known.is_there = False
            for steered in known.sessions.values():
                steered.under_way = None

    def started(self, now: Instant, station: str, evse: int, transaction: str, maximum_w: float) -> None:
        """A transaction has begun, or is heard of for the first time. Raises NotFound for an EVSE the site lacks."""
        known = self._stations.get(station)
        if known is None or transaction in known.sessions:
            return
        steered = _Steered(station, evse, transaction, maximum_w, now)
        self._enter(now, steered, lambda start: self._site.take(now, start))
        self._steer(now, steered)

    def take_up(
        self, now: Instant, station: str, evse: int, transaction: str, maximum_w: float, held_w: float, until: Instant
    ) -> None:
        """A transaction went on while we were not there, and may draw so much until its profile ends.

        Nobody else is given that before, unless the station has been heard of since. Raises NotFound for an EVSE that
        the site lacks.
        """
        heard_at = until + MARGIN_MS - self._validity_ms
        steered = _Steered(station, evse, transaction, maximum_w, heard_at, is_awaited=True)
        self._enter(now, steered, lambda start: self._site.take_up(now, start, held_w, until + MARGIN_MS))

    def _enter(self, now: Instant, steered: _Steered, take: Callable[[StartSession], SessionView]) -> None:
        """Another session at an EVSE: what was there before is over."""
        known = self._stations[steered.station]
        for over in [one.transaction for one in known.sessions.values() if one.evse == steered.evse]:
            self.ended(now, steered.station, over)
        self._by_session[steered.id] = known.sessions[steered.transaction] = steered
        try:
            view = take(StartSession(steered.id, known.charger, str(steered.evse), steered.maximum_w))
        except NotFound:
            del self._by_session[steered.id], known.sessions[steered.transaction]
            raise
        steered.wanted_w = view.allocated_w

    def measured(
        self, now: Instant, station: str, evse: int, transaction: str, power_w: float, read_at: Instant
    ) -> None:
        """A meter was read, at an instant by the station's clock.

        While a profile is under way a reading proves nothing about it; nor does one that was taken before it arrived,
        or that is told long after.
        """
        steered = self._found(station, transaction)
        if steered is None or steered.under_way is not None:
            return
        if now - read_at > STALE_MS or read_at < steered.arrived_at - CLOCKS_DIFFER_MS:
            return
        steered.heard_at, steered.is_awaited = now, False
        view = self._site.take(now, UpdatePower(steered.id, power_w, steered.maximum_w))
        steered.wanted_w = view.allocated_w
        if steered.still_to_read > 0:
            steered.still_to_read -= 1
            self._commands.append(ReadMeter(station, evse))
        self._steer(now, steered)

    def ended(self, now: Instant, station: str, transaction: str, energy_wh: float | None = None) -> None:
        """A transaction is over."""
        steered = self._found(station, transaction)
        if steered is not None:
            del self._stations[station].sessions[transaction], self._by_session[steered.id]
            self._site.take(now, StopSession(steered.id, energy_wh))

    def answered(self, now: Instant, command: Command, accepted: bool) -> None:
        """A station has answered a command, or has not (accepted False)."""
        known = self._stations[command.station]
        if isinstance(command, SetFailsafe):
            known.is_safe = known.is_safe or accepted
            known.failsafe_due = None if known.is_safe else now + FAILSAFE_AGAIN_MS
            for session in known.sessions.values():
                self._steer(now, session)
                if known.is_safe and session.under_way is None:
                    self._await(session)
        elif isinstance(command, SetPower):
            self._told(now, command, accepted)

    def _told(self, now: Instant, command: SetPower, accepted: bool) -> None:
        """A limit has arrived, or not. Two readings make sure that a lower one is kept to: see `commit`."""
        steered = self._found(command.station, command.transaction)
        if steered is None or steered.under_way is not command:
            return
        steered.under_way = None
        self._await(steered)
        if not accepted:
            return
        if steered.told is not None and command.power_w < steered.told.power_w - POWER_TOLERANCE_W:
            steered.still_to_read = 1
            self._commands.append(ReadMeter(command.station, command.evse))
        steered.told, steered.arrived_at = command, now
        self._steer(now, steered)

    def _await(self, steered: _Steered) -> None:
        """Have a session be heard of soon: what it draws and may draw is old news."""
        if steered.is_awaited:
            self._commands.append(ReadMeter(steered.station, steered.evse))

    # --- what the site wants ----------------------------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        if self._heard_before is not None:
            self._heard_before(fact)
        if isinstance(fact, LimitSet) and fact.session in self._by_session:
            steered = self._by_session[fact.session]
            steered.wanted_w = fact.power_w
            self._steer(fact.at, steered)

    def renew(self, now: Instant) -> None:
        """Renew what would end soon, and tell again what was not accepted."""
        for station, known in self._stations.items():
            if known.is_there and known.failsafe_due is not None and known.failsafe_due <= now:
                self._secure(station, known)
        for steered in self._by_session.values():
            self._steer(now, steered)

    def _steer(self, now: Instant, steered: _Steered) -> None:
        """Tell a station the limit that the site wants, unless it holds it for long enough or is still being told."""
        known = self._stations[steered.station]
        if not (known.is_there and known.is_safe) or steered.under_way is not None:
            return
        until = steered.heard_at + self._validity_ms - MARGIN_MS
        told = steered.told
        if told is not None and abs(told.power_w - steered.wanted_w) <= POWER_TOLERANCE_W:
            half = told.since + (told.until - told.since) // 2
            if now < half or until <= told.until:
                return
        if until <= now:
            return
        command = SetPower(
            steered.station, steered.evse, steered.transaction, steered.wanted_w, min(now, steered.heard_at), until
        )
        steered.under_way = command
        self._commands.append(command)

    def _found(self, station: str, transaction: str) -> _Steered | None:
        known = self._stations.get(station)
        return known.sessions.get(transaction) if known is not None else None
