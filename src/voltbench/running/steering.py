"""A site's limits, handed to real stations: what they measure goes to the site, what it allows comes back.

Each session's limit is a charging profile that ends by itself (TxProfile); below it lies the failsafe
(TxDefaultProfile) to which a station falls back when nobody renews it. A station whose failsafe is not confirmed yet is
not trusted with anything else. What a decrease frees is given away only after the station has accepted it and
reported since: that is the site's own law (`confirmation` reported), which a report reaches only while no profile is
under way. A limit that a station has not taken, or of which nobody knows whether it has, confirms nothing either: what
it may hold instead counts on. It is asked again after a while, later each time; one that keeps refusing counts with its
rating.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from voltbench.errors import NotFound
from voltbench.events import Fact, LimitSet
from voltbench.quantities import MS_PER_MINUTE, MS_PER_SECOND, POWER_TOLERANCE_W, DurationMs, Instant
from voltbench.running.hosted import HostedSite
from voltbench.running.inputs import StartSession, StopSession, UpdatePower
from voltbench.running.station_clock import CLOCKS_DIFFER_MS, StationClock
from voltbench.running.views import SessionView

MARGIN_MS = 2 * MS_PER_SECOND
"""How much sooner a profile ends than its validity: clocks differ, and messages take their time."""

FAILSAFE_AGAIN_MS, LIMIT_AGAIN_MS, LATEST_AGAIN_MS = 10 * MS_PER_SECOND, 2 * MS_PER_SECOND, 5 * MS_PER_MINUTE
"""Until a station is asked again to take its failsafe, or a limit: doubled each time, and at most the last."""

REFUSALS = 3
"""A station that refuses a limit so often, or its failsafe once, takes none: one may come as a transaction ends."""

STALE_MS = 15 * MS_PER_SECOND
"""A reading that is told so late is an old story."""


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
    """A session at a station, and what was said about it. It `is_awaited` until it is heard of (again).

    It was `told` a limit that it has accepted; limits that it `may_hold` were accepted or under way before that. The
    next one was refused so many times, and is not to be sent again before it `may_ask_at`. One that `is_closed` is told
    nothing more.
    """

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
    may_hold: tuple[SetPower, ...] = ()
    refusals: int = 0
    may_ask_at: Instant = 0
    is_closed: bool = False

    @property
    def id(self) -> str:
        """The session at the site."""
        return f"{self.station}:{self.transaction}"

    def doubt(self, *limits: SetPower | None) -> None:
        """It may hold these limits, whatever it is told, until it accepts another."""
        self.may_hold = (*self.may_hold, *(one for one in limits if one is not None and one not in self.may_hold))

    def may_hold_w(self, now: Instant) -> float:
        """The highest of those limits that have not ended by themselves."""
        self.may_hold = tuple(one for one in self.may_hold if one.until + MARGIN_MS > now)
        return max((one.power_w for one in self.may_hold), default=0.0)


@dataclass(slots=True)
class _Station:
    """A station of the site: whether it is there, trusted, and refuses limits, and where its clock stands."""

    charger: str
    clock: StationClock = field(default_factory=StationClock)
    is_there: bool = False
    is_safe: bool = False
    refuses: bool = False
    failsafe_due: Instant | None = None
    failsafe_refusals: int = 0
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

    def refuses(self, station: str) -> bool:
        """Whether a station takes no limits; then it counts with its rating."""
        return self._stations[station].refuses

    def clock_off_s(self, station: str) -> float:
        """How far a station's clock is ahead of ours, by its readings; below 0 it is behind."""
        return -self._stations[station].clock.behind_ms / MS_PER_SECOND

    def by_its_clock(self, limit: SetPower) -> SetPower:
        """A limit as its station is to be told it: it holds and ends by the station's own clock."""
        its = self._stations[limit.station].clock.its
        return replace(limit, since=its(limit.since), until=its(limit.until))

    # --- what stations tell -----------------------------------------------------------------------------------------

    def arrived(self, now: Instant, station: str) -> None:
        """A station is connected and accepted: whatever else, it has to hold the failsafe."""
        known = self._stations.get(station)
        if known is not None:
            known.is_there, known.is_safe = True, False
            for steered in known.sessions.values():
                steered.doubt(steered.told, steered.under_way)
                steered.under_way = steered.told = None
                steered.is_awaited, steered.may_ask_at = True, now
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
                steered.doubt(steered.under_way)
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
        steered.doubt(SetPower(station, evse, transaction, held_w, now, until))
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
        known = self._stations.get(station)
        if known is not None and (moved_ms := known.clock.hear(now, read_at)):
            self._doubt_times(now, known, moved_ms)
        steered = self._found(station, transaction)
        if known is None or steered is None or steered.under_way is not None:
            return
        taken_at = known.clock.ours(read_at)
        if now - taken_at > STALE_MS or taken_at < steered.arrived_at - CLOCKS_DIFFER_MS:
            return
        steered.heard_at, steered.is_awaited = now, False
        if steered.may_hold:
            self._site.still_hold(steered.id, steered.may_hold_w(now))
        view = self._site.take(now, UpdatePower(steered.id, power_w, steered.maximum_w))
        steered.wanted_w = view.allocated_w
        if steered.still_to_read > 0:
            steered.still_to_read -= 1
            self._commands.append(ReadMeter(station, evse))
        self._steer(now, steered)

    def _doubt_times(self, now: Instant, known: _Station, moved_ms: DurationMs) -> None:
        """A clock is not where we thought: what was told by it begins and ends at other times, and is told again."""
        for steered in known.sessions.values():
            steered.doubt(steered.told, steered.under_way)
            steered.may_hold = tuple(replace(one, until=one.until + max(0, moved_ms)) for one in steered.may_hold)
            steered.told = steered.under_way = None
            steered.may_ask_at = now

    def ended(self, now: Instant, station: str, transaction: str, energy_wh: float | None = None) -> None:
        """A transaction is over."""
        steered = self._found(station, transaction)
        if steered is not None:
            del self._stations[station].sessions[transaction], self._by_session[steered.id]
            self._site.take(now, StopSession(steered.id, energy_wh))

    def closed(self, now: Instant, station: str, transaction: str) -> None:
        """An operator says that a transaction is over, which its station has not said."""
        steered = self._found(station, transaction)
        if steered is not None:
            steered.is_closed = True
            steered.doubt(steered.told, steered.under_way)
            steered.told = steered.under_way = None
            self._end_closed(now, steered)

    def _end_closed(self, now: Instant, steered: _Steered) -> None:
        # A car that still draws keeps its limit until that ends by itself: before, nobody else may have it.
        if steered.is_closed and all(one.until + MARGIN_MS <= now for one in steered.may_hold):
            self.ended(now, steered.station, steered.transaction)

    def answered(self, now: Instant, command: Command, accepted: bool | None) -> None:
        """A station has accepted a command or refused it, or has not answered (None)."""
        if isinstance(command, SetFailsafe):
            self._secured(now, self._stations[command.station], accepted)
        elif isinstance(command, SetPower):
            self._told(now, command, accepted)

    def _secured(self, now: Instant, known: _Station, accepted: bool | None) -> None:
        """A station has taken its failsafe, or not."""
        known.is_safe = known.is_safe or accepted is True
        known.failsafe_refusals = 0 if known.is_safe else known.failsafe_refusals + 1
        known.failsafe_due = None if known.is_safe else now + _again_ms(FAILSAFE_AGAIN_MS, known.failsafe_refusals)
        if known.is_safe:
            self._trust(now, known)
        elif accepted is False:
            self._distrust(now, known)
        for session in known.sessions.values():
            self._steer(now, session)
            if known.is_safe and session.under_way is None:
                self._await(session)

    def _told(self, now: Instant, command: SetPower, accepted: bool | None) -> None:
        """A limit has arrived, or not. Two readings make sure that a lower one is kept to: see `commit`."""
        steered = self._found(command.station, command.transaction)
        if steered is None or steered.under_way is not command:
            return
        steered.under_way = None
        self._await(steered)
        if accepted:
            self._taken(now, steered, command)
        else:
            self._not_taken(now, steered, command, accepted)

    def _taken(self, now: Instant, steered: _Steered, command: SetPower) -> None:
        known, told = self._stations[steered.station], steered.told
        before_w = max(steered.may_hold_w(now), told.power_w if told is not None else 0.0)
        if known.refuses or command.power_w < before_w - POWER_TOLERANCE_W:
            steered.still_to_read = 1
            self._commands.append(ReadMeter(command.station, command.evse))
        steered.told, steered.arrived_at, steered.may_hold = command, now, ()
        steered.refusals, steered.may_ask_at = 0, now
        self._trust(now, known)
        self._steer(now, steered)

    def _not_taken(self, now: Instant, steered: _Steered, command: SetPower, accepted: bool | None) -> None:
        """What it was told before counts on; and what was not answered may count as well."""
        steered.doubt(steered.told, command if accepted is None else None)
        steered.refusals += accepted is False
        steered.may_ask_at = now + _again_ms(LIMIT_AGAIN_MS, max(1, steered.refusals))
        if steered.refusals >= REFUSALS:
            self._distrust(now, self._stations[steered.station])

    def _distrust(self, now: Instant, known: _Station) -> None:
        """A station refuses limits: it counts with its rating, until it takes all that it is told."""
        if not known.refuses:
            known.refuses = True
            self._site.distrust(now, known.charger)

    def _trust(self, now: Instant, known: _Station) -> None:
        """A station has taken what it was told: where it refuses nothing else, it may be trusted."""
        if known.refuses and not any(one.refusals for one in known.sessions.values()):
            known.refuses = False
            self._site.trust(now, known.charger)

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
        for steered in list(self._by_session.values()):
            self._steer(now, steered)
            self._end_closed(now, steered)

    def _steer(self, now: Instant, steered: _Steered) -> None:
        """Tell a station the limit that the site wants, unless it holds it for long enough or is still being told."""
        known = self._stations[steered.station]
        if not (known.is_there and known.is_safe) or steered.is_closed:
            return
        if steered.under_way is not None or now < steered.may_ask_at:
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


def _again_ms(first_ms: DurationMs, times: int) -> DurationMs:
    """How long to wait before the next attempt, after so many."""
    return min(LATEST_AGAIN_MS, first_ms << min(times - 1, 20))
