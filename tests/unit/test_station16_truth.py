"""What a station of OCPP 1.6 answers and tells is what it does: availability, logs, keys, what waits offline."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.charging import wishes
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.outbox import MOST_IDLE, Outbox
from voltbench.quantities import rfc3339


def charging(bench: OnTheBench, evse: int = 1, token: str = "TAG") -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


def availability(bench: OnTheBench, evse: int, kind: Any) -> Any:
    request = m.ChangeAvailability(connector_id=evse, type=kind)
    return bench.ask(request, m.ChangeAvailabilityResponse).status


# --- availability ----------------------------------------------------------------------------------------------------


def test_a_connector_of_a_station_that_is_out_of_service_stays_so():
    bench = OnTheBench()
    assert availability(bench, 0, "Inoperative") == "Accepted"
    assert availability(bench, 1, "Operative") == "Rejected"
    assert [bench.statuses(evse)[-1] for evse in (0, 1, 2)] == ["Unavailable"] * 3
    charging(bench)
    assert not bench.told("StartTransaction")
    bench.unplug()
    assert availability(bench, 1, "Inoperative") == "Accepted"
    assert availability(bench, 0, "Operative") == "Accepted"
    assert [bench.statuses(evse)[-1] for evse in (0, 1, 2)] == ["Available"] * 3
    charging(bench)
    assert bench.told("StartTransaction")


def test_nor_does_it_come_back_when_its_transaction_is_over():
    bench = charging(OnTheBench())
    assert availability(bench, 0, "Inoperative") == "Scheduled"
    assert availability(bench, 1, "Operative") == "Rejected"
    bench.present("TAG", 1)
    bench.unplug()
    assert bench.statuses(1)[-1] == "Unavailable"


def test_whoever_says_otherwise():
    bench = OnTheBench(memory={"operative/0": b"no"})
    assert [bench.statuses(evse)[-1] for evse in (0, 1, 2)] == ["Unavailable"] * 3
    wishes.set_operative(bench.station.life, bench.now, 1, True)
    bench.advance(1)
    assert bench.statuses(1)[-1] == "Unavailable"


# --- logs ------------------------------------------------------------------------------------------------------------


def log(bench: OnTheBench, id: int, retries: int = 0) -> Any:
    request = m.GetLog(
        log=m.LogParameters(remote_location="http://127.0.0.1/up/"),
        log_type="DiagnosticsLog",
        request_id=id,
        retries=retries,
        retry_interval=10,
    )
    return bench.ask(request, m.GetLogResponse).status


def logs(bench: OnTheBench) -> list[tuple[str, int]]:
    return [(told.status, told.request_id) for told in bench.told("LogStatusNotification")]


def test_a_log_that_is_wanted_instead_cancels_the_one_under_way():
    bench = OnTheBench()
    assert [log(bench, id) for id in (1, 2)] == ["Accepted", "AcceptedCanceled"]
    first, second = bench.transfers
    assert bench.abandoned == [first.id]
    for transfer in (first, second):
        bench.station.transferred(bench.now, transfer.id, b"")
        bench.settle()
    assert logs(bench) == [("Uploading", 1), ("Uploading", 2), ("Uploaded", 2)]
    assert not any(key.startswith("upload/") for key in bench.memory)
    assert not logs(OnTheBench(memory=bench.memory))


def test_a_log_that_was_cancelled_is_not_tried_again():
    bench = OnTheBench()
    log(bench, 1, retries=3)
    bench.station.transferred(bench.now, bench.transfers[0].id, None)
    log(bench, 2)
    bench.advance(60)
    assert len(bench.transfers) == 2


# --- keys ------------------------------------------------------------------------------------------------------------


def test_keys_beyond_the_most_that_may_be_asked_for_are_told_as_unknown():
    bench = OnTheBench(fixed={"GetConfigurationMaxKeys": "2"})
    asked = m.GetConfiguration(key=("HeartbeatInterval", "Nonsense", "BlinkRepeat"))
    told = bench.ask(asked, m.GetConfigurationResponse)
    assert [key.key for key in told.configuration_key] == ["HeartbeatInterval"]
    assert told.unknown_key == ("Nonsense", "BlinkRepeat")
    assert len(bench.ask(m.GetConfiguration(), m.GetConfigurationResponse).configuration_key) > 2


def test_a_station_that_cannot_keep_any_connector_says_so():
    bench = OnTheBench(fixed={"ReserveConnectorZeroSupported": "false"})
    for evse, status in ((0, "Rejected"), (1, "Accepted")):
        when = rfc3339(bench.now + 60_000)
        wanted = m.ReserveNow(connector_id=evse, expiry_date=when, id_tag="VIP", reservation_id=5)
        assert bench.ask(wanted, m.ReserveNowResponse).status == status


# --- what waits offline ----------------------------------------------------------------------------------------------


def test_readings_of_connectors_that_nobody_uses_wait_behind_transactions_and_not_all_of_them():
    bench = OnTheBench(fixed={"ClockAlignedDataInterval": "60", "MeterValueSampleInterval": "0"})
    charging(bench)
    bench.present("TAG", 1)
    bench.unplug()
    bench.lose_line()
    bench.advance(86_400)
    assert len(bench.station.transactions.outbox) == MOST_IDLE
    assert sum(key.startswith("queue/") for key in bench.memory) == MOST_IDLE
    charging(bench)
    heard = len(bench.heard)
    bench.is_reachable = True
    bench.advance(300)
    waited = [name for name in bench.actions()[heard:] if name in ("StartTransaction", "MeterValues")]
    assert waited[0] == "StartTransaction"
    assert waited.count("MeterValues") >= MOST_IDLE
    assert not any(key.startswith("queue/") for key in bench.memory)


def test_a_reading_that_made_room_while_it_was_told_is_gone_though_it_is_refused():
    kept: dict[str, bytes | None] = {}
    outbox = Outbox(kept.__setitem__)
    reading = m.MeterValues(connector_id=1, meter_value=())
    outbox.put("first", 0, reading)
    told = outbox.next(0)
    assert told is not None
    for number in range(MOST_IDLE):
        outbox.put(f"m{number}", 0, reading)
    outbox.refused(0, told, most_attempts=3, retry_ms=10)
    assert sum(entry is not None for entry in kept.values()) == len(outbox) == MOST_IDLE


def test_readings_that_wait_outlive_a_kill():
    bench = OnTheBench(fixed={"ClockAlignedDataInterval": "60"})
    bench.lose_line()
    bench.advance(120)
    again = OnTheBench(memory=bench.memory, now=bench.now + 1_000)
    again.advance(1)
    assert len(again.told("MeterValues")) == 4
    assert not any(key.startswith("queue/") for key in again.memory)


def test_a_start_that_was_given_up_has_no_id_to_stop_it_by():
    bench = OnTheBench(fixed={"TransactionMessageAttempts": "1"})
    bench.answers["StartTransaction"] = lambda _: None
    charging(bench)
    stop = m.RemoteStopTransaction(transaction_id=-1)
    assert bench.ask(stop, m.RemoteStopTransactionResponse).status == "Rejected"
    bench.present("TAG", 1)
    assert bench.told("StopTransaction")[0].transaction_id == -1


def test_a_meter_counts_on_after_a_kill_though_nobody_charged_then():
    bench = charging(OnTheBench())
    bench.advance(600)
    bench.present("TAG", 1)
    bench.unplug()
    stopped_at = bench.told("StopTransaction")[0].meter_stop
    assert stopped_at > 1_000
    again = charging(OnTheBench(memory=bench.memory, now=bench.now + 60_000))
    assert again.told("StartTransaction")[0].meter_start == stopped_at


def test_a_reading_that_was_asked_for_is_the_least_that_a_killed_transaction_ends_with():
    bench = charging(OnTheBench(fixed={"MeterValueSampleInterval": "0"}))
    bench.advance(600)
    trigger = m.TriggerMessage(requested_message="MeterValues", connector_id=1)
    assert bench.ask(trigger, m.TriggerMessageResponse).status == "Accepted"
    read_wh, read_at = bench.values()[-1], bench.now
    assert read_wh > 1_000
    again = OnTheBench(memory=bench.memory, now=bench.now + 60_000)
    (stop,) = again.told("StopTransaction")
    assert (stop.meter_stop, stop.timestamp, stop.reason) == (read_wh, rfc3339(read_at), "PowerLoss")


def test_a_limit_that_no_station_has_is_rejected():
    bench = OnTheBench()
    asked = m.SetChargingProfile(connector_id=0, cs_charging_profiles=a_profile(limit=1e308, unit="A"))
    assert bench.ask(asked, m.SetChargingProfileResponse).status == "Rejected"


def test_a_schedule_does_not_say_the_same_twice():
    bench = charging(OnTheBench())
    for id, level, duration in ((1, 5, 60), (2, 1, None)):
        profile = a_profile(id=id, level=level, limit=10.0, unit="A", duration=duration, purpose="TxDefaultProfile")
        asked = m.SetChargingProfile(connector_id=1, cs_charging_profiles=profile)
        assert bench.ask(asked, m.SetChargingProfileResponse).status == "Accepted"
    wanted = m.GetCompositeSchedule(connector_id=1, duration=120, charging_rate_unit="A")
    told = bench.ask(wanted, m.GetCompositeScheduleResponse).charging_schedule
    assert [(p.start_period, p.limit) for p in told.charging_schedule_period] == [(0, 10.0)]


def test_a_list_that_names_somebody_twice_in_other_letters_is_refused():
    entries = tuple(
        m.AuthorizationData(id_tag=tag, id_tag_info=m.IdTagInfo(status="Accepted")) for tag in ("Dup", "dup")
    )
    asked = m.SendLocalList(list_version=1, update_type="Full", local_authorization_list=entries)
    assert OnTheBench().ask(asked, m.SendLocalListResponse).status == "Failed"


def a_profile(
    limit: float,
    unit: str,
    id: int = 1,
    level: int = 1,
    duration: int | None = None,
    purpose: str = "ChargePointMaxProfile",
) -> m.ChargingProfile:
    period = m.ChargingSchedulePeriod(start_period=0, limit=limit)
    schedule = m.ChargingSchedule(
        charging_rate_unit=unit,  # type: ignore[arg-type]
        charging_schedule_period=(period,),
        duration=UNSET if duration is None else duration,
    )
    return m.ChargingProfile(
        charging_profile_id=id,
        stack_level=level,
        charging_profile_purpose=purpose,  # type: ignore[arg-type]
        charging_profile_kind="Relative" if purpose == "TxDefaultProfile" else "Absolute",
        charging_schedule=schedule,
    )
