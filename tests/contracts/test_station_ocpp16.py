"""Our station against a CSMS that somebody else wrote: the PyPI package `ocpp`, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from ocpp.messages import Call, validate_payload
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.authority import Authority
from tests.ocpp16 import AC_22, an_ac_car
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address, Dialler
from voltbench.adapters.ocpp_station.notary import StationNotary
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.websockets_line import WebSocketsDialler
from voltbench.clock import ScaledClock, wall_instant
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.ocpp.v16.vendor import ECHO, VENDOR
from voltbench.quantities import rfc3339

SPEED = 60.0
CALL_ERROR = 4
FIRMWARE = b"2.0.0\nfirmware"
NOWHERE = "http://127.0.0.1/nowhere"
NOW = "2026-03-02T00:00:00Z"


class TheirSide:
    """The other side: what it has heard and found valid, what it has refused, and its lines, one after the other."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.lines: list[TheirCsms] = []

    async def call(self, payload: Any) -> Any:
        """Ask the station on its last line."""
        return await self.lines[-1].call(payload)

    def told(self, action: str) -> list[dict[str, Any]]:
        """What was heard of an action."""
        return [payload for name, payload in self.heard if name == action]


class TheirCsms(ChargePoint):  # type: ignore[misc]
    """The other side's CSMS on one line: it validates every frame by the schemas, remembers, and accepts."""

    def __init__(self, id: str, connection: Any, side: TheirSide) -> None:
        super().__init__(id, connection)
        self.side = side

    async def _handle_call(self, msg: Call) -> None:
        await validate_payload(msg, "1.6")
        self.side.heard.append((msg.action, msg.payload))
        await super()._handle_call(msg)

    async def _send(self, message: str) -> None:
        if json.loads(message)[0] == CALL_ERROR:
            self.side.refused.append(message)
        with suppress(ConnectionClosed):  # who hangs up after its last word is heard out all the same
            await super()._send(message)

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

    @on("SignedFirmwareStatusNotification")
    def on_signed_firmware(self, **_: Any) -> call_result.SignedFirmwareStatusNotification:
        return call_result.SignedFirmwareStatusNotification()

    @on("SecurityEventNotification")
    def on_security_event(self, **_: Any) -> call_result.SecurityEventNotification:
        return call_result.SecurityEventNotification()

    @on("SignCertificate")
    def on_sign(self, **_: Any) -> call_result.SignCertificate:
        return call_result.SignCertificate(status="Accepted")


class Files:
    """Files that come and go at once, but for those that go to a place where nothing ever arrives."""

    def __init__(self) -> None:
        self.given_up: list[str] = []

    async def carry_out(self, order: Fetch | Deliver, tls: object = None) -> bytes:
        if order.location == NOWHERE:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.append(order.location)
        return FIRMWARE if isinstance(order, Fetch) else b""

    async def close(self) -> None:
        """Whoever waits is told by others."""


