"""A station of OCPP 1.6 and the cars that charge there, as its CSMS hears of it."""

from __future__ import annotations

import pytest

from tests.ocpp16 import DC_150, INVALID, OnTheBench, a_dc_car, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import rfc3339


def test_a_station_boots_and_tells_what_it_is():
    bench = OnTheBench()
    assert bench.actions() == ["BootNotification", *["StatusNotification"] * 3]
    boot = bench.told("BootNotification")[0]
    assert (boot.charge_point_vendor, boot.firmware_version) == ("voltbench", "1.0.0")
    assert [(s.connector_id, s.status) for s in bench.told("StatusNotification")] == [
        (0, "Available"),
        (1, "Available"),
        (2, "Available"),
    ]


def test_heartbeats_come_in_the_interval_that_the_csms_wants():
    bench = OnTheBench()
    bench.advance(1_000)
    assert len(bench.told("Heartbeat")) == 3


def test_who_is_pending_asks_again_and_says_nothing_else():
    bench = OnTheBench(boots=False)
    bench.answers["BootNotification"] = lambda _: m.BootNotificationResponse(
        status="Pending", current_time=rfc3339(bench.now), interval=10
    )
    bench.advance(35)
    assert bench.actions() == ["BootNotification"] * 4
    assert bench.ask(m.GetConfiguration(), m.GetConfigurationResponse).unknown_key == ()


def test_a_car_charges_and_every_figure_agrees():
    bench = OnTheBench(fixed={"MeterValuesSampledData": EVERYTHING})
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(3_600)
    bench.present("TAG")
    bench.unplug()
    assert bench.statuses() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    start, stop = bench.told("StartTransaction")[0], bench.told("StopTransaction")[0]
    assert (start.connector_id, start.id_tag, start.meter_start) == (1, "TAG", 0)
    assert (stop.transaction_id, stop.reason, stop.id_tag) == (1001, "Local", "TAG")
    assert stop.meter_stop == 11_040
    assert set(bench.values("Power.Active.Import")) == {11_040.0}
    assert set(bench.values("Current.Import")) == {16.0}
    assert len(bench.values("Current.Import")) == 3 * 60
    assert set(bench.values("Voltage")) == {230.0}
    assert set(bench.values("Power.Offered")) == {11_040.0}
    assert bench.values()[:3] == [184.0, 368.0, 552.0]
    assert all(told.transaction_id == 1001 for told in bench.told("MeterValues"))


def test_on_direct_current_volts_times_amperes_are_watts_and_the_car_tells_its_charge():
    bench = OnTheBench(DC_150, fixed={"MeterValuesSampledData": EVERYTHING})
    bench.plug_in(a_dc_car(soc=0.7))
    bench.present("TAG")
    bench.advance(1_200)
    watts, volts, amperes = (bench.values(name) for name in ("Power.Active.Import", "Voltage", "Current.Import"))
    for w, v, a in zip(watts, volts, amperes, strict=True):
        assert v * a == pytest.approx(w, rel=1e-3)
    charge = bench.values("SoC")
    assert charge == sorted(charge)
    assert charge[-1] > 85.0
    assert watts[0] == pytest.approx(150_000.0)
    assert watts[-1] < 120_000.0
    register = bench.values()
    for e0, e1, w0, w1 in zip(register, register[1:], watts, watts[1:], strict=False):
        assert min(w0, w1) / 60.0 - 1.0 <= e1 - e0 <= max(w0, w1) / 60.0 + 1.0


def test_a_car_that_is_full_suspends_and_the_transaction_goes_on():
    bench = OnTheBench()
    bench.plug_in(an_ac_car(), asked_wh=5_520.0)
    bench.present("TAG")
    bench.advance(2 * 3_600)
    assert bench.statuses()[-2:] == ["Charging", "SuspendedEV"]
    assert not bench.told("StopTransaction")
    assert bench.values()[-1] == 5_520.0


