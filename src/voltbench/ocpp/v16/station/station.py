"""A charging station that speaks OCPP 1.6: the station's life, and the parts that tell the CSMS of it.

It is handed frames, drivers' deeds and the time; what the shell has to do for it is in `orders`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from msgspec import Struct

from voltbench.charging import deeds, wishes
from voltbench.charging.happenings import (
    Happening,
    ReservationOver,
    Sampled,
    StatusChanged,
    TokenPresented,
    TransactionEnded,
    TransactionStarted,
)
from voltbench.charging.life import StationLife
from voltbench.charging.station import StationModel
from voltbench.charging.status import StopReason
from voltbench.charging.vehicle import Vehicle
from voltbench.ocpp.dialect import Fault, Side
from voltbench.ocpp.orders import Order
from voltbench.ocpp.rpc import Answered, Called, Ignored, Overdue, Refused
from voltbench.ocpp.v16.station.authorizing import Authorizing
from voltbench.ocpp.v16.station.certificates import Certificates
from voltbench.ocpp.v16.station.configuration import Configuration
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.diagnostics import Diagnostics
from voltbench.ocpp.v16.station.errands import Errands
from voltbench.ocpp.v16.station.firmware import Firmware
from voltbench.ocpp.v16.station.notary import Notary
from voltbench.ocpp.v16.station.operating import Operating
from voltbench.ocpp.v16.station.profiles import Profiles
from voltbench.ocpp.v16.station.registration import Identity, Registration
from voltbench.ocpp.v16.station.resetting import Resetting
from voltbench.ocpp.v16.station.securing import Securing
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.ocpp.v16.station.transactions import Transactions, status_notification
from voltbench.ocpp.v16.station.wiring import usual
from voltbench.quantities import Instant, earliest

_UNPROVEN: dict[Side, str] = {
    "station": "FailedToAuthenticateAtCentralSystem",
    "csms": "CentralSystemFailedToAuthenticate",
}
"""What the security log says where a line could not be had because of who a side is (whitepaper, section 4.2)."""


class Station:
    """A charging station of OCPP 1.6. `memory` is what it has asked to keep, as far as it was not
    forgotten since; None is a station that nothing outlives, which asks for nothing to be kept.

    `fixed` are configuration keys whose first setting is this station's own; `new_id` gives message ids, `chance`
    numbers from 0 to 1. Whatever it is told, look at `orders` afterwards, and at `next_wakeup`. Whoever stands beside
    it may listen to what happens there: `on_fact`. `speed` is how much faster its time passes than the network's: what
    waits for the CSMS waits by that one's time. `is_tls` says that its line is secured by TLS.
    """

    def __init__(
        self,
        now: Instant,
        identity: Identity,
        model: StationModel,
        notary: Notary,
        *,
        new_id: Callable[[], str],
        chance: Callable[[], float],
        fixed: Mapping[str, str] | None = None,
        memory: Mapping[str, bytes] | None = None,
        speed: float = 1.0,
        is_tls: bool = False,
    ) -> None:
        kept = {} if memory is None else memory
        registers = [float(kept.get(f"register/{i}", b"0")) for i in range(1, len(model.connectors) + 1)]
        configuration = Configuration(own_keys(model) | dict(fixed or {}))
        self.life = StationLife(model, registers, int(kept.get("last", b"0")))
        self._desk = desk = Desk(self.life, configuration, new_id, chance, keeps=memory is not None, speed=speed)
        self.registration = Registration(desk, identity, now, self._accepted)
        self.authorizing = Authorizing(desk)
        self.transactions = Transactions(desk, self.authorizing)
        self._profiles = Profiles(desk, self.transactions.outbox)
        self._errands = Errands(desk)
        self._security = SecurityEvents(desk, self._errands)
        self._resetting = Resetting(desk, self.registration, self._errands, self._security)
        self._firmware = Firmware(desk, self.registration, notary, self._errands, self._security)
        self._diagnostics = Diagnostics(desk, identity.id, self._errands, self._security)
        self.certificates = Certificates(
            desk, notary, identity.id, self._security, self.registration.reconnect, is_tls=is_tls
        )
        self._securing = Securing(desk, self.certificates, self._security)
        self._operating = Operating(
            desk,
            self.registration,
            self.transactions,
            self._firmware,
            self._diagnostics,
            self.certificates,
            self._security,
            self._securing,
        )
        self._hears = self._hearers()
        self._handles = self._handlers()
        self._in_hand: str | None = None
        self.on_fact: Callable[[Instant, Happening], None] | None = None
        self._told: dict[int, tuple[str, str]] = {}
        self._restore(now, kept)
        self._operating.adopt_all(now)
        wishes.restart(self.life, now, StopReason.POWER_LOSS)
        self._security.note_routine(now, "StartupOfTheDevice")
        self._follow(now)

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its identity, as the CSMS knows it."""
        return self.registration.identity.id

    @property
    def configuration(self) -> Configuration:
        """Its configuration keys."""
        return self._desk.configuration

    @property
    def is_accepted(self) -> bool:
        """Whether it is connected and the CSMS has accepted it."""
        return self._desk.may_call

    @property
    def is_connected(self) -> bool:
        """Whether the line stands."""
        return self._desk.peer is not None

    @property
    def overdue(self) -> int:
        """How many of its calls were not answered in time."""
        return self._desk.overdue

    def orders(self) -> list[Order]:
        """What the shell has to do now, in this order; each is told once."""
        orders, self._desk.orders = self._desk.orders, []
        return orders

    # --- the line ---------------------------------------------------------------------------------------------------

    def connected(self, now: Instant) -> None:
        """The line to the CSMS stands."""
        self.registration.connected(now)
        self._securing.works()
        self._follow(now)

    def disconnected(self, now: Instant, in_doubt: Side | None = None) -> None:
        """The line is gone, or could not be had; perhaps because one side does not believe who the other is."""
        if in_doubt is not None:
            self._security.log(now, _UNPROVEN[in_doubt])
        if not self.is_connected:
            self._securing.missed(now)
        self.registration.disconnected(now)
        self._follow(now)

    def receive(self, now: Instant, frame: bytes | str) -> None:
        """A frame has arrived."""
        peer = self._desk.peer
        if peer is None:
            return
        for happening in peer.receive(now, frame):
            self._heard(now, happening)
        self._follow(now)

    def _heard(self, now: Instant, happening: Called | Answered | Refused | Overdue | Ignored) -> None:
        if isinstance(happening, Answered):
            self._desk.answered(now, happening)
        elif isinstance(happening, Called):
            self._called(now, happening)
        elif isinstance(happening, Ignored):
            self._desk.diary.append((now, f"ignored: {happening.why}"))
        else:
            self._desk.unanswered(now, happening)

    def _called(self, now: Instant, called: Called) -> None:
        peer = self._desk.peer
        if peer is None or self.registration.status == "Rejected":
            return  # who was rejected does not answer (section 4.2)
        handle = self._handles.get(called.action)
        self._desk.diary.append((now, f"asked to {called.action}"))
        if handle is None:
            peer.refuse(called.id, Fault.NOT_SUPPORTED, f"{called.action} is not supported")
            return
        self._in_hand = called.id
        peer.answer(called.id, handle(now, called.request))
        self._in_hand = None
        self._desk.send()

    def stumble(self, now: Instant) -> None:
        """What was being done could not be, by a fault of ours: who asked for it is told so, and the rest is done."""
        id, self._in_hand = self._in_hand, None
        self._desk.diary.append((now, "stumbled"))
        if id is not None and self._desk.peer is not None:
            self._desk.peer.refuse(id, Fault.INTERNAL, "this is a fault of the station; its log says more")
        self._follow(now)

    def transferred(self, now: Instant, id: int, content: bytes | None) -> None:
        """A transfer has come to its end: what it brought, or None where it failed."""
        self._errands.transferred(now, id, content)
        self._follow(now)

    # --- drivers ----------------------------------------------------------------------------------------------------

    def plug_in(self, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float = inf) -> None:
        """Plug a car in. Raises Conflict where there is one, InvalidInput where it does not fit."""
        deeds.plug_in(self.life, now, evse, vehicle, asked_wh)
        self._follow(now)

    def unplug(self, now: Instant, evse: int) -> Vehicle | None:
        """Pull the plug; return the car as it is now."""
        vehicle = deeds.unplug(self.life, now, evse)
        self._follow(now)
        return vehicle

    def present(self, now: Instant, token: str, evse: int | None = None) -> None:
        """Show an id token to the reader."""
        deeds.present(self.life, now, token, evse)
        self._follow(now)

    def fail(self, now: Instant, evse: int, error: str) -> None:
        """An EVSE (0: the station) has a fault: a ChargePointErrorCode, or any other word, and `/` its vendor's code.

        A station's `ResetFailure` shows only when it is to be reset, or to boot with new firmware.
        """
        deeds.fail(self.life, now, evse, error)
        self._follow(now)

    def repair(self, now: Instant, evse: int) -> None:
        """The fault is gone."""
        deeds.repair(self.life, now, evse)
        self._follow(now)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something is due."""
        peer = self._desk.peer
        line = None if peer is None else peer.due
        retry = self.transactions.outbox.next_wakeup() if line is None and self._desk.may_call else None
        return earliest(
            self.life.next_wakeup(), self.registration.next_wakeup(), self._errands.next_wakeup(), line, retry
        )

    def wake(self, now: Instant) -> None:
        """Do what is due."""
        peer = self._desk.peer
        if peer is not None and peer.due is not None:
            for happening in peer.wake(now):
                self._heard(now, happening)
        self.life.wake(now)
        self._errands.wake(now)
        if self.registration.wake(now):
            self._rebooted(now)
        self._follow(now)

    # --- following what happens -------------------------------------------------------------------------------------

    def _follow(self, now: Instant) -> None:
        """Do what was put off, let the parts hear of what has happened, and say what can be said.

        Each is taken off its list before it is done: where one of them stumbles, the others are still there.
        """
        afterwards, happened = self._desk.afterwards, self.life.happened
        while afterwards or happened:
            while afterwards:
                afterwards.pop(0)(now)
            while happened:
                self._spread(now, happened.pop(0))
        if self.registration.leaves_by is not None:
            self.registration.hang_up(now, all_told=not self.transactions.outbox)
        if self._desk.may_call_now and not self._security.pump(now):
            self.transactions.pump(now)
        self._desk.send()

    def _spread(self, now: Instant, fact: Happening) -> None:
        hears = self._hears.get(type(fact))
        if hears is not None:
            hears(now, fact)
        if self.on_fact is not None:
            self.on_fact(now, fact)

    def _hearers(self) -> dict[type[Happening], Callable[[Instant, Any], object]]:
        """Who hears of what."""
        return {
            Sampled: self.transactions.sampled,
            StatusChanged: self._tell_status,
            TokenPresented: self.transactions.presented,
            TransactionStarted: self.transactions.started,
            TransactionEnded: self.transactions.ended,
            ReservationOver: self._operating.reservation_over,
        }

    def _handlers(self) -> dict[str, Callable[[Instant, Any], Struct]]:
        """Which part does what the CSMS asks for."""
        return {
            "CancelReservation": self._operating.cancel_reservation,
            "CertificateSigned": self.certificates.signed,
            "ChangeAvailability": self._operating.change_availability,
            "ChangeConfiguration": self._operating.change_configuration,
            "ClearCache": self.authorizing.clear_cache,
            "ClearChargingProfile": self._profiles.clear,
            "DataTransfer": self._operating.data_transfer,
            "DeleteCertificate": self.certificates.delete,
            "ExtendedTriggerMessage": self._operating.trigger_extended,
            "GetCompositeSchedule": self._profiles.composite,
            "GetConfiguration": self._operating.get_configuration,
            "GetDiagnostics": self._diagnostics.get,
            "GetInstalledCertificateIds": self.certificates.tell,
            "GetLocalListVersion": self.authorizing.list_version,
            "GetLog": self._diagnostics.get_log,
            "InstallCertificate": self.certificates.install,
            "RemoteStartTransaction": self.transactions.remote_start,
            "RemoteStopTransaction": self.transactions.remote_stop,
            "ReserveNow": self._operating.reserve,
            "Reset": self._resetting.reset,
            "SendLocalList": self.authorizing.take_list,
            "SetChargingProfile": self._profiles.install,
            "SignedUpdateFirmware": self._firmware.update_signed,
            "TriggerMessage": self._operating.trigger,
            "UnlockConnector": self._operating.unlock,
            "UpdateFirmware": self._firmware.update,
        }

    def _tell_status(self, now: Instant, fact: StatusChanged) -> None:
        evse, told = fact.evse, (fact.status.value, fact.error or "")

        def answered(_now: Instant, response: Struct | None) -> None:
            if response is None and self._told.get(evse) == told:
                del self._told[evse]  # nobody has heard it: the next line that stands will tell

        if self._told.get(evse) != told and self._desk.tell(now, status_notification(fact), answered):
            self._told[evse] = told

    def _accepted(self, now: Instant, has_booted: bool) -> None:
        """The CSMS listens: tell it of each EVSE, after a boot of all, else of those that are something else now."""
        if has_booted:
            self._told.clear()
            self._firmware.booted(now)
            self._diagnostics.booted(now)
        for evse in range(len(self.life.evses) + 1):
            error = self.life.evse(evse).fault if evse else self.life.fault
            self._tell_status(now, StatusChanged(now, evse, self.life.status(evse), error))

    def _rebooted(self, now: Instant) -> None:
        self._firmware.start()
        wishes.maintain(self.life, now, False)
        wishes.restart(self.life, now, StopReason.REBOOT)
        self._operating.adopt_all(now)
        self._security.note_routine(now, "StartupOfTheDevice")

    # --- what was kept ----------------------------------------------------------------------------------------------

    def _restore(self, now: Instant, memory: Mapping[str, bytes]) -> None:
        rooms: dict[str, Callable[[str, bytes], object]] = {
            "key": lambda key, kept: self.configuration.set(key.removeprefix("key/"), kept.decode()),
            "list": self.authorizing.restore,
            "cache": self.authorizing.restore,
            "transaction": self.transactions.outbox.restore,
            "queue": self.transactions.outbox.restore,
            "profile": self._profiles.restore,
            "roots": self.certificates.restore,
            "former": self._securing.restore,
            "event": self._security.restore,
            "reservation": self._operating.restore_reservation,
            "operative": self._operating.restore_availability,
            "firmware": lambda _, kept: self._firmware.restore(now, kept),
            "upload": self._diagnostics.restore,
        }
        for key in sorted(memory):
            restore = rooms.get(key.partition("/")[0])
            if restore is not None:
                restore(key, memory[key])
        if "version" in memory:
            self.registration.firmware_version = memory["version"].decode()
        self._firmware.start()
        for key in sorted(key for key in memory if key.startswith("running/")):
            over = self.transactions.restore(memory[key], memory)
            self.life.evse(over.transaction.evse).feed.register_wh = over.register_wh


def own_keys(model: StationModel) -> dict[str, str]:
    """The configuration keys that a model of station settles."""
    connectors = model.connectors
    return {
        "NumberOfConnectors": str(len(connectors)),
        "ConnectorPhaseRotation": usual([connector.is_dc for connector in connectors]),
        "ConnectorPhaseRotationMaxLength": str(len(connectors) + 1),
        "ConnectorSwitch3to1PhaseSupported": str(model.switches_phases).lower(),
    }
