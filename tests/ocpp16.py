"""A station of OCPP 1.6 on the tests' bench: its CSMS is a list of answers, its wire a loop, its time ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from math import inf
from typing import Any

from msgspec import Struct

from tests.builders import MIDNIGHT, a_vehicle_model
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import OnboardCharger, Vehicle, VehicleModel
from voltbench.ocpp.dialect import Fault
from voltbench.ocpp.orders import Connect, Deliver, Fetch, HangUp, Keep, Send
from voltbench.ocpp.rpc import Answered, Call, Called, Ignored, Overdue, Peer, Refused
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.notary import Notary
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.ocpp.versions import OCPP_16
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

Answer = Callable[[Any], Struct | None]

AC_22 = StationModel(
    "ac-22", "ac-22", 44_160.0, (ConnectorModel("sType2", 22_080.0), ConnectorModel("sType2", 22_080.0)), "made up"
)
DC_150 = StationModel("dc-150", "dc-150", 150_000.0, (ConnectorModel("cCCS2", 150_000.0),) * 2, "made up", 0.95)


def an_ac_car(soc: float = 0.2, phases: int = 3, current_a: float = 16.0) -> Vehicle:
    """A car of 75 kWh that charges on AC."""
    ac = OnboardCharger(phases, current_a, efficiency=0.9)
    return Vehicle("car", a_vehicle_model(ac=ac), soc)


def a_dc_car(soc: float = 0.2, model: VehicleModel | None = None) -> Vehicle:
    """A car of 75 kWh that charges with 150 kW."""
    return Vehicle("car", model or a_vehicle_model(), soc)


class OnTheBench:
    """A station with its CSMS, which answers as `answers` says (None: with an error) and remembers what it `heard`.

    What the station keeps is in `memory`, what it fetches and delivers in `transfers`.
    """

    def __init__(
        self,
        model: StationModel = AC_22,
        *,
        fixed: Mapping[str, str] | None = None,
        memory: dict[str, bytes] | None = None,
        notary: Notary | None = None,
        now: Instant = MIDNIGHT,
        boots: bool = True,
    ) -> None:
        self.now = now
        self.memory = {} if memory is None else memory
        self.heard: list[tuple[str, Any]] = []
        self.answered: list[Answered | Refused | Overdue | Ignored] = []
        self.transfers: list[Fetch | Deliver] = []
        self.answers: dict[str, Answer] = {}
        self.is_reachable = True
        self.wanted = 0
        self._ids = count(1)
        self._transactions = count(1001)
        self._line: Peer | None = None
        self.station = Station(
            now,
            Identity("CP-1"),
            model,
            notary or NoNotary(),
            new_id=lambda: f"s{next(self._ids)}",
            chance=lambda: 0.5,
            fixed=fixed,
            memory=dict(self.memory),
        )
        self.settle()
        if boots:
            self.advance(0)

    # --- time and the wire ------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass; whatever is due happens at its instant."""
        until = self.now + round(seconds * MS_PER_SECOND)
        self.settle()
        while (due := self.station.next_wakeup()) is not None and due <= until:
            self.now = max(self.now, due)
            self.station.wake(self.now)
            self.settle()
        self.now = until

    def settle(self) -> None:
        """Do what the station wants done, until it wants nothing more."""
        while orders := self.station.orders():
            for order in orders:
                match order:
                    case Keep(key, None):
                        self.memory.pop(key, None)
                    case Keep(key, entry) if entry is not None:
                        self.memory[key] = entry
                    case Connect():
                        self._connect()
                    case HangUp():
                        self._line = None
                    case Send(frame):
                        self._hear(frame)
                    case Fetch() | Deliver():
                        self.transfers.append(order)

    def _connect(self) -> None:
        self.wanted += 1
        if self.is_reachable:
            self._line = Peer(OCPP_16, "csms", lambda: f"c{next(self._ids)}")
            self.station.connected(self.now)
        else:
            self.station.disconnected(self.now)

    def lose_line(self) -> None:
        """The line breaks, and cannot be had again."""
        self.is_reachable, self._line = False, None
        self.station.disconnected(self.now)
        self.settle()

    def _hear(self, frame: bytes) -> None:
        line = self._line
        if line is None:
            return
        for happening in line.receive(self.now, frame):
            if isinstance(happening, Called):
                self.heard.append((happening.action, happening.request))
                response = self._answer(happening.action, happening.request)
                if response is not None:
                    line.answer(happening.id, response)
                else:
                    line.refuse(happening.id, Fault.INTERNAL, "could not process that")
            else:
                self.answered.append(happening)
        self._flush()

    def _flush(self) -> None:
        for frame in self._line.frames() if self._line is not None else ():
            self.station.receive(self.now, frame)

    def _answer(self, action: str, request: Any) -> Struct | None:
        if action in self.answers:
            return self.answers[action](request)
        now = rfc3339(self.now)
        usual: dict[str, Callable[[], Struct]] = {
            "BootNotification": lambda: m.BootNotificationResponse(status="Accepted", current_time=now, interval=300),
            "Heartbeat": lambda: m.HeartbeatResponse(current_time=now),
            "Authorize": lambda: m.AuthorizeResponse(id_tag_info=ACCEPTED),
            "StartTransaction": lambda: m.StartTransactionResponse(
                id_tag_info=ACCEPTED, transaction_id=next(self._transactions)
            ),
            "SignCertificate": lambda: m.SignCertificateResponse(status="Accepted"),
        }
        return usual.get(action, OCPP_16.responses[action])()

    # --- what the CSMS does -----------------------------------------------------------------------------------------

    def ask(self, request: Struct, response: type[Struct]) -> Any:
        """Let the CSMS call the station; return the answer."""
        assert self._line is not None
        call: Call = self._line.call(self.now, request)
        self._flush()
        self.settle()
        found = next(a for a in self.answered if isinstance(a, Answered) and a.call.id == call.id)
        assert isinstance(found.response, response)
        return found.response

    # --- looking ----------------------------------------------------------------------------------------------------

    def told(self, action: str) -> list[Any]:
        """What the CSMS has heard of an action."""
        return [request for name, request in self.heard if name == action]

    def statuses(self, evse: int = 1) -> list[str]:
        """The statuses of an EVSE that the CSMS has heard."""
        return [told.status for told in self.told("StatusNotification") if told.connector_id == evse]

    def actions(self) -> list[str]:
        """What the CSMS has heard, by name."""
        return [name for name, _ in self.heard]

    # --- drivers ----------------------------------------------------------------------------------------------------

    def plug_in(self, vehicle: Vehicle, evse: int = 1, asked_wh: float = inf) -> None:
        """Plug a car in."""
        self.station.plug_in(self.now, evse, vehicle, asked_wh)
        self.settle()

    def unplug(self, evse: int = 1) -> Vehicle | None:
        """Pull the plug."""
        vehicle = self.station.unplug(self.now, evse)
        self.settle()
        return vehicle

    def present(self, token: str, evse: int | None = None) -> None:
        """Show a token."""
        self.station.present(self.now, token, evse)
        self.settle()

    def values(self, measurand: str = "Energy.Active.Import.Register") -> list[float]:
        """What the CSMS was told of a measurand, in order."""
        return [
            float(sample.value)
            for told in self.told("MeterValues")
            for value in told.meter_value
            for sample in value.sampled_value
            if sample.measurand == measurand
        ]


ACCEPTED = m.IdTagInfo(status="Accepted")
INVALID = m.IdTagInfo(status="Invalid")


class NoNotary:
    """For stories in which nobody asks for certificates: whoever does is told at once."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody was to ask for {name}")
