"""Our CSMS and our station twin of OCPP 1.6, wire to wire, in virtual time: each command has its effect at both."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.builders import MIDNIGHT
from tests.csms16 import a_central, a_profile
from tests.ocpp16 import AC_22, NoNotary, an_ac_car
from voltbench.adapters.ocpp_csms.payloads import request_of
from voltbench.charging.status import Status
from voltbench.ocpp.orders import Connect, HangUp, Send
from voltbench.ocpp.v16.csms.records import (
    Command,
    Event,
    InstalledProfile,
    MetersRead,
    Record,
    Reservation,
    Token,
    Transaction,
)
from voltbench.ocpp.v16.csms.visit import Visit
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import MS_PER_SECOND, rfc3339


class Together:
    """A station that comes to a CSMS. `kept` is what the CSMS has kept of it."""

    def __init__(self) -> None:
        self.now = MIDNIGHT
        self.central = a_central()
        self.central.put_token(Token(id_token="ADA"))
        self.kept: list[Record] = []
        self.visit: Visit | None = None
        self.is_reachable = True
        ids = count(1)
        self._new_id = lambda: f"id-{next(ids)}"
        self.station = Station(MIDNIGHT, Identity("CP1"), AC_22, NoNotary(), new_id=self._new_id, chance=lambda: 0.5)
        self.advance(60)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + round(seconds * MS_PER_SECOND)
        self._settle()
        while (due := self.station.next_wakeup()) is not None and due <= until:
            self.now = max(self.now, due)
            self.station.wake(self.now)
            self._settle()
        self.now = until

    def drop(self) -> None:
        """The connection breaks, and cannot be had again."""
        self.is_reachable = False
        self._leave()
        self.station.disconnected(self.now)
        self._settle()

    def _settle(self) -> None:
        while orders := self.station.orders():
            for order in orders:
                match order:
                    case Connect():
                        self._connect()
                    case HangUp():
                        self._leave()
                    case Send(frame) if self.visit is not None:
                        self._hear(self.visit, frame)

    def _connect(self) -> None:
        if not self.is_reachable:
            self.station.disconnected(self.now)
            return
        dossier, records = self.central.welcome(self.now, "CP1", "ocpp1.6")
        self.kept += records
        self.visit = Visit(self.central, dossier, self._new_id)
        self.station.connected(self.now)

    def _leave(self) -> None:
        if self.visit is not None:
            self.kept += self.visit.end(self.now)
        self.visit = None

    def _hear(self, visit: Visit, frame: bytes) -> None:
        turn = visit.receive(self.now, frame)
        assert turn.ignored is None, turn.ignored
        self.kept += turn.records
        visit.settle(self.now, turn)
        self._say(visit)

    def _say(self, visit: Visit) -> None:
        for frame in visit.frames():
            self.station.receive(self.now, frame)

    def asks(self, action: str, **payload: Any) -> str:
        """The status in the station's answer to a command."""
        assert self.visit is not None
        request = request_of(action, payload, {})
        command = self.visit.propose(self.now, request)
        self.visit.ask(self.now, command, request)
        self._say(self.visit)
        self._settle()
        answered = next(one for one in self.kept if isinstance(one, Command) and one.id == command.id)
        assert answered.state == "answered", answered
        return (answered.answer or "").partition('"status":"')[2].partition('"')[0]

    def all(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.kept if isinstance(one, kind)]

    def status(self, evse: int) -> str | None:
        """What the CSMS believes of an EVSE; it must be what is so."""
        told = self.central.dossier("CP1").connectors[evse].status
        assert told == self.station.life.evse(evse).status().value
        return told


def test_a_station_comes_and_is_known():
    both = Together()
    dossier = both.central.dossier("CP1")
    assert dossier.station.boot is not None
    assert sorted(dossier.connectors) == [0, 1, 2]
    assert both.status(1) == Status.AVAILABLE.value
    both.asks("GetConfiguration")
    assert (setting := dossier.setting("NumberOfConnectors")) is not None
    assert setting.setting == "2"


def test_a_remote_start_charges_and_is_billed():
    both = Together()
    both.station.plug_in(both.now, 1, an_ac_car())
    assert both.asks("RemoteStartTransaction", connectorId=1, idTag="ADA") == "Accepted"
    both.advance(1_800)
    assert both.status(1) == "Charging"
    (running,) = both.central.transactions.open_of("CP1")
    assert both.asks("RemoteStopTransaction", transactionId=running.id) == "Accepted"
    both.advance(10)
    stopped = both.all(Transaction)[-1]
    assert (stopped.closed_by, stopped.reason) == ("station", "Remote")
    assert 5_000 < stopped.meter_stop_wh - stopped.meter_start_wh < 6_000
    assert {one.transaction_id for one in both.all(MetersRead)} == {running.id}


def test_a_profile_is_installed_on_both_sides_and_limits():
    both = Together()
    profile = a_profile(3, chargingProfilePurpose="ChargePointMaxProfile")
    assert both.asks("SetChargingProfile", connectorId=0, csChargingProfiles=profile) == "Accepted"
    assert both.asks("GetCompositeSchedule", connectorId=1, duration=60, chargingRateUnit="A") == "Accepted"
    assert '"limit":16.0' in both.central.dossier("CP1").notes["composite-schedule/1"].content
    assert both.asks("ClearChargingProfile", id=3) == "Accepted"
    assert [one.cleared_at for one in both.all(InstalledProfile)][-1] == both.now
    assert not both.central.dossier("CP1").profiles


def test_a_reservation_is_held_and_used():
    both = Together()
    later = rfc3339(both.now + 3_600_000)
    assert both.asks("ReserveNow", connectorId=1, expiryDate=later, idTag="ADA", reservationId=9) == "Accepted"
    assert both.status(1) == "Reserved"
    both.station.plug_in(both.now, 1, an_ac_car())
    both.station.present(both.now, "ADA", 1)
    both.advance(60)
    assert both.status(1) == "Charging"
    assert [one.state for one in both.all(Reservation)] == ["Active", "Used"]


def test_what_happened_offline_is_told_once_and_billed():
    both = Together()
    both.asks("ChangeConfiguration", key="AllowOfflineTxForUnknownId", value="true")
    both.drop()
    both.station.plug_in(both.now, 1, an_ac_car())
    both.station.present(both.now, "ADA", 1)
    both.advance(1_800)
    both.station.unplug(both.now, 1)
    both.advance(600)
    assert both.all(Transaction) == []
    both.is_reachable = True
    both.advance(1_200)
    both.asks("GetLocalListVersion")
    assert [one.closed_by for one in both.all(Transaction)] == [None, "station"]
    assert both.status(1) == "Available"


def test_availability_and_a_reset_go_through():
    both = Together()
    assert both.asks("ChangeAvailability", connectorId=2, type="Inoperative") == "Accepted"
    both.advance(1)
    assert both.status(2) == "Unavailable"
    assert both.central.dossier("CP1").connectors[2].availability == "Inoperative"
    assert both.asks("Reset", type="Hard") == "Accepted"
    both.advance(300)
    assert len([one for one in both.all(Event) if one.kind == "BootNotification"]) == 2
    assert both.status(2) == "Unavailable"
