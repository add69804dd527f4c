"""Charging profiles of OCPP 1.6: which are taken, which binds, and how many amperes there are on each phase."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from tests.builders import MIDNIGHT
from tests.ocpp16 import AC_22, DC_150, OnTheBench, a_dc_car, an_ac_car
from voltbench.charging.evse import Evse
from voltbench.charging.feed import Feed
from voltbench.charging.installed import InstalledProfiles
from voltbench.charging.powering import Powering
from voltbench.charging.station import StationModel
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import Instant, rfc3339

SMALL = msgspec.structs.replace(AC_22, max_power_w=22_080.0)
"""A station whose two connectors share what one of them could give."""

SWITCHING = msgspec.structs.replace(AC_22, switches_phases=True)


def charging(bench: OnTheBench, evse: int = 1, phases: int = 3, current_a: float = 32.0) -> OnTheBench:
    bench.plug_in(an_ac_car(phases=phases, current_a=current_a), evse)
    bench.present(f"TAG{evse}", evse)
    bench.advance(1)
    return bench


def a_profile(
    limit: float,
    purpose: m.ChargingProfilePurposeType = "TxDefaultProfile",
    *,
    id: int = 1,
    level: int = 0,
    unit: m.ChargingRateUnitType = "A",
    phases: int | None = None,
    least: float | None = None,
    transaction: int | None = None,
    valid_to: Instant | None = None,
) -> m.ChargingProfile:
    period = m.ChargingSchedulePeriod(start_period=0, limit=limit, number_phases=UNSET if phases is None else phases)
    return m.ChargingProfile(
        charging_profile_id=id,
        stack_level=level,
        charging_profile_purpose=purpose,
        charging_profile_kind="Absolute" if purpose == "ChargePointMaxProfile" else "Relative",
        charging_schedule=m.ChargingSchedule(
            charging_rate_unit=unit,
            charging_schedule_period=(period,),
            min_charging_rate=UNSET if least is None else least,
        ),
        transaction_id=UNSET if transaction is None else transaction,
        valid_to=UNSET if valid_to is None else rfc3339(valid_to),
    )


def install(bench: OnTheBench, evse: int, profile: m.ChargingProfile) -> Any:
    request = m.SetChargingProfile(connector_id=evse, cs_charging_profiles=profile)
    return bench.ask(request, m.SetChargingProfileResponse).status


def amperes(bench: OnTheBench, evse: int = 1) -> tuple[float, int]:
    """What each phase of a car carries, and how many of them."""
    reading = bench.station.life.evse(evse).feed.reading(bench.now)
    return round(reading.current_a, 3), reading.phases


def why(bench: OnTheBench, evse: int = 1) -> str:
    """What binds a car."""
    return bench.station.life.powering.why[evse]


def kept(bench: OnTheBench) -> list[str]:
    """The profiles that the station remembers."""
    return [key for key in bench.memory if key.startswith("profile/")]


def told(bench: OnTheBench, evse: int = 1, unit: m.ChargingRateUnitType = "A") -> tuple[float, Any]:
    """What the composite schedule begins with: its limit, and the phases it is on."""
    request = m.GetCompositeSchedule(connector_id=evse, duration=60, charging_rate_unit=unit)
    period = bench.ask(request, m.GetCompositeScheduleResponse).charging_schedule.charging_schedule_period[0]
    return period.limit, period.number_phases


# --- phases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_a_limit_in_amperes_holds_on_each_phase_of_any_car(phases):
    bench = charging(OnTheBench(), phases=phases)
    install(bench, 1, a_profile(16.0))
    assert amperes(bench) == (16.0, phases)


@pytest.mark.parametrize("phases", [1, 2])
def test_it_holds_beside_one_in_watts_that_is_less_on_three_phases(phases):
    bench = charging(OnTheBench(), phases=phases)
    install(bench, 1, a_profile(10.0))
    install(bench, 0, a_profile(6_000.0, "ChargePointMaxProfile", id=2, unit="W"))
    assert amperes(bench) == (10.0, phases)


def test_a_car_that_needs_more_phases_than_it_may_use_has_the_limit_on_the_one_it_gets():
    bench = charging(OnTheBench(SWITCHING))
    install(bench, 1, a_profile(16.0, phases=2))
    assert amperes(bench) == (16.0, 1)
    install(bench, 1, a_profile(16.0, phases=1))
    assert amperes(bench) == (16.0, 1)


@pytest.mark.parametrize("model", [AC_22, SWITCHING])
def test_sixteen_amperes_on_one_phase_are_told_as_such(model: StationModel):
    bench = charging(OnTheBench(model))
    install(bench, 1, a_profile(16.0, phases=1))
    assert told(bench) == (16.0, 1)
    assert told(bench, unit="W") == (3_680.0, 1)


def test_in_a_second_within_which_phases_change_the_fewest_are_told():
    bench = charging(OnTheBench())
    install(bench, 1, a_profile(16.0))
    install(bench, 1, a_profile(16.0, id=2, level=1, phases=1, valid_to=bench.now + 500))
    assert told(bench) == (16.0, 1)
    bench.advance(0.5)
    assert told(bench) == (16.0, UNSET)


def test_a_car_on_three_phases_under_a_limit_on_one_switches_or_waits():
    for model, drawn in ((SWITCHING, (16.0, 1)), (AC_22, (0.0, 3))):  # a third of 16 A is less than the least of 6 A
        bench = charging(OnTheBench(model))
        install(bench, 1, a_profile(16.0, phases=1))
        assert amperes(bench) == drawn


def test_amperes_stay_those_of_each_phase_where_another_profile_allows_fewer_phases():
    bench = charging(OnTheBench(SWITCHING))
    install(bench, 1, a_profile(10.0))
    install(bench, 0, a_profile(32.0, "ChargePointMaxProfile", id=2, phases=1))
    assert told(bench) == (10.0, 1)
    assert amperes(bench) == (10.0, 1)


# --- who is right ----------------------------------------------------------------------------------------------------


def test_a_connector_s_own_default_wins_over_the_station_s_at_the_same_level():
    for order in ((0, 1), (1, 0)):
        bench = charging(OnTheBench())
        for evse in order:
            install(bench, evse, a_profile(16.0 if evse == 0 else 8.0, id=10 + evse))
        assert amperes(bench)[0] == 8.0
        assert why(bench) == "TxDefaultProfile 11"


def test_no_connector_is_told_to_give_more_than_it_can():
    bench = OnTheBench()
    install(bench, 0, a_profile(60.0, "ChargePointMaxProfile"))
    assert told(bench) == (32.0, UNSET)
    assert told(bench, evse=0) == (60.0, UNSET)


def test_where_no_profile_speaks_a_connector_has_its_default_if_that_is_less_than_its_rating():
    for default_a, drawn_a, binds in ((10.0, 10.0, "default"), (40.0, 32.0, "rating")):
        bench = charging(OnTheBench(msgspec.structs.replace(AC_22, default_current_a=default_a)))
        assert (amperes(bench)[0], why(bench), told(bench)[0]) == (drawn_a, binds, drawn_a)
        install(bench, 1, a_profile(16.0, valid_to=bench.now + 60_000))
        assert (amperes(bench)[0], why(bench)) == (16.0, "TxDefaultProfile 1")
        bench.advance(60)
        assert (amperes(bench)[0], why(bench)) == (drawn_a, binds)


def test_a_profile_that_allows_more_than_the_rating_is_no_default():
    bench = charging(OnTheBench(msgspec.structs.replace(AC_22, default_current_a=10.0)))
    install(bench, 1, a_profile(60.0))
    assert (amperes(bench)[0], why(bench)) == (32.0, "rating")


def test_a_default_is_a_current():
    with pytest.raises(InvalidInput, match="default_current_a"):
        msgspec.structs.replace(AC_22, default_current_a=-1.0)


def test_a_profile_that_comes_again_at_another_connector_leaves_the_one_before():
    bench = charging(charging(OnTheBench()), evse=2)
    install(bench, 1, a_profile(8.0, id=7))
    install(bench, 2, a_profile(10.0, id=7))
    assert (amperes(bench)[0], amperes(bench, 2)[0]) == (32.0, 10.0)
    assert kept(bench) == ["profile/2/7"]


def test_clearing_a_stack_level_leaves_the_others():
    bench = charging(OnTheBench())
    install(bench, 1, a_profile(8.0, id=1, level=0))
    install(bench, 1, a_profile(12.0, id=2, level=1))
    clear = m.ClearChargingProfile(stack_level=1)
    assert bench.ask(clear, m.ClearChargingProfileResponse).status == "Accepted"
    assert amperes(bench)[0] == 8.0
    assert bench.ask(clear, m.ClearChargingProfileResponse).status == "Unknown"


# --- which are taken -------------------------------------------------------------------------------------------------


def test_a_profile_for_another_transaction_is_rejected():
    bench = charging(OnTheBench())
    assert install(bench, 1, a_profile(8.0, "TxProfile", transaction=999)) == "Rejected"
    assert amperes(bench)[0] == 32.0
    assert install(bench, 1, a_profile(8.0, "TxProfile", transaction=1001)) == "Accepted"
    assert amperes(bench)[0] == 8.0


def test_no_more_profiles_are_taken_than_may_be_installed():
    bench = OnTheBench(fixed={"MaxChargingProfilesInstalled": "2"})
    assert install(bench, 1, a_profile(8.0, id=1)) == "Accepted"
    assert install(bench, 2, a_profile(8.0, id=2)) == "Accepted"
    assert install(bench, 0, a_profile(8.0, id=3)) == "Rejected"
    assert install(bench, 1, a_profile(9.0, id=1)) == "Accepted"
    assert install(bench, 2, a_profile(9.0, id=4)) == "Accepted"  # in the place of the one at its level


def test_profiles_that_are_no_longer_valid_make_room_for_others():
    bench = OnTheBench(fixed={"MaxChargingProfilesInstalled": "2"})
    for evse in (1, 2):
        install(bench, evse, a_profile(8.0, id=evse, valid_to=bench.now + 60_000))
    bench.advance(59)
    assert install(bench, 0, a_profile(8.0, id=3)) == "Rejected"
    bench.advance(1)
    assert not kept(bench)
    assert install(bench, 0, a_profile(8.0, id=3)) == "Accepted"
    assert kept(bench) == ["profile/0/3"]


def test_and_for_that_of_a_remote_start():
    bench = OnTheBench(fixed={"MaxChargingProfilesInstalled": "1"})
    install(bench, 1, a_profile(8.0, valid_to=bench.now + 60_000))
    start = m.RemoteStartTransaction(connector_id=1, id_tag="APP", charging_profile=a_profile(10.0, "TxProfile", id=2))
    assert bench.ask(start, m.RemoteStartTransactionResponse).status == "Rejected"
    bench.advance(60)
    assert bench.ask(start, m.RemoteStartTransactionResponse).status == "Accepted"


def test_a_station_that_was_off_meanwhile_forgets_them_as_it_boots():
    bench = OnTheBench()
    install(bench, 1, a_profile(8.0, id=1, valid_to=bench.now + 60_000))
    install(bench, 1, a_profile(12.0, id=2, level=1))
    again = OnTheBench(memory=bench.memory, now=bench.now + 60_000)
    assert kept(again) == ["profile/1/2"]


@pytest.mark.parametrize(("allowed", "taken", "refused"), [("Current", "A", "W"), ("Power", "W", "A")])
def test_a_station_takes_profiles_only_in_a_unit_that_it_knows(allowed, taken, refused):
    bench = OnTheBench(fixed={"ChargingScheduleAllowedChargingRateUnit": allowed})
    assert install(bench, 1, a_profile(8_000.0, unit=refused)) == "Rejected"
    assert install(bench, 1, a_profile(8_000.0, unit=taken)) == "Accepted"


UNSOUND = {
    "level": a_profile(16.0, "TxProfile", level=9_999),
    "less than nothing": a_profile(-16.0, "TxProfile"),
    "kind": msgspec.structs.replace(a_profile(16.0, "TxProfile"), charging_profile_kind="Recurring"),
    "purpose": a_profile(16.0, "TxDefaultProfile"),
    "start": msgspec.structs.replace(
        a_profile(16.0, "TxProfile"),
        charging_schedule=m.ChargingSchedule(
            charging_rate_unit="A",
            charging_schedule_period=(m.ChargingSchedulePeriod(start_period=100, limit=16.0),),
        ),
    ),
}


@pytest.mark.parametrize("profile", UNSOUND.values(), ids=UNSOUND)
def test_a_remote_start_brings_no_profile_that_could_not_be_set(profile):
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    start = m.RemoteStartTransaction(connector_id=1, id_tag="APP", charging_profile=profile)
    assert bench.ask(start, m.RemoteStartTransactionResponse).status == "Rejected"
    assert not bench.told("StartTransaction")


# --- sharing ---------------------------------------------------------------------------------------------------------


def test_who_would_get_less_than_is_worth_while_waits():
    bench = charging(charging(OnTheBench(SMALL)), evse=2)
    assert (amperes(bench)[0], amperes(bench, 2)[0]) == (16.0, 16.0)
    install(bench, 2, a_profile(32.0, "TxProfile", least=20.0))
    assert (amperes(bench)[0], amperes(bench, 2)[0]) == (32.0, 0.0)
    assert bench.statuses(2)[-1] == "SuspendedEVSE"
    bench.unplug(1)
    assert amperes(bench, 2)[0] == 32.0


def test_what_is_worth_while_counts_though_the_station_s_limit_binds():
    bench = charging(charging(OnTheBench(SMALL)), evse=2)
    install(bench, 2, a_profile(32.0, "TxProfile", least=15.0))
    install(bench, 0, a_profile(28.0, "ChargePointMaxProfile", id=2))
    assert (amperes(bench)[0], amperes(bench, 2)[0]) == (28.0, 0.0)


def test_it_is_the_station_s_profile_that_binds_who_shares_what_it_leaves():
    bench = charging(charging(OnTheBench(SMALL)), evse=2)
    assert (why(bench), why(bench, 2)) == ("sharing", "sharing")
    install(bench, 0, a_profile(20.0, "ChargePointMaxProfile", id=5))
    assert (amperes(bench)[0], amperes(bench, 2)[0]) == (10.0, 10.0)
    assert (why(bench), why(bench, 2)) == ("ChargingStationMaxProfile 5", "ChargingStationMaxProfile 5")
    install(bench, 2, a_profile(8.0, "TxProfile", id=6))
    assert (why(bench), why(bench, 2)) == ("ChargingStationMaxProfile 5", "TxProfile 6")


def test_what_one_car_gives_up_as_it_fills_goes_to_the_other():
    bench = OnTheBench(DC_150)
    for evse, soc in ((1, 0.1), (2, 0.85)):
        bench.plug_in(a_dc_car(soc), evse)
        bench.present(f"TAG{evse}", evse)
    feeds = [evse.feed for evse in bench.station.life.evses]
    assert [feed.power_w(bench.now) for feed in feeds] == [75_000.0, 75_000.0]
    bench.advance(425)
    filling_w, full_w = (feed.power_w(bench.now) for feed in feeds)
    assert full_w < 50_000.0
    assert filling_w + full_w == pytest.approx(150_000.0, rel=0.01)


class Watched(Feed):
    """A feed that has written down after each of its changes what all of them together draw."""

    def watch(self, feeds: list[Watched], seen: list[float]) -> Watched:
        self.feeds, self.seen = feeds, seen
        return self

    def allow(self, now: Instant, power_w: float) -> None:
        super().allow(now, power_w)
        self.seen.append(sum(feed.power_w(now) for feed in self.feeds))


@pytest.mark.parametrize("first", [1, 2])
def test_nobody_is_raised_before_somebody_is_lowered(first):
    feeds: list[Watched] = []
    seen: list[float] = []
    feeds += [Watched(SMALL, connector).watch(feeds, seen) for connector in SMALL.connectors]
    evses = [Evse(id, feed) for id, feed in enumerate(feeds, 1)]
    powering = Powering(SMALL, evses, InstalledProfiles())
    for evse in sorted(evses, key=lambda evse: evse.id != first):
        evse.feed.plug_in(MIDNIGHT, str(evse.id), an_ac_car(current_a=32.0))
        evse.feed.switch(MIDNIGHT, True)
        powering.update(MIDNIGHT)
    assert [feed.power_w(MIDNIGHT) for feed in feeds] == [11_040.0, 11_040.0]
    assert max(seen) == SMALL.max_power_w
