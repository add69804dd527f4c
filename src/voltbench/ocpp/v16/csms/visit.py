"""A station's visit: one connection, from its first frame to its last.

Frames come in; out come records to keep, and frames to send. The answer to a station is not among these before the
records that it confirms are known to be durable: until then it waits in a `Turn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from voltbench.errors import Conflict, InvalidInput, VoltbenchError
from voltbench.ocpp.dialect import Fault
from voltbench.ocpp.rpc import Answered, Called, Ignored, Overdue, Peer, Refused
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms import charging, maintaining, registering
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.effects import effects
from voltbench.ocpp.v16.csms.keys import without_secrets
from voltbench.ocpp.v16.csms.records import Command, CommandState, Record, Transaction
from voltbench.ocpp.v16.csms.reply import Handler, Reply, json_of
from voltbench.ocpp.v16.csms.storable import require_storable
from voltbench.ocpp.v16.csms.transactions import OfTransaction
from voltbench.ocpp.versions import OCPP_16
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant

HANDLERS: Mapping[str, Handler] = {
    "Authorize": charging.authorize,
    "BootNotification": registering.boot,
    "DataTransfer": maintaining.data_transfer,
    "DiagnosticsStatusNotification": maintaining.diagnostics_status,
    "FirmwareStatusNotification": maintaining.firmware_status,
    "Heartbeat": registering.heartbeat,
    "LogStatusNotification": maintaining.log_status,
    "MeterValues": charging.meter_values,
    "SecurityEventNotification": maintaining.security_event,
    "SignCertificate": maintaining.sign_certificate,
    "SignedFirmwareStatusNotification": maintaining.signed_firmware_status,
    "StartTransaction": charging.start,
    "StatusNotification": registering.status,
    "StopTransaction": charging.stop,
}

NOT_WHILE_PENDING = frozenset({"Authorize", "StartTransaction", "RemoteStartTransaction", "RemoteStopTransaction"})
"""What neither side may ask while a station is pending (section 4.2); stops of what began before are welcome."""

LARGEST_CONNECTOR = 1_000


@dataclass(slots=True)
class Turn:
    """What came of a frame, or of time that went by: keep the records, then `Visit.settle` it.

    Where it is `in_doubt` of which transaction something is, first look up what is kept of that, and go on with what
    `Visit.recall` says.
    """

    records: tuple[Record, ...] = ()
    call_id: str | None = None
    response: Struct | None = None
    requests: tuple[tuple[str, Struct], ...] = ()
    ignored: str | None = None
    in_doubt: OfTransaction | None = None


class Visit:
    """One connection of a station. `new_id` gives ids for the commands that follow from what it says."""

    __slots__ = ("_asked", "_central", "_in_hand", "_is_over", "_new_id", "_peer", "dossier")

    def __init__(
        self,
        central: Central,
        dossier: Dossier,
        new_id: Callable[[], str],
        timeout_ms: DurationMs = 30 * MS_PER_SECOND,
    ) -> None:
        self.dossier = dossier
        self._central = central
        self._new_id = new_id
        self._peer = Peer(OCPP_16, "csms", new_id, timeout_ms)
        self._asked: dict[str, Command] = {}
        self._in_hand: str | None = None
        self._is_over = False

    # --- what the station says --------------------------------------------------------------------------------------

    def receive(self, now: Instant, frame: bytes | str) -> Turn:
        """A frame has arrived. Whatever it is, it does not raise."""
        self.dossier.seen_at = now
        for happening in self._peer.receive(now, frame):
            if isinstance(happening, Called):
                return self._called(now, happening, frame)
            if isinstance(happening, Ignored):
                return Turn(ignored=happening.why)
            return self._ended(now, happening)
        return Turn()

    def _called(self, now: Instant, called: Called, frame: bytes | str) -> Turn:
        self._in_hand = called.id
        try:
            self._require_admission(called.action)
            _require_storable(called.request, frame)
            if self._central.transactions.is_in_doubt(called.request, self.dossier.id):
                return Turn(call_id=called.id, in_doubt=called.request)
            reply = HANDLERS[called.action](self._central, now, self.dossier, called.request)
        except InvalidInput as error:
            return self._refused(called, Fault.PROPERTY, error)
        except Conflict as error:
            return self._refused(called, Fault.SECURITY, error)
        return self._turn(now, called.id, reply)

    def recall(self, now: Instant, turn: Turn, kept: Transaction | None) -> Turn:
        """What is kept of the transaction that was in doubt, if anything is: go on with that."""
        assert turn.in_doubt is not None
        assert turn.call_id is not None
        if kept is not None:
            self._central.transactions.recall(kept)
        handle = HANDLERS[type(turn.in_doubt).__name__]
        return self._turn(now, turn.call_id, handle(self._central, now, self.dossier, turn.in_doubt))

    def _refused(self, called: Called, fault: Fault, error: VoltbenchError) -> Turn:
        self._in_hand = None
        self._peer.refuse(called.id, fault, str(error))
        return Turn(ignored=f"call {called.id!r}: {error}")

    def _require_admission(self, action: str) -> None:
        registration = self.dossier.station.registration
        if registration == "Rejected" and action != "BootNotification":
            raise Conflict("station", self.dossier.id, "is rejected")
        if registration == "Pending" and action in NOT_WHILE_PENDING:
            raise Conflict("station", self.dossier.id, "is not accepted yet")

    def _turn(self, now: Instant, call_id: str, reply: Reply) -> Turn:
        if not reply.requests:
            return Turn(reply.records, call_id, reply.response)
        commands = [self._command_of(now, self._new_id(), request) for request in reply.requests]
        for command in commands:
            self._asked[command.id] = command
        requests = zip((command.id for command in commands), reply.requests, strict=True)
        return Turn((*reply.records, *commands), call_id, reply.response, tuple(requests))

    def settle(self, now: Instant, turn: Turn) -> None:
        """The records of a turn are durable: answer the station.

        A turn that cannot be kept is not settled, but its line is closed: what is not answered a station tells again
        for as long as it takes, and what is refused so many times it gives up (TransactionMessageAttempts).
        """
        self.dossier.forget_over(turn.records)
        if self._is_over or turn.call_id is None or turn.response is None:
            return
        self._in_hand = None
        self._peer.answer(turn.call_id, turn.response)
        for id, request in turn.requests:
            self._peer.call(now, request, id)

    def stumble(self) -> None:
        """What was being handled could not be, by a fault of ours: its sender is told so."""
        id, self._in_hand = self._in_hand, None
        if id is not None and not self._is_over:
            self._peer.refuse(id, Fault.INTERNAL, "this is a fault of the CSMS; its log says more")

    def frames(self) -> list[bytes]:
        """The frames to send now, in order; each is told once."""
        return self._peer.frames()

    # --- what the station is asked ----------------------------------------------------------------------------------

    def propose(self, now: Instant, request: Struct) -> Command:
        """What the station is to be asked: to be kept before. Raises Conflict where it may not be asked now."""
        action = type(request).__name__
        registration = self.dossier.station.registration
        if registration == "Rejected" or (registration == "Pending" and action in NOT_WHILE_PENDING):
            raise Conflict("station", self.dossier.id, f"is {registration.lower()}, and not to be asked for that")
        return self._command_of(now, self._new_id(), request)

    def ask(self, now: Instant, command: Command, request: Struct) -> None:
        """Ask the station what was proposed."""
        self._asked[command.id] = command
        self._peer.call(now, request, command.id)

    def _command_of(self, now: Instant, id: str, request: Struct) -> Command:
        return Command(
            id=id, station_id=self.dossier.id, action=type(request).__name__, payload=_shown(request), asked_at=now
        )

    def _ended(self, now: Instant, happening: Answered | Refused | Overdue) -> Turn:
        command = self._asked.pop(happening.call.id)
        if isinstance(happening, Overdue):
            return Turn((_over(command, now, "overdue"),))
        if isinstance(happening, Refused):
            refusal = {"code": happening.code, "description": happening.description, "details": happening.details}
            return Turn((_over(command, now, "refused", refusal=_shown(refusal)),))
        over = _over(command, now, "answered", answer=_shown(happening.response))
        return Turn((over, *self._effects(now, happening)))

    def _effects(self, now: Instant, happening: Answered) -> Iterable[Record]:
        return effects(self._central, now, self.dossier, happening.call.request, happening.response)

    # --- time and the end -------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When an answer is overdue."""
        return self._peer.due

    def wake(self, now: Instant) -> list[Record]:
        """Give up what is overdue."""
        ended = [self._ended(now, one) for one in self._peer.wake(now) if isinstance(one, Overdue)]
        return [record for turn in ended for record in turn.records]

    def end(self, now: Instant) -> list[Record]:
        """The connection is gone: what was asked and not answered is lost."""
        self._is_over = True
        self._peer.lose()
        lost = [_over(command, now, "lost") for command in self._asked.values()]
        self._asked.clear()
        return [*lost, self.dossier.leave()]


