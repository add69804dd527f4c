"""What a station of OCPP 1.6 offers its cars, as its meter and its status tell it: they never contradict each other."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from tests.builders import a_vehicle_model
from tests.ocpp16 import AC_22, DC_150, OnTheBench, a_dc_car, an_ac_car
from voltbench.charging.vehicle import OnboardCharger, Vehicle
from voltbench.ocpp.v16 import messages as m

OFFERED = "Power.Offered,Current.Offered,Power.Active.Import"


def limited_to(bench: OnTheBench, amperes: float, phases: int | None = None) -> OnTheBench:
    period = m.ChargingSchedulePeriod(start_period=0, limit=amperes, number_phases=UNSET if phases is None else phases)
    profile = m.ChargingProfile(
        charging_profile_id=1,
        stack_level=0,
        charging_profile_purpose="TxDefaultProfile",
        charging_profile_kind="Relative",
        charging_schedule=m.ChargingSchedule(charging_rate_unit="A", charging_schedule_period=(period,)),
    )
    request = m.SetChargingProfile(connector_id=1, cs_charging_profiles=profile)
    assert bench.ask(request, m.SetChargingProfileResponse).status == "Accepted"
    bench.advance(70)
    return bench


def charging(vehicle: Vehicle, **keys: str) -> OnTheBench:
    bench = OnTheBench(DC_150 if vehicle.model.ac is None else AC_22, fixed={"MeterValuesSampledData": OFFERED} | keys)
    bench.plug_in(vehicle)
    bench.present("TAG")
    bench.advance(1)
    return bench


@pytest.mark.parametrize(("amperes", "phases"), [(5.9, None), (0.0, None), (16.0, 1)])
def test_less_than_can_be_signalled_is_no_offer(amperes: float, phases: int | None) -> None:
    bench = limited_to(charging(an_ac_car()), amperes, phases)
    assert bench.statuses()[-1] == "SuspendedEVSE"
    assert [bench.values(name)[-1] for name in OFFERED.split(",")] == [0.0, 0.0, 0.0]


def test_a_car_that_cannot_do_with_what_is_offered_is_the_one_that_waits() -> None:
    picky = Vehicle("picky", a_vehicle_model(ac=OnboardCharger(3, 16.0, min_current_a=8.0)), 0.2)
    bench = limited_to(charging(picky), 6.0)
    assert bench.statuses()[-1] == "SuspendedEV"
    assert bench.values("Current.Offered")[-1] == 6.0
    assert bench.values("Power.Active.Import")[-1] == 0.0
    limited_to(bench, 8.0)
    assert bench.statuses()[-1] == "Charging"


def test_on_dc_every_power_can_be_offered() -> None:
    bench = limited_to(charging(a_dc_car()), 2.0)
    assert bench.statuses()[-1] == "Charging"
    assert bench.values("Power.Offered")[-1] == pytest.approx(2.0 * 230.0 * 3, abs=0.1)


def test_a_measurand_can_be_asked_for_one_phase_alone() -> None:
    bench = charging(an_ac_car(phases=2), MeterValuesSampledData="Voltage.L1,Current.Import.L2,Current.Import.L3")
    bench.advance(70)
    told = [(v.measurand, v.phase, v.value) for v in bench.told("MeterValues")[-1].meter_value[0].sampled_value]
    assert told == [("Voltage", "L1-N", "230.0"), ("Current.Import", "L2", "16.00")], "the car does not use L3"
    wanted = m.ChangeConfiguration(key="MeterValuesSampledData", value="Current.Import,Voltage.L3,SoC.L1")
    assert bench.ask(wanted, m.ChangeConfigurationResponse).status == "Rejected"
