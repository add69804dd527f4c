"""The CSMS at work: who is connected, what is kept of what they say, and what they are asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from voltbench.adapters.ocpp_csms.payloads import request_of
from voltbench.adapters.ocpp_csms.store import CsmsStore
from voltbench.adapters.ocpp_csms.wire_log import WireLog
from voltbench.clock import SteadyClock
from voltbench.errors import Conflict, Unavailable
from voltbench.ocpp.v16.csms.central import Authority, Central, Policy
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.effects import password_in
from voltbench.ocpp.v16.csms.keys import without_secrets
from voltbench.ocpp.v16.csms.records import Command, KnownStation, NamedProfile, Record, Token, Transaction
from voltbench.ocpp.v16.csms.transactions import OfTransaction
from voltbench.ocpp.v16.csms.visit import Turn, Visit
from voltbench.ocpp.v16.messages import RegistrationStatus
from voltbench.quantities import MS_PER_SECOND, Instant

_log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 30.0


class Line(Protocol):
    """A connection to a station."""

    async def send(self, frame: bytes) -> None:
        """Send a text frame. Nothing happens where the connection is gone."""

    async def close(self, reason: str, *, is_fault: bool = False) -> None:
        """Close it, because of a fault of ours or not."""


@dataclass(eq=False, slots=True)
class Guest:
    """A station that is connected. It `is_over` when its connection is gone, or another has taken its place."""

    id: str
    line: Line
    visit: Visit
    is_over: bool = False
    due: Instant | None = None
    alarm: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class Csms:
    """A CSMS. Made by `open`."""

    central: Central
    store: CsmsStore
    now: Callable[[], Instant]
    answer_within_s: float = ANSWER_WITHIN_S
    wire: WireLog = field(default_factory=WireLog)
    _guests: dict[str, Guest] = field(default_factory=dict)
    _watchers: list[Callable[[Record], None]] = field(default_factory=list)
    _awaited: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _naming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _knowing: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @classmethod
    async def open(
        cls,
        url: str,
        policy: Policy,
        *,
        authority: Authority | None = None,
        full_sync: bool = False,
        now: Callable[[], Instant] | None = None,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> Csms:
        """A CSMS that goes on where it stopped, with what is kept at `sqlite:///FILE` or `postgresql://...`.

        `now` may not go back; without it, the CSMS has a clock that does not.
        """
        now = now or SteadyClock().now
        store = await CsmsStore.open(url, full_sync=full_sync)
        try:
            memory = await store.memory(now())
        except BaseException:
            await store.close()
            raise
        return cls(Central(policy, lambda: uuid4().hex, memory, authority), store, now, answer_within_s)

    async def close(self) -> None:
        """Say that everybody is gone, and keep what is to be kept. No frame may come any more."""
        for guest in list(self._guests.values()):
            self.leave(guest)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ANSWER_WITHIN_S)
        await self.store.close()

    # --- who is there -----------------------------------------------------------------------------------------------

    def enter(self, station_id: str, subprotocol: str, line: Line) -> Guest:
        """A station has connected. If it was connected already, this connection takes the place of the other."""
        now = self.now()
        dossier, records = self.central.welcome(now, station_id, subprotocol)
        visit = Visit(self.central, dossier, _new_id, round(self.answer_within_s * MS_PER_SECOND))
        guest, before = Guest(station_id, line, visit), self._guests.get(station_id)
        if before is not None:
            self.leave(before)
            self._soon(before.line.close("another connection has taken this one's place"))
        self._guests[station_id] = guest
        self._keep_soon(records)
        return guest

    def password_shown(self, station_id: str, password: bytes) -> None:
        """A station has shown a password that counts."""
        self._keep_soon(self.central.password_shown(self.central.dossier(station_id), password))

    def leave(self, guest: Guest) -> None:
        """A connection is gone."""
        if guest.is_over:
            return
        guest.is_over = True
        if self._guests.get(guest.id) is guest:
            del self._guests[guest.id]
        if guest.alarm is not None:
            guest.alarm.cancel()
        self._keep_soon(guest.visit.end(self.now()))

    def is_connected(self, station_id: str) -> bool:
        """Whether a station is there."""
        return station_id in self._guests

    def guest(self, station_id: str) -> Guest | None:
        """The connection of a station that is there: another one each time that it comes."""
        return self._guests.get(station_id)

    @property
    def connected(self) -> int:
        """How many stations are there."""
        return len(self._guests)

    # --- what they say ----------------------------------------------------------------------------------------------

    async def hear(self, guest: Guest, frame: bytes) -> None:
        """A frame has come. It is answered when what it says is durable. Nothing that it says does harm.

        Where that cannot be, its line is closed: the station keeps what is not answered, and comes again.
        """
        if guest.is_over:
            return
        try:
            await self._hear(guest, frame)
        except Unavailable as error:
            _log.error("%s: its line is closed, as nothing can be kept: %s", guest.id, error)
            self.leave(guest)
            await guest.line.close("nothing can be stored now; come again", is_fault=True)
            return
        except Exception:  # the outermost edge: one frame must not end a connection
            _log.exception("%s: a frame could not be handled: %r", guest.id, without_secrets(frame)[:500])
            guest.visit.stumble()
        await self._send(guest)
        self._set_alarm(guest)

    async def _hear(self, guest: Guest, frame: bytes) -> None:
        now = self.now()
        self.wire.note(guest.id, now, "in", frame)
        turn = guest.visit.receive(now, frame)
        if turn.in_doubt is not None:
            turn = await self._recalled(guest, turn, turn.in_doubt)
        if turn.ignored is not None:
            _log.info("%s: ignored: %s", guest.id, turn.ignored)
        if turn.records:
            await self._keep(guest.visit.dossier, turn.records)
            self._tell(turn.records)
        guest.visit.settle(now, turn)

    async def _keep(self, dossier: Dossier, records: Sequence[Record]) -> None:
        """Keep what a station has said, and the station too where the store may lack it."""
        if dossier.is_kept:
            await self.store.keep(records)
            return
        station = dossier.put(replace(dossier.station))  # another one, which `_know` will notice
        await self.store.keep([*records, station])
        dossier.is_kept = True

    async def _recalled(self, guest: Guest, turn: Turn, told: OfTransaction) -> Turn:
        """What may be of a transaction that was over long ago goes on with what is kept of that."""
        kept = await self.store.transaction_of(guest.id, told)
        return guest.visit.recall(self.now(), turn, kept)

    async def _send(self, guest: Guest) -> None:
        for frame in guest.visit.frames():
            self.wire.note(guest.id, self.now(), "out", frame)
            await guest.line.send(frame)

    # --- what they are asked ----------------------------------------------------------------------------------------

    async def command(self, station_id: str, action: str, payload: Any) -> Command:
        """Ask a station to do something; return as soon as that is kept, and on its way or waiting for its turn.

        Raises NotFound for a station or an action that nobody knows, Conflict for a station that is not there or may
        not be asked now, InvalidInput for a payload that is none.
        """
        self.central.dossier(station_id)
        request = request_of(action, payload, self.central.named_profiles)
        guest = self._guests.get(station_id)
        if guest is None:
            raise Conflict("station", station_id, "is not connected")
        return await self._ask(guest, request)

    async def _ask(self, guest: Guest, request: Struct) -> Command:
        command = guest.visit.propose(self.now(), request)
        password = password_in(request)
        if password is None:
            await self.store.keep([command])
        else:  # whatever becomes of this, the station can come back
            await self._know(guest.id, lambda: self.central.expecting(guest.visit.dossier, password), command)
        if guest.is_over:
            command = replace(command, state="lost", ended_at=self.now())
            await self.store.keep([command])
            return command
        guest.visit.ask(self.now(), command, request)
        self._soon(self._send(guest))
        self._set_alarm(guest)
        return command

    async def outcome(self, command_id: str, within_s: float = 0.0) -> Command | None:
        """A command when it is over, or after so long; None where there is no such command."""
        over = asyncio.Event()
        self._awaited.setdefault(command_id, set()).add(over)
        try:
            found = await self.store.command(command_id)
            if within_s <= 0.0 or found is None or found.state != "pending":
                return found
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), within_s)
            return await self.store.command(command_id)
        finally:
            self._await_no_more(command_id, over)

    def _await_no_more(self, command_id: str, over: asyncio.Event) -> None:
        waiting = self._awaited.get(command_id, set())
        waiting.discard(over)
        if not waiting:
            self._awaited.pop(command_id, None)

    def _set_alarm(self, guest: Guest) -> None:
        """Look again when an answer is overdue."""
        due = guest.visit.next_wakeup()
        if due == guest.due or guest.is_over:
            return
        if guest.alarm is not None:
            guest.alarm.cancel()
        guest.due, guest.alarm = due, None
        if due is not None:
            wait_s = max(0, due - self.now()) / MS_PER_SECOND
            guest.alarm = asyncio.get_running_loop().call_later(wait_s, self._wake, guest)

    def _wake(self, guest: Guest) -> None:
        guest.due = guest.alarm = None
        self._keep_soon(guest.visit.wake(self.now()))
        self._soon(self._send(guest))
        self._set_alarm(guest)

    # --- what operators do ------------------------------------------------------------------------------------------

    async def close_transaction(self, id: int) -> Transaction:
        """Close a transaction that nobody will stop. Raises NotFound or Conflict."""
        closed = self.central.transactions.closed(self.now(), id)
        await self.store.keep([closed])
        self.central.transactions.close(closed)
        self._tell([closed])
        return closed

    async def put_token(self, token: Token) -> Token:
        """Let a token be known so."""
        async with self._naming:
            known = self.central.tokens.get(token.id_token)
            if known is not None:  # a name in other letters is the same name
                token = replace(token, id_token=known.id_token)
            await self.store.keep([token])
            return self.central.put_token(token)

    async def put_profile(self, name: str, profile: str) -> NamedProfile:
        """Store a charging profile under a name."""
        named = NamedProfile(name=name, profile=profile, at=self.now())
        await self.store.keep([named])
        return self.central.put_named_profile(named)

    async def admit(self, station_id: str, registration: RegistrationStatus | None, password: str | None) -> Dossier:
        """Let a station take part or not, and say what its password is; it may not have been here yet."""
        secret = None if password is None else self.central.secret_of(password)
        return await self._know(station_id, lambda: self.central.wanted(self.now(), station_id, registration, secret))

    async def _know(self, station_id: str, wanted: Callable[[], KnownStation], *beside: Record) -> Dossier:
        """Keep what a station is to be known as, with what belongs to it, and only then know it so.

        One after the other: else what was kept for one change would be without the other for a moment.
        """
        async with self._knowing.setdefault(station_id, asyncio.Lock()):
            while True:
                before, station = self._station(station_id), wanted()
                await self.store.keep([*beside, station])
                if self._station(station_id) is before:
                    return self.central.known_as(station)
                # it said something meanwhile, which was kept after this: once more, on top of that

    def _station(self, station_id: str) -> KnownStation | None:
        known = self.central.known(station_id)
        return known.station if known is not None else None

    async def forget_strangers(self, before: Instant) -> int:
        """Forget who was not heard of since and never took part; return how many. Raises Unavailable."""
        gone = [id for id in self.central.strangers(before) if not self.is_connected(id)]
        dossiers = [self.central.forget(id) for id in gone]
        try:
            await self.store.forget(gone, before)
        except Unavailable:
            for dossier in dossiers:
                dossier.is_kept = False  # the database may have done it all the same
                self.central.remember(dossier)
            raise
        for id in gone:
            if self.central.known(id) is None:
                self.wire.forget(id)
        return len(gone)

    # --- what others hear ---------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[Record], None]) -> Callable[[], None]:
        """Let somebody hear of every record of a station that is durable; return what ends that. It may not raise."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _tell(self, records: Sequence[Record]) -> None:
        for watcher in self._watchers:
            for record in records:
                watcher(record)
        for record in records if self._awaited else ():
            if isinstance(record, Command) and record.state != "pending":
                for over in self._awaited.get(record.id, ()):
                    over.set()

    # --- in the background ------------------------------------------------------------------------------------------

    def _keep_soon(self, records: Sequence[Record]) -> None:
        """Keep what nobody waits for, after what was to be kept before."""
        if records:
            self.store.keep(records).add_done_callback(lambda kept: self._kept_or_lost(kept, records))

    def _kept_or_lost(self, kept: asyncio.Future[None], records: Sequence[Record]) -> None:
        error = kept.exception() if not kept.cancelled() else None
        for record in records:
            if isinstance(record, KnownStation) and (known := self.central.known(record.id)) is not None:
                known.is_kept = error is None
        if error is not None:
            _log.error("records could not be kept: %s", error)
        else:
            self._tell(records)

    def _soon(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _new_id() -> str:
    return uuid4().hex
