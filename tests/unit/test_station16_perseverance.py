"""A station of OCPP 1.6 when things go wrong again and again: it neither gives up what matters nor hammers the CSMS."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.ocpp.dialect import Side
from voltbench.ocpp.orders import Deliver
from voltbench.ocpp.rpc import Ignored
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def charging(bench: OnTheBench) -> OnTheBench:
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(1)
    return bench


def an_update(bench: OnTheBench, name: str = "fw") -> None:
    request = m.UpdateFirmware(location=f"http://127.0.0.1/{name}.bin", retrieve_date=rfc3339(bench.now))
    bench.ask(request, m.UpdateFirmwareResponse)
    bench.advance(1)


def statuses(bench: OnTheBench) -> list[str]:
    return [told.status for told in bench.told("FirmwareStatusNotification")]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_csms_that_drops_every_line_is_dialled_ever_more_seldom():
    bench = OnTheBench(boots=False)
    bench.holds = {"BootNotification"}
    for _ in range(200):
        bench.advance(1)
        if bench.station.is_connected:
            bench.lose_line()
            bench.is_reachable = True
    assert 6 <= bench.wanted <= 9


def test_a_line_on_which_something_was_heard_is_dialled_again_soon():
    bench = OnTheBench()
    for _ in range(5):
        bench.flicker(2)
        assert bench.station.is_connected
        bench.ask(m.TriggerMessage(requested_message="Heartbeat"), m.TriggerMessageResponse)


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_stop_over_which_the_line_is_lost_again_and_again_leaves_out_its_readings():
    """Somebody on the way finds the frame too long; what comes after it must not wait for ever."""
    bench = charging(OnTheBench(fixed={"StopTxnSampledData": "Energy.Active.Import.Register"}))
    bench.advance(120)
    bench.holds = {"StopTransaction"}
    bench.present("TAG")
    for _ in range(3):
        bench.flicker(300)
    bench.let_go()
    stops = bench.told("StopTransaction")
    assert [stop.transaction_data is UNSET for stop in stops] == [False, False, False, True]
    assert len({stop.timestamp for stop in stops}) == 1
    bench.advance(1)
    assert not any(key.startswith("queue/") for key in bench.memory)


def test_a_start_that_nobody_answers_is_told_until_somebody_does():
    bench = OnTheBench()
    bench.holds = {"StartTransaction"}
    charging(bench)
    bench.advance(3_600)
    asked = sum("once more" in found.why for found in bench.answered if isinstance(found, Ignored))
    assert 30 <= asked <= 45, "each time after half a minute of silence and a minute's wait"
    bench.let_go()
    bench.advance(120)
    bench.present("TAG")
    assert bench.told("StopTransaction")[-1].transaction_id > 0
    assert len(bench.told("StartTransaction")) == 1, "under one id"


# --- firmware ---------------------------------------------------------------------------------------------------------


def test_a_boot_that_is_triggered_while_firmware_installs_does_not_end_the_update():
    bench = OnTheBench()
    an_update(bench)
    bench.station.transferred(bench.now, bench.transfers[0].id, b"2.0.0\nbinary")
    bench.advance(5)
    bench.ask(m.TriggerMessage(requested_message="BootNotification"), m.TriggerMessageResponse)
    assert statuses(bench)[-1] == "Installing"
    bench.advance(60)
    assert statuses(bench)[-1] == "Installed"
    assert [boot.firmware_version for boot in bench.told("BootNotification")] == ["1.0.0", "1.0.0", "2.0.0"]
    assert bench.statuses(0)[-1] == bench.statuses(1)[-1] == "Available"


def test_an_update_that_another_replaces_is_fetched_no_more():
    bench = OnTheBench()
    an_update(bench, "old")
    an_update(bench, "new")
    assert bench.abandoned == [bench.transfers[0].id]
    assert [order.location for order in bench.transfers] == ["http://127.0.0.1/old.bin", "http://127.0.0.1/new.bin"]


def test_an_update_does_not_let_anybody_charge_where_a_reset_is_waited_for():
    bench = charging(OnTheBench())
    bench.holds = {"StopTransaction"}
    bench.ask(m.Reset(type="Soft"), m.ResetResponse)
    an_update(bench)
    assert bench.station.life.in_maintenance


# --- who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_nobody_starts_or_stops_from_afar_before_the_station_is_accepted(status: m.RegistrationStatus):
    bench = charging(OnTheBench())
    number = bench.station.transactions.outbox.transaction_id(1)
    assert number is not None
    bench.answers["BootNotification"] = lambda _: m.BootNotificationResponse(
        status=status, current_time=rfc3339(bench.now), interval=600
    )
    bench.ask(m.TriggerMessage(requested_message="BootNotification"), m.TriggerMessageResponse)
    if status == "Rejected":
        assert bench.ask_anyway(m.RemoteStopTransaction(transaction_id=number)) is None, "it does not answer at all"
        return
    start = bench.ask(m.RemoteStartTransaction(id_tag="TAG", connector_id=2), m.RemoteStartTransactionResponse)
    stop = bench.ask(m.RemoteStopTransaction(transaction_id=number), m.RemoteStopTransactionResponse)
    assert (start.status, stop.status) == ("Rejected", "Rejected")


def test_who_taps_twice_while_he_is_asked_for_has_tapped_once():
    bench = OnTheBench()
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(
        id_tag_info=m.IdTagInfo(status="Accepted", parent_id_tag="FAMILY")
    )
    bench.holds = {"Authorize"}
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.present("tag")
    bench.let_go()
    bench.advance(5)
    assert len(bench.told("Authorize")) == 1
    assert bench.told("StopTransaction") == []
    bench.present("TAG")
    bench.advance(5)
    assert len(bench.told("StopTransaction")) == 1, "later it means that he wants to stop"


@pytest.mark.parametrize("key", ["StopTxnSampledData", "MeterValuesAlignedData"])
def test_a_measurand_is_told_once(key: str):
    bench = OnTheBench()
    answer = bench.ask(m.ChangeConfiguration(key=key, value="Voltage,SoC,Voltage"), m.ChangeConfigurationResponse)
    assert answer.status == "Rejected"


def test_a_reset_is_a_security_event_where_there_is_security():
    secured = OnTheBench(fixed={"SecurityProfile": "1", "AuthorizationKey": "0123456789abcdef"})
    plain = OnTheBench()
    for bench in (secured, plain):
        bench.ask(m.Reset(type="Hard"), m.ResetResponse)
        bench.advance(30)
    assert [told.type for told in secured.told("SecurityEventNotification")] == [
        "StartupOfTheDevice",
        "ResetOrReboot",
        "StartupOfTheDevice",
    ]
    assert plain.told("SecurityEventNotification") == []


@pytest.mark.parametrize(
    ("in_doubt", "told"),
    [("station", "FailedToAuthenticateAtCentralSystem"), ("csms", "CentralSystemFailedToAuthenticate")],
)
def test_who_did_not_believe_whom_is_in_the_security_log_alone(in_doubt: Side, told: str):
    bench = OnTheBench()
    bench.lose_line()
    bench.station.disconnected(bench.now, in_doubt)
    bench.settle()
    bench.is_reachable = True
    bench.advance(10)
    log = m.LogParameters(remote_location="http://127.0.0.1/up/")
    bench.ask(m.GetLog(log=log, log_type="SecurityLog", request_id=9), m.GetLogResponse)
    delivery = bench.transfers[0]
    assert isinstance(delivery, Deliver)
    assert told in delivery.content.decode()
    assert bench.told("SecurityEventNotification") == []


def test_events_keep_their_order_over_a_kill():
    memory: dict[str, bytes] = {}
    before = OnTheBench(memory=memory, fixed={"SecurityProfile": "1"}, boots=False)
    before.lose_line()
    after = OnTheBench(memory=memory, fixed={"SecurityProfile": "1"})
    after.advance(10)
    assert [told.type for told in after.told("SecurityEventNotification")] == ["StartupOfTheDevice"] * 2


def test_nothing_of_a_transaction_is_kept_when_it_is_told():
    bench = charging(OnTheBench())
    bench.advance(120)
    assert any(key.startswith("meter/") for key in bench.memory)
    bench.present("TAG")
    bench.advance(5)
    assert not any(key.startswith(("meter/", "running/", "queue/", "transaction/")) for key in bench.memory)
