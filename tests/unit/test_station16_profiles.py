"""Charging profiles of OCPP 1.6 change the power that is drawn, and say why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import Instant


def charging(bench: OnTheBench, token: str = "TAG", evse: int = 1) -> OnTheBench:
    bench.plug_in(an_ac_car(), evse)
    bench.present(token, evse)
    bench.advance(1)
    return bench


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
