"""Our station against a CSMS that somebody else wrote: the PyPI package `ocpp`, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from ocpp.messages import unpack
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.ocpp16 import AC_22, NoNotary, an_ac_car
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address, Dialler
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.websockets_line import WebSocketsDialler
from voltbench.clock import ScaledClock, wall_instant
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.ocpp.v16.vendor import ECHO, VENDOR
from voltbench.quantities import rfc3339

SPEED = 60.0
NOW = "2026-03-02T00:00:00Z"


class TheirCsms(ChargePoint):  # type: ignore[misc]
    """The other side's CSMS: it validates every frame by the schemas, remembers, and accepts."""

    def __init__(self, id: str, connection: Any) -> None:
        super().__init__(id, connection)
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def route_message(self, raw_msg: str) -> None:
        message = unpack(raw_msg)
        if hasattr(message, "action"):
            self.heard.append((message.action, message.payload))
        await super().route_message(raw_msg)

    @on("BootNotification")
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        return call_result.BootNotification(current_time=NOW, interval=600, status="Accepted")

    @on("StatusNotification")
    def on_status(self, **_: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on("Heartbeat")
    def on_heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=NOW)

    @on("Authorize")
    def on_authorize(self, **_: Any) -> call_result.Authorize:
        return call_result.Authorize(id_tag_info={"status": "Accepted"})

    @on("StartTransaction")
    def on_start(self, **_: Any) -> call_result.StartTransaction:
        return call_result.StartTransaction(transaction_id=42, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    def on_values(self, **_: Any) -> call_result.MeterValues:
        return call_result.MeterValues()

    @on("StopTransaction")
    def on_stop(self, **_: Any) -> call_result.StopTransaction:
        return call_result.StopTransaction()

    @on("DiagnosticsStatusNotification")
    def on_diagnostics(self, **_: Any) -> call_result.DiagnosticsStatusNotification:
        return call_result.DiagnosticsStatusNotification()

    @on("FirmwareStatusNotification")
    def on_firmware(self, **_: Any) -> call_result.FirmwareStatusNotification:
        return call_result.FirmwareStatusNotification()

    @on("LogStatusNotification")
    def on_log(self, **_: Any) -> call_result.LogStatusNotification:
        return call_result.LogStatusNotification()

    def told(self, action: str) -> list[dict[str, Any]]:
        """What was heard of an action."""
        return [payload for name, payload in self.heard if name == action]


class Files:
    """Files that come and go at once."""

    async def carry_out(self, order: Fetch | Deliver, tls: object = None) -> bytes:
        return b"2.0.0\nfirmware" if isinstance(order, Fetch) else b""

    async def close(self) -> None:
        """Nothing is ever under way."""


@asynccontextmanager
async def connected(dialler: Dialler) -> AsyncIterator[tuple[TheirCsms, HostedStation]]:
    """A station of ours that their CSMS has accepted."""
    theirs: list[TheirCsms] = []

    async def serve_station(connection: ServerConnection) -> None:
        assert connection.request is not None
        theirs.append(TheirCsms(connection.request.path.strip("/"), connection))
        with suppress(ConnectionClosed):
            await theirs[-1].start()

    async with serve(serve_station, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        host = StationHost(ScaledClock(wall_instant(), SPEED), dialler, None, Files())
        numbers = iter(range(1, 1_000_000))
        station = Station(
            host.world.now,
            Identity("CP-1"),
            AC_22,
            NoNotary(),
            new_id=lambda: f"m{next(numbers)}",
            chance=lambda: 0.5,
        )
        hosted = host.add(station, lambda _: Address(f"ws://127.0.0.1:{port}/CP-1", "ocpp1.6"))
        await until(lambda: station.is_accepted)
        try:
            yield theirs[-1], hosted
        finally:
            await host.close()


async def until(holds: Callable[[], object]) -> None:
    """Return once something holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  it holds in another program
            await asyncio.sleep(0.005)


@pytest.fixture(params=[WebSocketsDialler, PicowsDialler])
def dialler(request: pytest.FixtureRequest) -> Dialler:
    return request.param()  # type: ignore[no-any-return]


def charge(hosted: HostedStation, evse: int = 1) -> None:
    hosted.do(lambda station, now: station.plug_in(now, evse, an_ac_car()))
    hosted.do(lambda station, now: station.present(now, "TAG", evse))


async def test_a_car_charges_there(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        charge(hosted)
        await until(lambda: len(csms.told("MeterValues")) >= 3)
        hosted.do(lambda station, now: station.present(now, "TAG", 1))
        hosted.do(lambda station, now: station.unplug(now, 1))
        await until(lambda: csms.told("StopTransaction"))
        await until(lambda: csms.told("StatusNotification")[-1]["status"] == "Available")
    assert csms.told("BootNotification")[0]["chargePointVendor"] == "voltbench"
    assert csms.told("Authorize") == [{"idTag": "TAG"}]
    assert csms.told("StartTransaction")[0]["meterStart"] == 0
    assert {told["transactionId"] for told in csms.told("MeterValues")} == {42}
    assert csms.told("StopTransaction")[0]["reason"] == "Local"
    statuses = [told["status"] for told in csms.told("StatusNotification") if told["connectorId"] == 1]
    assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]


async def test_it_is_started_and_stopped_from_there(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        hosted.do(lambda station, now: station.plug_in(now, 1, an_ac_car()))
        started = await csms.call(call.RemoteStartTransaction(id_tag="APP", connector_id=1))
        await until(lambda: csms.told("StartTransaction"))
        await until(lambda: hosted.station.transactions.outbox.transaction_id(1) == 42)
        stopped = await csms.call(call.RemoteStopTransaction(transaction_id=42))
        await until(lambda: csms.told("StopTransaction"))
    assert (started.status, stopped.status) == ("Accepted", "Accepted")
    assert csms.told("StopTransaction")[0]["reason"] == "Remote"


async def test_what_it_is_asked_has_its_effect_and_its_answer_is_by_the_schema(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        changed = await csms.call(call.ChangeConfiguration(key="MeterValueSampleInterval", value="5"))
        told = await csms.call(call.GetConfiguration(key=["MeterValueSampleInterval", "Nonsense"]))
        assert changed.status == "Accepted"
        assert told.configuration_key == [{"key": "MeterValueSampleInterval", "readonly": False, "value": "5"}]
        assert told.unknown_key == ["Nonsense"]
        until_then = rfc3339(wall_instant() + 86_400_000)
        reserved = await csms.call(
            call.ReserveNow(connector_id=2, expiry_date=until_then, id_tag="VIP", reservation_id=7)
        )
        assert reserved.status == "Accepted"
        await until(lambda: csms.told("StatusNotification")[-1]["status"] == "Reserved")
        assert (await csms.call(call.CancelReservation(reservation_id=7))).status == "Accepted"
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7.2}],
            },
        }
        set_ = await csms.call(call.SetChargingProfile(connector_id=0, cs_charging_profiles=profile))
        assert set_.status == "Accepted"
        charge(hosted)
        await until(lambda: csms.told("MeterValues"))
        schedule = await csms.call(call.GetCompositeSchedule(connector_id=1, duration=600))
        periods = schedule.charging_schedule["charging_schedule_period"]
        assert [(p["start_period"], float(p["limit"])) for p in periods] == [(0, 7.2)]
        samples = csms.told("MeterValues")[0]["meterValue"][0]["sampledValue"]
        watts = [float(s["value"]) for s in samples if s["measurand"] == "Power.Active.Import"]
        assert watts == [pytest.approx(7.2 * 690.0)]
        assert (await csms.call(call.ClearChargingProfile(id=1))).status == "Accepted"


async def test_lists_triggers_locks_and_availability(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, _):
        entries = [{"idTag": "GOOD", "idTagInfo": {"status": "Accepted"}}]
        sent = await csms.call(call.SendLocalList(list_version=3, update_type="Full", local_authorization_list=entries))
        assert sent.status == "Accepted"
        assert (await csms.call(call.GetLocalListVersion())).list_version == 3
        assert (await csms.call(call.ClearCache())).status == "Accepted"
        assert (await csms.call(call.TriggerMessage(requested_message="Heartbeat"))).status == "Accepted"
        await until(lambda: csms.told("Heartbeat"))
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == "Unlocked"
        assert (await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))).status == "Accepted"
        await until(lambda: csms.told("StatusNotification")[-1]["status"] == "Unavailable")
        echoed = await csms.call(call.DataTransfer(vendor_id=VENDOR, message_id=ECHO, data="hi"))
        assert (echoed.status, echoed.data) == ("Accepted", "hi")


async def test_files_and_a_reset(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        diagnostics = await csms.call(call.GetDiagnostics(location="http://127.0.0.1/"))
        assert diagnostics.file_name.startswith("CP-1-diagnostics-")
        await until(lambda: [t["status"] for t in csms.told("DiagnosticsStatusNotification")][-1:] == ["Uploaded"])
        await csms.call(call.UpdateFirmware(location="http://127.0.0.1/fw", retrieve_date=NOW))
        await until(lambda: hosted.station.registration.firmware_version == "2.0.0")
        await until(lambda: hosted.station.is_accepted)
    told = [t["status"] for t in csms.told("FirmwareStatusNotification")]
    assert told == ["Downloading", "Downloaded", "Installing"]


async def test_a_line_that_breaks_is_made_anew_and_nothing_is_lost(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        charge(hosted)
        await until(lambda: csms.told("StartTransaction"))
        await csms._connection.close()
        await until(lambda: not hosted.station.is_connected)
        hosted.do(lambda station, now: station.present(now, "TAG", 1))
        await until(lambda: not hosted.station.transactions.outbox)
        assert hosted.station.is_accepted