def test_pulling_the_plug_ends_the_transaction():
    bench = OnTheBench()
    bench.present("TAG")
    assert bench.statuses()[-1] == "Preparing"
    bench.plug_in(an_ac_car())
    bench.advance(60)
    bench.unplug()
    assert bench.told("StopTransaction")[0].reason == "EVDisconnected"
    assert bench.statuses()[-1] == "Available"


def test_who_shows_a_token_and_brings_no_car_has_a_minute():
    bench = OnTheBench()
    bench.present("TAG")
    bench.advance(61)
    assert bench.statuses() == ["Available", "Preparing", "Available"]
    bench.plug_in(an_ac_car())
    assert not bench.told("StartTransaction")


def test_a_token_that_is_no_good_starts_nothing():
    bench = OnTheBench()
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=INVALID)
    bench.plug_in(an_ac_car())
    bench.present("BAD")
    bench.advance(60)
    assert not bench.told("StartTransaction")
    assert bench.statuses()[-1] == "Preparing"


def test_a_token_of_the_same_group_stops_a_transaction():
    bench = OnTheBench()
    family = m.IdTagInfo(status="Accepted", parent_id_tag="FAMILY")
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=family)
    bench.plug_in(an_ac_car())
    bench.present("MUM")
    bench.advance(60)
    bench.present("DAD", evse=1)
    assert bench.told("StopTransaction")[0].id_tag == "DAD"


def test_a_start_that_the_csms_does_not_like_stops():
    bench = OnTheBench()
    bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(id_tag_info=INVALID, transaction_id=7)
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(1)
    stop = bench.told("StopTransaction")[0]
    assert (stop.transaction_id, stop.reason) == (7, "DeAuthorized")


def test_or_it_may_take_a_little_more_and_then_waits():
    fixed = {"StopTransactionOnInvalidId": "false", "MaxEnergyOnInvalidId": "1000"}
    bench = OnTheBench(fixed=fixed)
    bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(id_tag_info=INVALID, transaction_id=7)
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(3_600)
    assert not bench.told("StopTransaction")
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert bench.values()[-1] == pytest.approx(1_000.0, abs=4.0)


def test_two_cars_share_what_the_station_has():
    bench = OnTheBench(DC_150, fixed={"MeterValuesSampledData": "Power.Active.Import"})
    for evse in (1, 2):
        bench.plug_in(a_dc_car(), evse)
        bench.present(f"TAG{evse}", evse)
    bench.advance(60)
    assert bench.values("Power.Active.Import") == [75_000.0, 75_000.0]
    bench.unplug(2)
    bench.advance(60)
    assert bench.values("Power.Active.Import")[-1] == 150_000.0


def test_a_fault_ends_the_transaction_and_is_told():
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.station.fail(bench.now, 1, "GroundFailure")
    bench.settle()
    assert bench.told("StatusNotification")[-1].error_code == "GroundFailure"
    assert bench.told("StopTransaction")
    bench.station.repair(bench.now, 1)
    bench.settle()
    assert bench.statuses()[-1] == "Finishing"


def test_readings_by_the_clock_fall_on_whole_intervals():
    bench = OnTheBench(fixed={"ClockAlignedDataInterval": "900", "MeterValueSampleInterval": "0"})
    bench.advance(100)
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(2_000)
    stamps = {v.timestamp for told in bench.told("MeterValues") for v in told.meter_value}
    assert stamps == {rfc3339(bench.now - 2_100_000 + k * 900_000) for k in (1, 2)}
    contexts = {s.context for told in bench.told("MeterValues") for v in told.meter_value for s in v.sampled_value}
    assert contexts == {"Sample.Clock"}


def test_a_stop_carries_the_readings_that_it_is_to_carry():
    bench = OnTheBench(fixed={"StopTxnSampledData": "Energy.Active.Import.Register"})
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(150)
    bench.present("TAG")
    data = bench.told("StopTransaction")[0].transaction_data
    contexts = [value.sampled_value[0].context for value in data]
    assert contexts == ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]


EVERYTHING = (
    "Energy.Active.Import.Register,Power.Active.Import,Power.Offered,Current.Import,Current.Offered,Voltage,SoC,"
    "Temperature"
)
