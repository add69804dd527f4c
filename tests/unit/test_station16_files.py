"""Files of a station of OCPP 1.6: diagnostics and logs are delivered, firmware is fetched and installed."""

from __future__ import annotations

import pytest

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def charging(bench: OnTheBench, token: str = "TAG", evse: int = 1) -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


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


def updating(bench: OnTheBench) -> OnTheBench:
    """A station that has its new firmware, and is to install it."""
    now = rfc3339(bench.now)
    bench.ask(m.UpdateFirmware(location="http://127.0.0.1/fw", retrieve_date=now), m.UpdateFirmwareResponse)
    bench.advance(0)
    bench.station.transferred(bench.now, bench.transfers[0].id, b"2.0.0\n")
    bench.advance(1)
    return bench


def latest(bench: OnTheBench) -> list[str]:
    """What the CSMS believes that the station and its connectors are."""
    return [bench.statuses(evse)[-1] for evse in (0, 1, 2)]


def test_a_station_that_installs_firmware_is_unavailable_but_to_who_charges_there():
    bench = updating(charging(OnTheBench()))
    assert latest(bench) == ["Unavailable", "Charging", "Unavailable"]
    bench.advance(3_600)
    assert latest(bench) == ["Unavailable", "Charging", "Unavailable"]
    assert steps(bench)[-1] == "Downloaded"
    bench.present("TAG")
    bench.advance(10)
    assert latest(bench) == ["Unavailable"] * 3
    assert steps(bench)[-1] == "Installing"
    bench.ask(m.TriggerMessage(requested_message="StatusNotification", connector_id=0), m.TriggerMessageResponse)
    assert latest(bench) == ["Unavailable"] * 3
    bench.advance(60)
    assert steps(bench)[-1] == "Installed"
    assert latest(bench) == ["Available", "Preparing", "Available"]


@pytest.mark.parametrize("answers", [True, False])
def test_a_station_boots_with_its_firmware_when_its_last_words_were_heard_or_nobody_answers(answers):
    bench = updating(OnTheBench())
    bench.holds.add("StatusNotification")
    bench.advance(8)
    bench.ask(m.TriggerMessage(requested_message="StatusNotification", connector_id=0), m.TriggerMessageResponse)
    bench.advance(20)
    assert len(bench.told("BootNotification")) == 1
    if answers:
        bench.let_go()
        bench.advance(6)
    else:
        bench.advance(20)
    assert len(bench.told("BootNotification")) == 2


def test_a_station_whose_firmware_cannot_be_installed_is_available_again():
    bench = OnTheBench()
    bench.station.fail(bench.now, 0, "ResetFailure")
    updating(bench)
    assert latest(bench) == ["Unavailable"] * 3
    bench.advance(60)
    assert steps(bench)[-1] == "InstallationFailed"
    assert latest(bench) == ["Available"] * 3


def test_a_station_that_was_taken_out_of_service_stays_so_after_an_update():
    bench = OnTheBench()
    bench.ask(m.ChangeAvailability(connector_id=0, type="Inoperative"), m.ChangeAvailabilityResponse)
    updating(bench).advance(60)
    assert steps(bench)[-1] == "Installed"
    assert latest(bench) == ["Unavailable"] * 3


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
