"""What the CSMS asks a station of OCPP 1.6 for has its effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ocpp16 import ACCEPTED, DC_150, INVALID, OnTheBench, an_ac_car
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.keys import KEYS, Access
from voltbench.ocpp.v16.vendor import ECHO, VENDOR
from voltbench.quantities import Instant, rfc3339


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


# --- who may charge --------------------------------------------------------------------------------------------------


def a_list(bench: OnTheBench, version: int, kind: m.UpdateType = "Full", **tokens: m.IdTagInfo | None) -> Any:
    entries = tuple(
        m.AuthorizationData(id_tag=token, id_tag_info=info) if info else m.AuthorizationData(id_tag=token)
        for token, info in tokens.items()
    )
    request = m.SendLocalList(list_version=version, local_authorization_list=entries, update_type=kind)
    return bench.ask(request, m.SendLocalListResponse).status


def version_of(bench: OnTheBench) -> Any:
    return bench.ask(m.GetLocalListVersion(), m.GetLocalListVersionResponse).list_version


def test_the_local_list_is_taken_changed_and_kept():
    bench = OnTheBench()
    assert version_of(bench) == 0
    assert a_list(bench, 3, GOOD=ACCEPTED, BAD=INVALID) == "Accepted"
    assert a_list(bench, 3, "Differential", NEW=ACCEPTED) == "VersionMismatch"
    assert a_list(bench, 4, "Differential", NEW=ACCEPTED, BAD=None) == "Accepted"
    assert version_of(OnTheBench(memory=bench.memory)) == 4
    bench.lose_line()
    bench.plug_in(an_ac_car())
    bench.present("BAD")
    assert bench.station.life.evse(1).transaction is None
    bench.present("new")
    assert bench.station.life.evse(1).transaction is not None


def test_who_is_known_need_not_wait_where_that_is_wanted():
    bench = OnTheBench(fixed={"LocalPreAuthorize": "true"})
    a_list(bench, 1, GOOD=ACCEPTED)
    charging(bench, "GOOD")
    assert not bench.told("Authorize")


def test_the_cache_remembers_and_forgets():
    bench = OnTheBench(fixed={"LocalPreAuthorize": "true"})
    charging(bench)
    bench.present("TAG")
    charging(bench, evse=2)
    assert len(bench.told("Authorize")) == 1
    assert bench.ask(m.ClearCache(), m.ClearCacheResponse).status == "Accepted"
    bench.present("TAG", 2)
    bench.present("TAG", 2)
    assert len(bench.told("Authorize")) == 2
    assert not any(key.startswith("cache/") and key != "cache/tag" for key in bench.memory)


# --- files -----------------------------------------------------------------------------------------------------------


def test_diagnostics_are_delivered_and_told_of():
    bench = OnTheBench()
    request = m.GetDiagnostics(location="http://127.0.0.1/up/", retries=1, retry_interval=5)
    name = bench.ask(request, m.GetDiagnosticsResponse).file_name
    delivery = bench.transfers[0]
    assert isinstance(delivery, Deliver)
    assert delivery.name == name
    assert b"asked to GetDiagnostics" in delivery.content
    bench.station.transferred(bench.now, delivery.id, None)
    bench.advance(6)
    assert len(bench.transfers) == 2
    bench.station.transferred(bench.now, delivery.id, b"")
    bench.settle()
    assert [told.status for told in bench.told("DiagnosticsStatusNotification")] == ["Uploading", "Uploaded"]


def test_firmware_is_fetched_installed_and_there_after_the_boot():
    bench = charging(OnTheBench())
    when = rfc3339(bench.now + 60_000)
    bench.ask(m.UpdateFirmware(location="http://127.0.0.1/fw.bin", retrieve_date=when), m.UpdateFirmwareResponse)
    assert not bench.transfers
    bench.advance(61)
    fetched = bench.transfers[0]
    assert isinstance(fetched, Fetch)
    bench.station.transferred(bench.now, fetched.id, b"2.0.0\nbinary")
    bench.advance(60)
    assert steps(bench) == ["Downloading", "Downloaded"]
    bench.present("TAG")
    bench.advance(60)
    assert steps(bench) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert [boot.firmware_version for boot in bench.told("BootNotification")] == ["1.0.0", "2.0.0"]
    assert OnTheBench(memory=bench.memory).told("BootNotification")[0].firmware_version == "2.0.0"


def test_firmware_that_was_promised_is_fetched_though_the_station_was_killed():
    bench = OnTheBench()
    when = rfc3339(bench.now + 60_000)
    bench.ask(m.UpdateFirmware(location="http://127.0.0.1/fw.bin", retrieve_date=when), m.UpdateFirmwareResponse)
    again = OnTheBench(memory=bench.memory, now=bench.now + 1_000)
    again.advance(60)
    again.station.transferred(again.now, again.transfers[0].id, b"2.0.0\n")
    again.advance(5)
    back = OnTheBench(memory=again.memory, now=again.now + 1_000)
    assert back.told("BootNotification")[0].firmware_version == "2.0.0"
    assert steps(back) == ["Installed"]
    assert "firmware" not in back.memory


def test_a_newer_wish_takes_the_place_of_an_update():
    bench = OnTheBench()
    for name in ("old", "new"):
        when = rfc3339(bench.now + 60_000)
        bench.ask(m.UpdateFirmware(location=f"http://127.0.0.1/{name}", retrieve_date=when), m.UpdateFirmwareResponse)
    bench.advance(61)
    assert [order.location for order in bench.transfers] == ["http://127.0.0.1/new"]


def test_a_delivery_that_was_cut_off_has_failed():
    bench = OnTheBench()
    bench.ask(m.GetDiagnostics(location="http://127.0.0.1/up/"), m.GetDiagnosticsResponse)
    log = m.LogParameters(remote_location="http://127.0.0.1/up/")
    bench.ask(m.GetLog(log=log, log_type="SecurityLog", request_id=9), m.GetLogResponse)
    again = OnTheBench(memory=bench.memory)
    assert [told.status for told in again.told("DiagnosticsStatusNotification")] == ["UploadFailed"]
    assert [(told.status, told.request_id) for told in again.told("LogStatusNotification")] == [("UploadFailure", 9)]
    assert not any(key.startswith("upload/") for key in again.memory)


def test_firmware_that_cannot_be_had_is_told_of():
    bench = OnTheBench()
    now = rfc3339(bench.now)
    bench.ask(m.UpdateFirmware(location="http://127.0.0.1/fw", retrieve_date=now), m.UpdateFirmwareResponse)
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[0].id, None)
    bench.settle()
    assert steps(bench) == ["Downloading", "DownloadFailed"]


def steps(bench: OnTheBench) -> list[str]:
    return [told.status for told in bench.told("FirmwareStatusNotification")]


def test_a_log_is_delivered_under_its_number():
    bench = OnTheBench()
    request = m.GetLog(
        log=m.LogParameters(remote_location="http://127.0.0.1/up/"), log_type="DiagnosticsLog", request_id=9
    )
    assert bench.ask(request, m.GetLogResponse).status == "Accepted"
    bench.station.transferred(bench.now, bench.transfers[0].id, b"")
    bench.settle()
    assert [(t.status, t.request_id) for t in bench.told("LogStatusNotification")] == [
        ("Uploading", 9),
        ("Uploaded", 9),
    ]


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


# --- charging profiles -----------------------------------------------------------------------------------------------


def a_profile(
    purpose: m.ChargingProfilePurposeType,
    *periods: tuple[int, float],
    id: int = 1,
    level: int = 0,
    unit: m.ChargingRateUnitType = "A",
    start: Instant | None = None,
) -> m.ChargingProfile:
    schedule = m.ChargingSchedule(
        charging_rate_unit=unit,
        charging_schedule_period=tuple(m.ChargingSchedulePeriod(start_period=s, limit=limit) for s, limit in periods),
    )
    return m.ChargingProfile(
        charging_profile_id=id,
        stack_level=level,
        charging_profile_purpose=purpose,
        charging_profile_kind="Relative" if purpose == "TxProfile" else "Absolute",
        charging_schedule=schedule,
    )


def install(bench: OnTheBench, evse: int, profile: m.ChargingProfile) -> Any:
    request = m.SetChargingProfile(connector_id=evse, cs_charging_profiles=profile)
    return bench.ask(request, m.SetChargingProfileResponse).status


def power(bench: OnTheBench, evse: int = 1) -> float:
    return bench.station.life.evse(evse).feed.power_w(bench.now)


def test_profiles_change_the_power_and_say_why():
    bench = charging(OnTheBench())
    assert power(bench) == 11_040.0
    assert install(bench, 0, a_profile("TxDefaultProfile", (0, 10.0))) == "Accepted"
    assert power(bench) == 6_900.0
    assert bench.station.life.powering.why[1] == "TxDefaultProfile 1"
    assert install(bench, 1, a_profile("TxProfile", (0, 8.0), (60, 12.0), id=2)) == "Accepted"
    assert power(bench) == 5_520.0
    bench.advance(60)
    assert power(bench) == 8_280.0
    assert install(bench, 0, a_profile("ChargePointMaxProfile", (0, 4_500.0), id=3, unit="W")) == "Accepted"
    assert power(bench) == 4_500.0
    assert bench.station.life.powering.why[1] == "ChargingStationMaxProfile 3"
    assert bench.ask(m.ClearChargingProfile(id=3), m.ClearChargingProfileResponse).status == "Accepted"
    assert power(bench) == 8_280.0
    assert bench.ask(m.ClearChargingProfile(id=3), m.ClearChargingProfileResponse).status == "Unknown"


def test_less_than_the_car_can_use_suspends():
    bench = charging(OnTheBench())
    install(bench, 0, a_profile("TxDefaultProfile", (0, 5.0)))
    assert power(bench) == 0.0
    assert bench.statuses()[-1] == "SuspendedEVSE"
    install(bench, 0, a_profile("TxDefaultProfile", (0, 6.0)))
    assert bench.statuses()[-1] == "Charging"


def test_the_station_as_a_whole_keeps_its_profile():
    bench = OnTheBench()
    charging(bench, "A", 1)
    charging(bench, "B", 2)
    install(bench, 0, a_profile("ChargePointMaxProfile", (0, 12_000.0), unit="W"))
    assert power(bench, 1) + power(bench, 2) == pytest.approx(12_000.0)


def test_profiles_that_cannot_be_are_rejected():
    bench = OnTheBench()
    assert install(bench, 1, a_profile("TxProfile", (0, 8.0))) == "Rejected"
    assert install(bench, 1, a_profile("ChargePointMaxProfile", (0, 8.0))) == "Rejected"
    assert install(bench, 1, a_profile("TxDefaultProfile", (5, 8.0))) == "Rejected"
    assert install(bench, 1, a_profile("TxDefaultProfile", (0, 8.0), (0, 9.0))) == "Rejected"
    assert install(bench, 9, a_profile("TxDefaultProfile", (0, 8.0))) == "Rejected"
    assert install(bench, 1, a_profile("TxDefaultProfile", (0, 8.0), level=101)) == "Rejected"


def test_a_profile_that_comes_with_a_remote_start_counts_for_that_transaction():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    profile = a_profile("TxProfile", (0, 7.0))
    bench.ask(
        m.RemoteStartTransaction(connector_id=1, id_tag="A", charging_profile=profile), m.RemoteStartTransactionResponse
    )
    assert power(bench) == 7.0 * 690.0
    bench.advance(1)
    bench.present("A")
    bench.present("A")
    bench.advance(1)
    assert power(bench) == 11_040.0


def test_the_composite_schedule_tells_what_will_be():
    bench = charging(OnTheBench())
    install(bench, 0, a_profile("TxDefaultProfile", (0, 10.0), (600, 20.0)))
    told = bench.ask(m.GetCompositeSchedule(connector_id=1, duration=3_600), m.GetCompositeScheduleResponse)
    periods = told.charging_schedule.charging_schedule_period
    assert [(p.start_period, p.limit) for p in periods] == [(0, 10.0), (600, 20.0)]
    in_all = m.GetCompositeSchedule(connector_id=0, duration=60, charging_rate_unit="W")
    whole = bench.ask(in_all, m.GetCompositeScheduleResponse)
    assert whole.charging_schedule.charging_schedule_period[0].limit == pytest.approx(6_900.0 + 22_080.0)
    wrong = m.GetCompositeSchedule(connector_id=5, duration=60)
    assert bench.ask(wrong, m.GetCompositeScheduleResponse).status == "Rejected"


def test_default_profiles_outlive_a_restart_and_those_of_a_transaction_do_not():
    bench = charging(OnTheBench())
    install(bench, 0, a_profile("TxDefaultProfile", (0, 10.0)))
    install(bench, 1, a_profile("TxProfile", (0, 7.0), id=2))
    again = charging(OnTheBench(memory=bench.memory, now=bench.now + 60_000))
    assert power(again) == 6_900.0
