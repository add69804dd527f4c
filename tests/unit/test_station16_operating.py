"""What the CSMS asks a station of OCPP 1.6 for has its effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ocpp16 import DC_150, INVALID, OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.keys import KEYS, Access
from voltbench.ocpp.v16.vendor import ECHO, VENDOR
from voltbench.quantities import rfc3339


def charging(bench: OnTheBench, token: str = "TAG", evse: int = 1) -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


def change(bench: OnTheBench, key: str, value: str) -> Any:
    return bench.ask(m.ChangeConfiguration(key=key, value=value), m.ChangeConfigurationResponse).status


# --- starting and stopping from afar ---------------------------------------------------------------------------------


def test_a_remote_start_charges_a_car_that_waits():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    request = m.RemoteStartTransaction(connector_id=1, id_tag="APP")
    assert bench.ask(request, m.RemoteStartTransactionResponse).status == "Accepted"
    assert bench.told("StartTransaction")[0].id_tag == "APP"
    assert not bench.told("Authorize")
    assert bench.ask(request, m.RemoteStartTransactionResponse).status == "Rejected"


def test_a_remote_start_asks_first_where_it_is_told_to():
    bench = OnTheBench()
    assert change(bench, "AuthorizeRemoteTxRequests", "true") == "Accepted"
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=INVALID)
    bench.plug_in(an_ac_car())
    bench.ask(m.RemoteStartTransaction(connector_id=1, id_tag="APP"), m.RemoteStartTransactionResponse)
    assert bench.told("Authorize")
    assert not bench.told("StartTransaction")


def test_a_remote_stop_stops():
    bench = charging(OnTheBench())
    assert bench.ask(m.RemoteStopTransaction(transaction_id=1), m.RemoteStopTransactionResponse).status == "Rejected"
    stopped = bench.ask(m.RemoteStopTransaction(transaction_id=1001), m.RemoteStopTransactionResponse)
    assert stopped.status == "Accepted"
    assert bench.told("StopTransaction")[0].reason == "Remote"


def test_the_group_that_the_csms_names_at_the_start_may_stop():
    bench = OnTheBench()
    family = m.IdTagInfo(status="Accepted", parent_id_tag="FAMILY")
    bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(id_tag_info=family, transaction_id=7)
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=family)
    bench.plug_in(an_ac_car())
    bench.ask(m.RemoteStartTransaction(connector_id=1, id_tag="MUM"), m.RemoteStartTransactionResponse)
    bench.present("DAD", 1)
    stop = bench.told("StopTransaction")[0]
    assert (stop.transaction_id, stop.id_tag, stop.reason) == (7, "DAD", "Local")


# --- availability, locks, resets -------------------------------------------------------------------------------------


def test_what_is_inoperative_waits_for_the_transaction_and_outlives_a_reset():
    bench = charging(OnTheBench())
    request = m.ChangeAvailability(connector_id=0, type="Inoperative")
    assert bench.ask(request, m.ChangeAvailabilityResponse).status == "Scheduled"
    assert bench.statuses(2)[-1] == "Unavailable"
    bench.present("TAG")
    assert bench.statuses()[-1] == "Unavailable"
    bench.ask(m.Reset(type="Hard"), m.ResetResponse)
    bench.advance(30)
    assert [bench.statuses(evse)[-1] for evse in (0, 1, 2)] == ["Unavailable"] * 3
    again = OnTheBench(memory=bench.memory)
    assert [again.statuses(evse)[-1] for evse in (0, 1, 2)] == ["Unavailable"] * 3
    back = m.ChangeAvailability(connector_id=0, type="Operative")
    assert again.ask(back, m.ChangeAvailabilityResponse).status == "Accepted"
    assert again.statuses()[-1] == "Available"


def test_unlocking_ends_the_transaction_where_there_is_a_lock():
    bench = charging(OnTheBench())
    assert bench.ask(m.UnlockConnector(connector_id=1), m.UnlockConnectorResponse).status == "Unlocked"
    assert bench.told("StopTransaction")[0].reason == "UnlockCommand"
    dc = OnTheBench(DC_150)
    assert dc.ask(m.UnlockConnector(connector_id=1), m.UnlockConnectorResponse).status == "NotSupported"


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
def test_a_reset_ends_transactions_and_boots(kind, reason):
    bench = charging(OnTheBench())
    bench.ask(m.Reset(type=kind), m.ResetResponse)
    bench.advance(30)
    assert len(bench.told("BootNotification")) == 2
    assert [stop.reason for stop in bench.told("StopTransaction")] == [reason]
    order = [a for a in bench.actions() if a in ("BootNotification", "StopTransaction")]
    soft = ["BootNotification", "StopTransaction", "BootNotification"]
    assert order == (soft if kind == "Soft" else ["BootNotification", "BootNotification", "StopTransaction"])


# --- reservations ----------------------------------------------------------------------------------------------------


def reserve(bench: OnTheBench, evse: int = 1, id: int = 5, token: str = "VIP", seconds: int = 600) -> Any:
    until = rfc3339(bench.now + seconds * 1_000)
    request = m.ReserveNow(connector_id=evse, expiry_date=until, id_tag=token, reservation_id=id)
    return bench.ask(request, m.ReserveNowResponse).status


def test_a_reservation_refuses_others_and_is_used_by_its_holder():
    bench = OnTheBench()
    assert reserve(bench) == "Accepted"
    assert bench.statuses()[-1] == "Reserved"
    bench.plug_in(an_ac_car())
    bench.present("OTHER", 1)
    bench.advance(1)
    assert not bench.told("StartTransaction")
    bench.present("VIP", 1)
    assert bench.told("StartTransaction")[0].reservation_id == 5


def test_a_reservation_ends_by_itself_or_by_word():
    bench = OnTheBench()
    reserve(bench, seconds=60)
    bench.advance(61)
    assert bench.statuses()[-2:] == ["Reserved", "Available"]
    reserve(bench)
    assert bench.ask(m.CancelReservation(reservation_id=5), m.CancelReservationResponse).status == "Accepted"
    assert bench.ask(m.CancelReservation(reservation_id=5), m.CancelReservationResponse).status == "Rejected"
    assert bench.statuses()[-1] == "Available"


def test_a_reservation_of_any_evse_leaves_one_free_for_its_holder():
    bench = OnTheBench()
    assert reserve(bench, evse=0) == "Accepted"
    charging(bench, "OTHER", 1)
    bench.plug_in(an_ac_car(), 2)
    bench.present("ANOTHER", 2)
    assert len(bench.told("StartTransaction")) == 1
    bench.present("VIP", 2)
    assert bench.told("StartTransaction")[-1].reservation_id == 5


def test_what_is_taken_cannot_be_reserved():
    bench = charging(OnTheBench())
    assert reserve(bench) == "Occupied"
    bench.ask(m.ChangeAvailability(connector_id=2, type="Inoperative"), m.ChangeAvailabilityResponse)
    assert reserve(bench, evse=2) == "Unavailable"
    assert reserve(bench, evse=9) == "Rejected"
    bench.station.fail(bench.now, 2, "OtherError")
    bench.settle()
    assert reserve(bench, evse=2) == "Faulted"


# --- configuration ---------------------------------------------------------------------------------------------------


def test_every_key_is_told_with_who_may_change_it():
    bench = OnTheBench()
    told = bench.ask(m.GetConfiguration(), m.GetConfigurationResponse).configuration_key
    assert {key.key for key in told} == {key.name for key in KEYS} - {"AuthorizationKey"}
    assert all(key.readonly == (known.access is Access.READ) for key in told for known in KEYS if known.name == key.key)
    two = bench.ask(m.GetConfiguration(key=("heartbeatinterval", "Nonsense")), m.GetConfigurationResponse)
    assert [key.value for key in two.configuration_key] == ["300"]
    assert two.unknown_key == ("Nonsense",)


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("Nonsense", "1", "NotSupported"),
        ("NumberOfConnectors", "3", "Rejected"),
        ("HeartbeatInterval", "soon", "Rejected"),
        ("HeartbeatInterval", "-5", "Rejected"),
        ("LocalPreAuthorize", "maybe", "Rejected"),
        ("MeterValuesSampledData", "Power.Active.Import,Nonsense", "Rejected"),
        ("LightIntensity", "101", "Rejected"),
        ("CpoName", "volt", "RebootRequired"),
        ("meterValueSampleInterval", "30", "Accepted"),
        ("SecurityProfile", "2", "Rejected"),
    ],
)
def test_keys_are_changed_to_what_they_can_be(key, value, status):
    assert change(OnTheBench(), key, value) == status


def test_a_changed_key_counts_at_once_and_after_a_restart():
    bench = OnTheBench()
    change(bench, "MeterValueSampleInterval", "10")
    charging(bench)
    bench.advance(60)
    assert len(bench.values()) == 6
    again = OnTheBench(memory=bench.memory)
    charging(again)
    again.advance(60)
    assert len(again.values()) == 6


def test_a_new_authorization_key_is_used_by_connecting_anew():
    bench = OnTheBench()
    assert change(bench, "AuthorizationKey", "0123456789abcdef") == "Accepted"
    bench.advance(1)
    assert bench.wanted == 2
    told = bench.ask(m.GetConfiguration(key=("AuthorizationKey",)), m.GetConfigurationResponse)
    assert "0123456789abcdef" not in str(told)


def test_a_status_that_passes_quickly_is_not_told():
    bench = OnTheBench(fixed={"MinimumStatusDuration": "10"})
    bench.plug_in(an_ac_car())
    bench.advance(5)
    bench.unplug()
    bench.advance(60)
    assert bench.statuses() == ["Available"]
    bench.plug_in(an_ac_car())
    bench.advance(11)
    assert bench.statuses() == ["Available", "Preparing"]


# --- triggers and vendors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
    ],
)
def test_a_trigger_triggers(message):
    bench = OnTheBench()
    before = len(bench.told(message))
    assert bench.ask(m.TriggerMessage(requested_message=message), m.TriggerMessageResponse).status == "Accepted"
    bench.advance(1)
    assert len(bench.told(message)) > before
    wrong = m.TriggerMessage(requested_message="MeterValues", connector_id=7)
    assert bench.ask(wrong, m.TriggerMessageResponse).status == "Rejected"


def test_a_vendor_of_ours_is_echoed():
    bench = OnTheBench()
    echo = bench.ask(m.DataTransfer(vendor_id=VENDOR, message_id=ECHO, data="hi"), m.DataTransferResponse)
    assert (echo.status, echo.data) == ("Accepted", "hi")
    assert bench.ask(m.DataTransfer(vendor_id=VENDOR), m.DataTransferResponse).status == "UnknownMessageId"
    assert bench.ask(m.DataTransfer(vendor_id="x"), m.DataTransferResponse).status == "UnknownVendorId"