def _over(
    command: Command, now: Instant, state: CommandState, answer: str | None = None, refusal: str | None = None
) -> Command:
    return replace(command, state=state, answer=answer, refusal=refusal, ended_at=now)


def _shown(content: Any) -> str:
    """What may be read of what was said, as JSON."""
    return without_secrets(json_of(content).encode()).decode()


def _require_storable(request: Struct, frame: bytes | str) -> None:
    """Only a frame that may have a NUL in it is looked through, and of others the numbers: there are many frames."""
    if (b"\\u0000" if isinstance(frame, bytes) else "\\u0000") in frame:  # type: ignore[operator]
        require_storable("", msgspec.to_builtins(request))
    for name in _WHOLES.get(type(request), ()):
        require_storable(name, getattr(request, name))
    least = 1 if isinstance(request, m.StartTransaction) else 0  # only a connector has a transaction (section 6.45)
    connector = getattr(request, "connector_id", least)
    if not least <= connector <= LARGEST_CONNECTOR:
        allowed = f"{least} to {LARGEST_CONNECTOR}"
        raise InvalidInput("connector_id", "is out of range", found=connector, allowed=allowed)


_WHOLES: Mapping[type[Struct], tuple[str, ...]] = {
    m.MeterValues: ("transaction_id",),
    m.StartTransaction: ("meter_start", "reservation_id"),
    m.StopTransaction: ("meter_stop", "transaction_id"),
}
