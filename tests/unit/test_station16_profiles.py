"""Charging profiles of OCPP 1.6 change the power that is drawn, and say why."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import Instant, rfc3339


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
    valid_to: Instant | None = None,
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
        valid_to=UNSET if valid_to is None else rfc3339(valid_to),
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


def periods(bench: OnTheBench, duration_s: int = 60, evse: int = 1) -> list[tuple[int, float]]:
    """What the composite schedule says, in A."""
    request = m.GetCompositeSchedule(connector_id=evse, duration=duration_s, charging_rate_unit="A")
    schedule = bench.ask(request, m.GetCompositeScheduleResponse).charging_schedule
    return [(p.start_period, p.limit) for p in schedule.charging_schedule_period]


def test_in_a_second_within_which_the_limit_changes_the_lowest_holds():
    bench = charging(OnTheBench())
    install(bench, 1, a_profile("TxDefaultProfile", (0, 6.0), (1, 16.0), (2, 32.0), (10, 8.0)))
    bench.advance(0.5)
    assert periods(bench) == [(0, 6.0), (1, 16.0), (2, 32.0), (9, 8.0)]
    assert periods(bench, 9) == [(0, 6.0), (1, 16.0), (2, 32.0)]
    assert periods(bench, 2) == [(0, 6.0), (1, 16.0)]
    assert periods(bench, 0) == [(0, 6.0)]


@pytest.mark.parametrize(("first", "then", "found"), [(9.0, 6.0, [(0, 9.0), (5, 6.0)]), (6.0, 9.0, [(0, 6.0)])])
def test_no_two_periods_begin_in_one_second(first, then, found):
    bench = charging(OnTheBench())
    install(bench, 1, a_profile("TxDefaultProfile", (0, 20.0)))
    install(bench, 1, a_profile("TxDefaultProfile", (0, then), id=2, level=1, valid_to=bench.now + 5_300))
    install(bench, 1, a_profile("TxDefaultProfile", (0, first), id=3, level=2, valid_to=bench.now + 5_100))
    assert periods(bench) == [*found, (6, 20.0)]


def test_what_is_told_is_never_more_than_may_be_drawn():
    bench = charging(OnTheBench())
    install(bench, 0, a_profile("TxDefaultProfile", (0, 6_955.0), (20, 11_040.0), unit="W"))
    assert periods(bench) == [(0, 10.0), (20, 16.0)]


def test_nor_less_by_a_rounding():
    bench = charging(charging(OnTheBench()), "OTHER", evse=2)
    install(bench, 1, a_profile("TxDefaultProfile", (0, 6.1)))
    install(bench, 2, a_profile("TxDefaultProfile", (0, 16.4), id=2))
    assert periods(bench, evse=0) == [(0, 22.5)]


def test_default_profiles_outlive_a_restart_and_those_of_a_transaction_do_not():
    bench = charging(OnTheBench())
    install(bench, 0, a_profile("TxDefaultProfile", (0, 10.0)))
    install(bench, 1, a_profile("TxProfile", (0, 7.0), id=2))
    again = charging(OnTheBench(memory=bench.memory, now=bench.now + 60_000))
    assert power(again) == 6_900.0


def test_what_a_profile_of_a_remote_start_has_replaced_does_not_return_after_a_kill():
    bench = OnTheBench()
    install(bench, 1, a_profile("TxDefaultProfile", (0, 10.0), id=7))
    bench.plug_in(an_ac_car())
    profile = a_profile("TxProfile", (0, 7.0), id=7)
    bench.ask(
        m.RemoteStartTransaction(connector_id=1, id_tag="A", charging_profile=profile), m.RemoteStartTransactionResponse
    )
    bench.settle()
    assert not any(key.startswith("profile/") for key in bench.memory)