@asynccontextmanager
async def connected(dialler: Dialler, files: Files | None = None) -> AsyncIterator[tuple[TheirSide, HostedStation]]:
    """A station of ours that their CSMS has accepted. It must never refuse what we say."""
    side = TheirSide()

    async def serve_station(connection: ServerConnection) -> None:
        assert connection.request is not None
        side.lines.append(TheirCsms(connection.request.path.strip("/"), connection, side))
        with suppress(ConnectionClosed):
            await side.lines[-1].start()

    async with serve(serve_station, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        host = StationHost(ScaledClock(wall_instant(), SPEED), dialler, None, files or Files())
        numbers = iter(range(1, 1_000_000))
        station = Station(
            host.world.now,
            Identity("CP-1"),
            AC_22,
            StationNotary(),
            new_id=lambda: f"m{next(numbers)}",
            chance=lambda: 0.5,
        )
        hosted = host.add(station, lambda _: Address(f"ws://127.0.0.1:{port}/CP-1", "ocpp1.6"))
        await until(lambda: station.is_accepted)
        try:
            yield side, hosted
            assert side.refused == []
        finally:
            await host.close()


async def until(holds: Callable[[], object]) -> None:
    """Return once something holds."""
    async with asyncio.timeout(60):
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
        await until(lambda: len(csms.told("FirmwareStatusNotification")) == 4)
        told = [t["status"] for t in csms.told("FirmwareStatusNotification")]
        assert told == ["Downloading", "Downloaded", "Installing", "Installed"]
        charge(hosted)
        await until(lambda: csms.told("StartTransaction"))
        assert (await csms.call(call.Reset(type="Soft"))).status == "Accepted"
        await until(lambda: len(csms.told("BootNotification")) == 3)
        await until(lambda: hosted.station.is_accepted)
    assert [boot["firmwareVersion"] for boot in csms.told("BootNotification")] == ["1.0.0", "2.0.0", "2.0.0"]
    assert [stop["reason"] for stop in csms.told("StopTransaction")] == ["SoftReset"]


async def test_logs_are_delivered_and_a_new_one_takes_the_place_of_another(dialler: Dialler) -> None:
    files = Files()

    def a_log(id: int, place: str) -> call.GetLog:
        return call.GetLog(log={"remoteLocation": place}, log_type="DiagnosticsLog", request_id=id)

    async with connected(dialler, files) as (csms, _):
        assert (await csms.call(a_log(1, NOWHERE))).status == "Accepted"
        await until(lambda: csms.told("LogStatusNotification"))
        assert (await csms.call(a_log(2, "http://127.0.0.1/"))).status == "AcceptedCanceled"
        await until(lambda: csms.told("LogStatusNotification")[-1]["status"] == "Uploaded")
        await until(lambda: files.given_up == [NOWHERE])
    told = [(t["requestId"], t["status"]) for t in csms.told("LogStatusNotification")]
    assert told == [(1, "Uploading"), (2, "Uploading"), (2, "Uploaded")]


async def test_certificates_come_and_go_and_what_is_none_is_told_of(dialler: Dialler) -> None:
    root = Authority("root", at=wall_instant())
    use = "CentralSystemRootCertificate"
    async with connected(dialler) as (csms, hosted):
        installed = await csms.call(call.InstallCertificate(certificate_type=use, certificate=root.pem))
        assert installed.status == "Accepted"
        trigger = call.ExtendedTriggerMessage(requested_message="SignChargePointCertificate")
        assert (await csms.call(trigger)).status == "Accepted"
        await until(lambda: csms.told("SignCertificate"))
        chain = root.sign(csms.told("SignCertificate")[0]["csr"])
        assert (await csms.call(call.CertificateSigned(certificate_chain=chain))).status == "Accepted"
        await until(lambda: len(csms.lines) == 2 and hosted.station.is_accepted)
        known = (await csms.call(call.GetInstalledCertificateIds(certificate_type=use))).certificate_hash_data
        assert (await csms.call(call.DeleteCertificate(certificate_hash_data=hashed(known[0])))).status == "Accepted"
        assert (await csms.call(call.DeleteCertificate(certificate_hash_data=hashed(known[0])))).status == "NotFound"
        forged = await csms.call(call.InstallCertificate(certificate_type=use, certificate="forged"))
        assert forged.status == "Rejected"
        await until(lambda: csms.told("SecurityEventNotification"))
    assert csms.told("SecurityEventNotification")[0]["type"] == "InvalidCentralSystemCertificate"


def hashed(certificate: dict[str, str]) -> dict[str, str]:
    """The hashes of a certificate as they are sent: their library has renamed what it received."""
    names = {
        "hash_algorithm": "hashAlgorithm",
        "issuer_name_hash": "issuerNameHash",
        "issuer_key_hash": "issuerKeyHash",
        "serial_number": "serialNumber",
    }
    return {names.get(name, name): found for name, found in certificate.items()}


@pytest.mark.parametrize("signed", [FIRMWARE, b"something else"])
async def test_signed_firmware_is_verified_and_installed(dialler: Dialler, signed: bytes) -> None:
    root, key = Authority("root", at=wall_instant()), ec.generate_private_key(ec.SECP256R1())
    async with connected(dialler) as (csms, _):
        await csms.call(call.InstallCertificate(certificate_type="ManufacturerRootCertificate", certificate=root.pem))
        firmware = {
            "location": "http://127.0.0.1/fw",
            "retrieveDateTime": NOW,
            "signingCertificate": root.certify(key),
            "signature": base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode(),
        }
        assert (await csms.call(call.SignedUpdateFirmware(request_id=7, firmware=firmware))).status == "Accepted"
        await until(lambda: csms.told("SecurityEventNotification"))
    told = [t["status"] for t in csms.told("SignedFirmwareStatusNotification")]
    event = csms.told("SecurityEventNotification")[0]["type"]
    if signed == FIRMWARE:
        steps = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]
        assert (told, event) == (steps, "FirmwareUpdated")
    else:
        assert (told, event) == (["Downloading", "Downloaded", "InvalidSignature"], "InvalidFirmwareSignature")


async def test_a_line_that_breaks_is_made_anew_and_nothing_is_lost(dialler: Dialler) -> None:
    async with connected(dialler) as (csms, hosted):
        charge(hosted)
        await until(lambda: csms.told("StartTransaction"))
        line_before = hosted.ear
        await csms.lines[-1]._connection.close()
        await until(lambda: hosted.ear is not line_before)
        hosted.do(lambda station, now: station.present(now, "TAG", 1))
        await until(lambda: not hosted.station.transactions.outbox)
        assert hosted.station.is_accepted
