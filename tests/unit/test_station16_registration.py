"""A station of OCPP 1.6 finds its CSMS again whatever happens, and says there what it may say, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ocpp16 import NoNotary, OnTheBench, an_ac_car
from voltbench.ocpp.orders import Deliver
from voltbench.ocpp.rpc import Answered
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def charging(bench: OnTheBench, token: str = "TAG", evse: int = 1) -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


def boots_are(bench: OnTheBench, status: m.RegistrationStatus, interval: int = 600) -> None:
    """Let the CSMS answer boots so from now on."""
    bench.answers["BootNotification"] = lambda _: m.BootNotificationResponse(
        status=status, current_time=rfc3339(bench.now), interval=interval
    )


def new(status: m.RegistrationStatus, **how: Any) -> OnTheBench:
    """A station whose first boot is answered so."""
    bench = OnTheBench(boots=False, **how)
    boots_are(bench, status)
    bench.advance(0)
    return bench


def trigger(bench: OnTheBench, message: m.MessageTrigger) -> Any:
    return bench.ask(m.TriggerMessage(requested_message=message), m.TriggerMessageResponse).status


def is_well(bench: OnTheBench) -> bool:
    """Whether a station comes back after the line was lost once more."""
    bench.flicker(60)
    return bench.station.is_accepted


# --- what the CSMS says of its boot ----------------------------------------------------------------------------------


def test_an_interval_is_no_longer_than_its_key_may_be():
    bench = OnTheBench(boots=False)
    boots_are(bench, "Accepted", interval=1 << 40)
    bench.advance(0)
    asked = m.GetConfiguration(key=("HeartbeatInterval",))
    assert bench.ask(asked, m.GetConfigurationResponse).configuration_key[0].value == "2147483647"


# --- restarting while the line is being dialled ----------------------------------------------------------------------


def test_a_soft_reset_whose_time_is_over_while_the_line_is_dialled_still_boots():
    bench = charging(OnTheBench())
    bench.holds = {"StopTransaction"}
    bench.ask(m.Reset(type="Soft"), m.ResetResponse)
    bench.holds_dials, bench.holds = True, set()
    bench.lose_line()
    bench.is_reachable = True
    bench.advance(21)
    assert (bench.wanted, bench.is_dialling) == (2, False)
    bench.dial_ends()
    bench.holds_dials = False
    bench.advance(30)
    assert len(bench.told("BootNotification")) == 2
    assert bench.told("StopTransaction")[-1].reason == "SoftReset"
    assert is_well(bench)


def test_firmware_that_is_installed_while_the_line_is_dialled_is_there_after_the_boot():
    bench = OnTheBench()
    request = m.UpdateFirmware(location="http://127.0.0.1/fw.bin", retrieve_date=rfc3339(bench.now))
    bench.ask(request, m.UpdateFirmwareResponse)
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[0].id, b"2.0.0\nbinary")
    bench.holds_dials = True
    bench.lose_line()
    bench.is_reachable = True
    bench.advance(11)
    bench.dial_ends()
    bench.holds_dials = False
    bench.advance(30)
    assert [boot.firmware_version for boot in bench.told("BootNotification")] == ["1.0.0", "2.0.0"]
    assert is_well(bench)


def test_who_boots_already_is_back_in_time_though_firmware_wants_a_boot_too():
    bench = OnTheBench()
    request = m.UpdateFirmware(location="http://127.0.0.1/fw.bin", retrieve_date=rfc3339(bench.now))
    bench.ask(request, m.UpdateFirmwareResponse)
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[0].id, b"2.0.0\nbinary")
    bench.advance(8)
    bench.ask(m.Reset(type="Hard"), m.ResetResponse)
    bench.advance(6)
    assert bench.station.is_accepted
    assert [boot.firmware_version for boot in bench.told("BootNotification")] == ["1.0.0", "2.0.0"]


def test_a_line_that_stands_while_the_station_boots_finds_nobody_at_home():
    bench = OnTheBench()
    bench.ask(m.Reset(type="Hard"), m.ResetResponse)
    bench.station.connected(bench.now)  # a dial that was given up, and stands nevertheless
    bench.settle()
    assert not bench.station.is_connected
    bench.advance(10)
    assert bench.station.is_accepted
    assert len(bench.told("BootNotification")) == 2


def test_nobody_is_served_while_the_station_boots():
    bench = charging(OnTheBench(fixed={"AllowOfflineTxForUnknownId": "true"}))
    bench.holds = {"StopTransaction"}
    bench.ask(m.Reset(type="Soft"), m.ResetResponse)
    bench.plug_in(an_ac_car(), 2)
    start = m.RemoteStartTransaction(connector_id=2, id_tag="APP")
    assert bench.ask(start, m.RemoteStartTransactionResponse).status == "Rejected"
    bench.let_go()
    assert not bench.station.is_connected
    bench.present("TAG", 2)
    bench.advance(30)
    assert len(bench.told("StartTransaction")) == 1
    assert bench.statuses(2)[-1] == "Preparing"
    bench.present("TAG", 2)
    assert bench.statuses(2)[-1] == "Charging"


def test_stations_that_lost_their_lines_together_do_not_come_back_together():
    waits = []
    for chance in (0.0, 0.9):
        bench = OnTheBench(chance=chance)
        bench.lose_line()
        due = bench.station.next_wakeup()
        assert due is not None
        waits.append(due - bench.now)
    assert waits == [500, 1_400]


# --- accepted, pending, rejected -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_triggered_boot_that_is_not_accepted_silences_the_station(status):
    bench = OnTheBench()
    boots_are(bench, status)
    assert trigger(bench, "BootNotification") == "Accepted"
    assert not bench.station.is_accepted
    before = len(bench.heard)
    charging(bench)
    bench.advance(590)
    assert len(bench.heard) == before
    boots_are(bench, "Accepted")
    bench.advance(1_000)
    assert bench.actions()[before] == "BootNotification"
    assert "Heartbeat" in bench.actions()[before:]
    assert bench.station.is_accepted


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_what_waits_behind_a_boot_that_is_not_accepted_is_not_said(status):
    bench = OnTheBench()
    bench.holds = {"BootNotification"}
    trigger(bench, "BootNotification")
    bench.plug_in(an_ac_car(), 1)
    bench.heard.clear()
    boots_are(bench, status)
    bench.let_go()
    assert bench.heard == []
    boots_are(bench, "Accepted")
    bench.holds = set()
    bench.advance(600)
    assert ("StatusNotification", "Preparing") in [(a, getattr(said, "status", None)) for a, said in bench.heard]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_who_is_not_accepted_waits_for_his_interval_over_a_lost_line(status):
    bench = new(status)
    began = bench.now
    bench.advance(100)
    bench.flicker(100)
    assert bench.station.is_connected
    assert len(bench.told("BootNotification")) == 1
    boots_are(bench, "Accepted")
    bench.advance((began - bench.now) / 1_000 + 599)
    assert len(bench.told("BootNotification")) == 1
    bench.advance(2)
    assert bench.station.is_accepted


def test_who_is_rejected_does_not_answer():
    bench = new("Rejected")
    assert bench.ask_anyway(m.GetConfiguration()) is None
    boots_are(bench, "Accepted")
    bench.advance(600)
    bench.flicker()
    assert isinstance(bench.ask_anyway(m.GetConfiguration()), Answered)


@pytest.mark.parametrize(
    "message",
    ["DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues", "StatusNotification"],
)
def test_who_is_pending_says_what_he_is_asked_to_and_nothing_else(message):
    bench = new("Pending")
    charging(bench)
    assert bench.actions() == ["BootNotification"]
    assert trigger(bench, message) == "Accepted"
    assert set(bench.actions()[1:]) == {message}
    boots_are(bench, "Accepted")
    bench.advance(600)
    assert trigger(bench, message) == "Accepted"


class Applicant(NoNotary):
    """Has a key."""

    def request(self, common_name: str, organization: str) -> str:
        return f"{common_name} of {organization}"


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("SignChargePointCertificate", "SignCertificate"),
        ("LogStatusNotification", "LogStatusNotification"),
        ("FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
    ],
)
def test_who_is_pending_says_what_the_whitepaper_lets_him_be_asked_for(message, action):
    bench = new("Pending", notary=Applicant())
    request = m.ExtendedTriggerMessage(requested_message=message)
    assert bench.ask(request, m.ExtendedTriggerMessageResponse).status == "Accepted"
    assert bench.actions() == ["BootNotification", action]


# --- what dies with its line -----------------------------------------------------------------------------------------


def test_a_status_that_died_with_its_line_is_told_on_the_next():
    bench = OnTheBench()
    bench.holds = {"StatusNotification"}
    bench.plug_in(an_ac_car())
    bench.holds = set()
    assert bench.statuses() == ["Available", "Preparing"]  # sent, but never answered
    bench.flicker()
    assert bench.statuses() == ["Available", "Preparing", "Preparing"]
    bench.flicker()
    assert bench.statuses() == ["Available", "Preparing", "Preparing"]


def test_calls_that_come_to_nothing_leave_a_trace():
    bench = OnTheBench()
    bench.answers["StatusNotification"] = lambda _: None
    bench.plug_in(an_ac_car())
    bench.holds = {"Heartbeat"}
    bench.advance(400)
    bench.ask(m.GetDiagnostics(location="http://127.0.0.1/up/"), m.GetDiagnosticsResponse)
    delivery = bench.transfers[0]
    assert isinstance(delivery, Deliver)
    diary = delivery.content.decode()
    assert "StatusNotification was refused: InternalError could not process that" in diary
    assert "Heartbeat is overdue" in diary
