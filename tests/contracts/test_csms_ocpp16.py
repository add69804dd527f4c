"""The CSMS and a station of the package `ocpp`, over a real socket: every message of OCPP 1.6, in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call, call_result

from tests.csms16 import NOON_TEXT, a_profile
from tests.csms_live import LiveCsms, Station, a_csms, a_station
from voltbench.ocpp.v16.csms.central import Policy
from voltbench.ocpp.v16.messages import FROM_CSMS, FROM_STATION

ACCEPTED = {"status": "Accepted"}
VALUES = [{"timestamp": NOON_TEXT, "sampled_value": [{"value": "7", "measurand": "Voltage", "unit": "V"}]}]
HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
SNAKE_HASHES = {"hash_algorithm": "SHA256", "issuer_name_hash": "a", "issuer_key_hash": "b", "serial_number": "c"}
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[LiveCsms]:
    async with a_csms(tmp_path, policy=Policy(vendors=frozenset({"com.acme"}))) as csms:
        yield csms


@pytest.fixture
async def station(csms: LiveCsms) -> AsyncIterator[Station]:
    await csms.put("/csms/tokens/ADA", group="FAMILY")
    async with a_station(csms.url) as station:
        yield station


# --- a day ----------------------------------------------------------------------------------------------------------


async def test_a_transaction_from_boot_to_bill(url: str, tmp_path: Path):
    async with a_csms(tmp_path, url) as csms:
        await csms.put("/csms/tokens/ADA", group="FAMILY")
        async with a_station(csms.url) as station:
            await a_charge(station)
    async with a_csms(tmp_path, url) as csms:  # all of it is still there after a restart
        (found,) = (await csms.get("/csms/transactions?state=closed&station=CP1"))["transactions"]
        assert (found["id_token"], found["energy_wh"], found["reason"]) == ("ADA", 4_000, "EVDisconnected")
        details = await csms.get(f"/csms/transactions/{found['id']}")
        (reading,) = details["readings"]
        assert reading["message"]["meterValue"][0]["sampledValue"][0]["value"] == "7"
        assert details["stop_readings"][0]["sampledValue"][0]["value"] == "7"
        known = await csms.get("/csms/stations/CP1")
        assert known["boot"]["chargePointModel"] == "One"
        assert known["connectors"][0]["status"] == "Charging"
        assert not known["is_connected"]
        assert (await csms.get("/csms/tokens/ada"))["group"] == "FAMILY"


async def a_charge(station: Station) -> None:
    booted = await station.tells(call.BootNotification(charge_point_vendor="Acme", charge_point_model="One"))
    assert (booted.status, booted.interval) == ("Accepted", 300)
    await station.tells(call.StatusNotification(connector_id=1, error_code="NoError", status="Charging"))
    asked = await station.tells(call.Authorize(id_tag="ADA"))
    assert asked.id_tag_info == {"status": "Accepted", "parent_id_tag": "FAMILY"}
    start = call.StartTransaction(connector_id=1, id_tag="ADA", meter_start=1_000, timestamp=NOON_TEXT)
    started = await station.tells(start)
    assert await station.tells(start) == started
    id = started.transaction_id
    await station.tells(call.MeterValues(connector_id=1, transaction_id=id, meter_value=VALUES))
    stop = call.StopTransaction(
        meter_stop=5_000, timestamp=NOON_TEXT, transaction_id=id, reason="EVDisconnected", transaction_data=VALUES
    )
    assert await station.tells(stop) == await station.tells(stop)


# --- what a station tells -------------------------------------------------------------------------------------------

TOLD: list[tuple[Any, Any]] = [
    (call.Authorize(id_tag="ADA"), {"id_tag_info": {"status": "Accepted", "parent_id_tag": "FAMILY"}}),
    (call.BootNotification(charge_point_vendor="Acme", charge_point_model="One"), {"status": "Accepted"}),
    (call.DataTransfer(vendor_id="com.acme", data="x"), {"status": "Accepted"}),
    (call.DiagnosticsStatusNotification(status="Uploading"), {}),
    (call.FirmwareStatusNotification(status="Downloading"), {}),
    (call.Heartbeat(), {}),
    (call.LogStatusNotification(status="Uploaded", request_id=3), {}),
    (call.MeterValues(connector_id=1, meter_value=VALUES), {}),
    (call.SecurityEventNotification(type="TamperDetected", timestamp=NOON_TEXT, tech_info="x"), {}),
    (call.SignCertificate(csr="no request at all"), {"status": "Rejected"}),
    (call.SignedFirmwareStatusNotification(status="Installed", request_id=4), {}),
    (
        call.StartTransaction(connector_id=1, id_tag="ADA", meter_start=1, timestamp=NOON_TEXT),
        {"transaction_id": 1, "id_tag_info": {"status": "Accepted", "parent_id_tag": "FAMILY"}},
    ),
    (call.StatusNotification(connector_id=1, error_code="NoError", status="Available"), {}),
    (call.StopTransaction(meter_stop=5, timestamp=NOON_TEXT, transaction_id=77), {}),
]
EVENTS = {
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StatusNotification",
    "StopTransaction",  # of a transaction that nobody knows
}


def test_every_message_of_a_station_is_told_here():
    assert {type(request).__name__ for request, _ in TOLD} == FROM_STATION


@pytest.mark.parametrize(("request_", "expected"), TOLD, ids=lambda found: type(found).__name__)
async def test_what_a_station_tells_is_answered_and_kept(csms: LiveCsms, station: Station, request_, expected):
    answer = vars(await station.tells(request_))
    assert {name: answer[name] for name in expected} == expected
    kind = type(request_).__name__
    events = (await csms.get("/csms/stations/CP1/events"))["events"]
    assert [event["kind"] for event in events] == ([kind] if kind in EVENTS else [])


async def test_values_without_a_transaction_are_shown_at_their_connector(csms: LiveCsms, station: Station):
    await station.tells(call.MeterValues(connector_id=1, meter_value=VALUES))
    (connector,) = (await csms.get("/csms/stations/CP1"))["connectors"]
    assert connector["meter_values"][0]["sampledValue"][0]["value"] == "7"


# --- what a station is asked ----------------------------------------------------------------------------------------

ASKED: list[tuple[str, dict[str, Any], Any]] = [
    ("CancelReservation", {"reservationId": 1}, call_result.CancelReservation("Accepted")),
    ("CertificateSigned", {"certificateChain": "x"}, call_result.CertificateSigned("Accepted")),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, call_result.ChangeAvailability("Scheduled")),
    ("ChangeConfiguration", {"key": "A", "value": "1"}, call_result.ChangeConfiguration("RebootRequired")),
    ("ClearCache", {}, call_result.ClearCache("Accepted")),
    ("ClearChargingProfile", {"id": 1}, call_result.ClearChargingProfile("Unknown")),
    ("DataTransfer", {"vendorId": "com.acme", "data": "x"}, call_result.DataTransfer("Accepted", "y")),
    ("DeleteCertificate", {"certificateHashData": HASHES}, call_result.DeleteCertificate("NotFound")),
    (
        "ExtendedTriggerMessage",
        {"requestedMessage": "LogStatusNotification"},
        call_result.ExtendedTriggerMessage("Accepted"),
    ),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, call_result.GetCompositeSchedule("Rejected")),
    (
        "GetConfiguration",
        {"key": ["A"]},
        call_result.GetConfiguration([{"key": "A", "readonly": False, "value": "1"}], ["B"]),
    ),
    ("GetDiagnostics", {"location": "http://localhost/"}, call_result.GetDiagnostics("d.log")),
    (
        "GetInstalledCertificateIds",
        {"certificateType": "ManufacturerRootCertificate"},
        call_result.GetInstalledCertificateIds("Accepted", [SNAKE_HASHES]),
    ),
    ("GetLocalListVersion", {}, call_result.GetLocalListVersion(3)),
    (
        "GetLog",
        {"log": {"remoteLocation": "http://localhost/"}, "logType": "DiagnosticsLog", "requestId": 1},
        call_result.GetLog("Accepted", "l.log"),
    ),
    (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "x"},
        call_result.InstallCertificate("Failed"),
    ),
    (
        "RemoteStartTransaction",
        {"connectorId": 1, "idTag": "ADA", "chargingProfile": a_profile(chargingProfilePurpose="TxProfile")},
        call_result.RemoteStartTransaction("Accepted"),
    ),
    ("RemoteStopTransaction", {"transactionId": 1}, call_result.RemoteStopTransaction("Rejected")),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": LATER, "idTag": "ADA", "reservationId": 1},
        call_result.ReserveNow("Accepted"),
    ),
    ("Reset", {"type": "Hard"}, call_result.Reset("Accepted")),
    (
        "SendLocalList",
        {
            "listVersion": 1,
            "localAuthorizationList": [{"idTag": "ADA", "idTagInfo": ACCEPTED}],
            "updateType": "Full",
        },
        call_result.SendLocalList("Accepted"),
    ),
    (
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": a_profile()},
        call_result.SetChargingProfile("Accepted"),
    ),
    (
        "SignedUpdateFirmware",
        {
            "requestId": 1,
            "firmware": {
                "location": "http://localhost/f",
                "retrieveDateTime": LATER,
                "signingCertificate": "x",
                "signature": "y",
            },
        },
        call_result.SignedUpdateFirmware("InvalidCertificate"),
    ),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, call_result.TriggerMessage("Accepted")),
    ("UnlockConnector", {"connectorId": 1}, call_result.UnlockConnector("UnlockFailed")),
    (
        "UpdateFirmware",
        {"location": "http://localhost/f", "retrieveDate": LATER},
        call_result.UpdateFirmware(),
    ),
]


def test_every_command_is_sent_here():
    assert {action for action, _, _ in ASKED} == FROM_CSMS


@pytest.mark.parametrize(("action", "payload", "answer"), ASKED, ids=[action for action, _, _ in ASKED])
async def test_a_command_reaches_the_station_and_its_answer_us(
    csms: LiveCsms, station: Station, action, payload, answer
):
    station.answers[action] = answer
    command = await csms.command("CP1", action, payload)
    assert (command["state"], command["action"], command["payload"]) == ("answered", action, payload)
    status = getattr(answer, "status", None)
    assert command["answer"].get("status") == status
    assert [asked for asked, _ in station.asked] == [action]


async def test_what_stations_accept_is_found_in_the_records(csms: LiveCsms, station: Station):
    for action, payload, answer in ASKED:
        if action not in ("CancelReservation", "ClearChargingProfile"):
            station.answers[action] = answer
            await csms.command("CP1", action, payload)
    known = await csms.get("/csms/stations/CP1")
    assert known["local_list"]["version"] == 1
    assert known["connectors"][0]["is_scheduled"]
    assert [(key["key"], key["setting"]) for key in known["configuration"]] == [("A", "1")]
    assert {"reset", "firmware-asked", "diagnostics-asked", "log-asked"} <= known["notes"].keys()
    (reservation,) = (await csms.get("/csms/reservations"))["reservations"]
    assert (reservation["state"], reservation["id_token"]) == ("Active", "ADA")
    (profile,) = (await csms.get("/csms/profiles"))["installed"]
    assert profile["profile"]["chargingProfileId"] == 1
    assert len((await csms.get("/csms/stations/CP1/commands"))["commands"]) == len(ASKED) - 2


async def test_a_stations_error_is_told(csms: LiveCsms, station: Station):
    command = await csms.command("CP1", "ClearCache", {})  # no answer was prepared
    assert command["state"] == "refused"
    assert command["refusal"]["code"] == "InternalError"
