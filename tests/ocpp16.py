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
from voltbench.ocpp.orders import Abandon, Connect, Deliver, Fetch, HangUp, Keep, Send
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

    What the station keeps is in `memory`, what it fetches and delivers in `transfers` (less what it `abandoned`). Its
    wire can be held: answers to what is in `holds` wait until `let_go`, with `holds_dials` a dial takes until
    `dial_ends`.
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
        chance: float = 0.5,
        is_tls: bool = False,
        speed: float = 1.0,
    ) -> None:
        self.now = now
        self.memory = {} if memory is None else memory
        self.heard: list[tuple[str, Any]] = []
        self.answered: list[Answered | Refused | Overdue | Ignored] = []
        self.transfers: list[Fetch | Deliver] = []
        self.abandoned: list[int] = []
        self.answers: dict[str, Answer] = {}
        self.is_reachable = True
        self.holds: set[str] = set()
        self.holds_dials = False
        self.is_dialling = False
        self.wanted = 0
        self._ids = count(1)
        self._transactions = count(1001)
        self._line: Peer | None = None
        self._held: list[Called] = []
        self.station = Station(
            now,
            Identity("CP-1"),
            model,
            notary or NoNotary(),
            new_id=lambda: f"s{next(self._ids)}",
            chance=lambda: chance,
            fixed=fixed,
            memory=dict(self.memory),
            is_tls=is_tls,
            speed=speed,
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
                        self._hang_up()
                    case Send(frame):
                        self._hear(frame)
                    case Fetch() | Deliver():
                        self.transfers.append(order)
                    case Abandon(number):
                        self.abandoned.append(number)

    def _connect(self) -> None:
        self.wanted += 1
        self.is_dialling = True
        if not self.holds_dials:
            self._dialled()

    def _dialled(self) -> None:
        self.is_dialling = False
        if self.is_reachable:
            self._line = Peer(OCPP_16, "csms", lambda: f"c{next(self._ids)}")
            self.station.connected(self.now)
        else:
            self.station.disconnected(self.now)

    def dial_ends(self) -> None:
        """A dial that was held comes to its end, unless the station has given it up."""
        if self.is_dialling:
            self._dialled()
            self.settle()

    def _hang_up(self) -> None:
        self._line, self.is_dialling = None, False
        self._held.clear()

    def lose_line(self) -> None:
        """The line breaks, and cannot be had again."""
        self.is_reachable = False
        self._hang_up()
        self.station.disconnected(self.now)
        self.settle()

    def flicker(self, seconds: float = 10) -> None:
        """The line breaks, with whatever is under way, and is there again after a while."""
        self.lose_line()
        self.is_reachable = True
        self.advance(seconds)

    def let_go(self) -> None:
        """The CSMS answers what it has held back."""
        self.holds.clear()
        held, self._held = self._held, []
        for called in held:
            self._reply(called)
        self._flush()
        self.settle()

    def _hear(self, frame: bytes) -> None:
        line = self._line
        if line is None:
            return
        for happening in line.receive(self.now, frame):
            if isinstance(happening, Called):
                self.heard.append((happening.action, happening.request))
                if happening.action in self.holds:
                    self._held.append(happening)
                else:
                    self._reply(happening)
            else:
                self.answered.append(happening)
        self._flush()

    def _reply(self, called: Called) -> None:
        assert self._line is not None
        response = self._answer(called.action, called.request)
        if response is not None:
            self._line.answer(called.id, response)
        else:
            self._line.refuse(called.id, Fault.INTERNAL, "could not process that")

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
        found = self.ask_anyway(request)
        assert isinstance(found, Answered)
        assert isinstance(found.response, response)
        return found.response

    def ask_anyway(self, request: Struct) -> Answered | Refused | None:
        """Let the CSMS call the station; return what comes of it, None where there is no answer."""
        assert self._line is not None
        call: Call = self._line.call(self.now, request)
        self._flush()
        self.settle()
        return next((a for a in self.answered if isinstance(a, Answered | Refused) and a.call.id == call.id), None)

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
