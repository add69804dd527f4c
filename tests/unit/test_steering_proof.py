"""What a reading of a station proves of the limit that it holds: nothing, unless it has surely taken that limit."""

from __future__ import annotations

import pytest

from tests.builders import MIDNIGHT, a_site
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import SetLimit
from voltbench.running.steering import Command, ReadMeter, SetPower, Steering

ONE = StationModel("one", "one", 22_080.0, (ConnectorModel("sType2", 22_080.0),), "made up", step_a=0.1)


def two_stations(*, charges: bool = True) -> tuple[Steering, HostedSite]:
    """A site of two stations that have taken their failsafe; at the first a car charges with all that there is."""
    plan = HostedPlan(a_site(22_080.0, 2, ONE), ControlOptions(confirmation=Confirmation.REPORTED), validity_ms=60_000)
    site = HostedSite(plan, MIDNIGHT)
    steering = Steering(site, {"CP-1": "station-1", "CP-2": "station-2"})
    for id in ("CP-1", "CP-2"):
        steering.arrived(MIDNIGHT, id)
        (failsafe,) = steering.commands()
        steering.answered(MIDNIGHT, failsafe, True)
    if not charges:
        return steering, site
    steering.started(MIDNIGHT, "CP-1", 1, "7", 22_080.0)
    (limit,) = steering.commands()
    assert isinstance(limit, SetPower)
    assert limit.power_w == 22_080.0
    steering.answered(MIDNIGHT, limit, True)
    return steering, site


def limits(commands: list[Command]) -> list[tuple[str, float]]:
    return [(one.station, one.power_w) for one in commands if isinstance(one, SetPower)]


def test_a_reading_while_a_limit_is_under_way_proves_nothing_about_it():
    """The car rests, and draws all that it may once more as soon as it likes."""
    steering, _ = two_stations()
    steering.started(MIDNIGHT + 1_000, "CP-2", 1, "8", 22_080.0)
    lower, nothing = (one for one in steering.commands() if isinstance(one, SetPower))
    assert limits([lower, nothing]) == [("CP-1", 11_040.0), ("CP-2", 0.0)]
    steering.answered(MIDNIGHT + 1_000, nothing, True)
    for second in range(2, 30):
        steering.measured(MIDNIGHT + second * 1_000, "CP-1", 1, "7", 3_000.0, MIDNIGHT + second * 1_000)
        steering.renew(MIDNIGHT + second * 1_000)
        assert limits(steering.commands()) == []
    steering.answered(MIDNIGHT + 30_000, lower, True)
    raised: list[tuple[str, float]] = []
    for second in (31, 32, 33):
        for id, transaction, power_w in (("CP-1", "7", 3_000.0), ("CP-2", "8", 0.0)):
            steering.measured(MIDNIGHT + second * 1_000, id, 1, transaction, power_w, MIDNIGHT + second * 1_000)
            commands = steering.commands()
            raised += limits(commands)
            for command in commands:
                steering.answered(MIDNIGHT + second * 1_000, command, True)
    assert ("CP-2", 11_040.0) in raised


@pytest.mark.parametrize("answer", [False, None], ids=["refused", "not answered"])
def test_a_reading_proves_nothing_about_a_limit_that_was_not_taken(answer):
    steering, _ = two_stations()
    steering.started(MIDNIGHT + 1_000, "CP-2", 1, "8", 22_080.0)
    for second in range(1, 8):
        now = MIDNIGHT + second * 1_000
        for command in steering.commands():
            if isinstance(command, SetPower):
                assert command.station == "CP-1" or command.power_w == 0.0
                steering.answered(now, command, answer if command.station == "CP-1" else True)
        steering.measured(now, "CP-1", 1, "7", 3_000.0, now)
        steering.renew(now)


@pytest.mark.parametrize("behind_s", [0, 20, 30])
def test_what_an_operator_has_closed_counts_until_its_limit_has_ended(behind_s: int):
    """A car that draws on all the same tells so, and is told nothing more; its limit ends by its station's clock."""
    steering, _ = two_stations()
    steering.closed(MIDNIGHT + 1_000, "CP-1", "7")
    steering.started(MIDNIGHT + 2_000, "CP-2", 1, "8", 22_080.0)
    raised_at = None
    for second in range(2, 100):
        now = MIDNIGHT + second * 1_000
        for command in steering.commands():
            if isinstance(command, SetPower):
                assert command.station == "CP-2"
                raised_at = raised_at or (second if command.power_w > 0.0 else None)
                steering.answered(now, command, True)
        steering.measured(now, "CP-1", 1, "7", 22_080.0, now - behind_s * 1_000)
        steering.measured(now, "CP-2", 1, "8", 0.0, now)
        steering.renew(now)
    assert raised_at is not None
    assert 61 <= raised_at - behind_s <= 62, "60 s after it was told, which is for how long a limit holds here"


def raised_at_4_s(steering: Steering, site: HostedSite) -> SetPower:
    """The command that lets a car have 22 kW again, which rested below 11 kW; nobody has answered it yet."""
    site.take(MIDNIGHT + 1_000, SetLimit("grid", "operator", 11_040.0))
    (lower,) = steering.commands()
    steering.answered(MIDNIGHT + 1_000, lower, True)
    for second in (2, 3):
        steering.measured(MIDNIGHT + second * 1_000, "CP-1", 1, "7", 3_000.0, MIDNIGHT + second * 1_000)
    site.take(MIDNIGHT + 4_000, SetLimit("grid", "operator", None))
    (higher,) = (one for one in steering.commands() if isinstance(one, SetPower))
    assert higher.power_w == 22_080.0
    return higher


def test_a_station_that_is_mute_to_a_raise_counts_with_the_higher_limit():
    steering, site = two_stations()
    steering.answered(MIDNIGHT + 4_000, raised_at_4_s(steering, site), None)
    steering.started(MIDNIGHT + 5_000, "CP-2", 1, "8", 22_080.0)
    nobody_is_given_what_a_resting_car_may_draw(steering, 6)


def test_a_reading_that_is_told_long_after_proves_nothing():
    steering, _ = two_stations()
    steering.measured(MIDNIGHT + 40_000, "CP-1", 1, "7", 3_000.0, MIDNIGHT + 20_000)
    steering.renew(MIDNIGHT + 40_000)
    assert limits(steering.commands()) == [], "it is not heard of, and its limit ends"
    steering.measured(MIDNIGHT + 41_000, "CP-1", 1, "7", 3_000.0, MIDNIGHT + 41_000)
    assert limits(steering.commands()) == [("CP-1", 22_080.0)]


def given_to_the_other(steering: Steering, seconds: range, off_s: int) -> set[float]:
    """The limits of the second station, while the first one's car rests; it tells so, by its clock, and no more."""
    given = set[float]()
    for second in seconds:
        now = MIDNIGHT + second * 1_000
        steering.measured(now, "CP-1", 1, "7", 3_000.0, now + off_s * 1_000)
        steering.renew(now)
        for command in steering.commands():
            if isinstance(command, SetPower):
                steering.answered(now, command, None if command.station == "CP-1" else True)
                given |= {command.power_w} if command.station == "CP-2" else set()
    return given


def test_a_clock_that_is_found_to_be_off_is_told_its_limit_anew():
    steering, _ = two_stations()
    steering.measured(MIDNIGHT + 5_000, "CP-1", 1, "7", 3_000.0, MIDNIGHT + 3_605_000)
    (anew,) = (one for one in steering.commands() if isinstance(one, SetPower))
    assert anew.since == MIDNIGHT + 5_000
    assert steering.by_its_clock(anew).since == MIDNIGHT + 3_605_000
    steering.answered(MIDNIGHT + 5_000, anew, False)
    steering.started(MIDNIGHT + 6_000, "CP-2", 1, "8", 22_080.0)
    assert given_to_the_other(steering, range(7, 12), 3_600) == {0.0}, "the limit before may hold still"


def test_by_a_clock_that_is_found_to_be_behind_the_limits_before_end_late():
    """The first one ends at 58 s, which that clock says 20 s later."""
    steering, _ = two_stations()
    assert given_to_the_other(steering, range(20, 31, 10), -20) == set()
    steering.started(MIDNIGHT + 31_000, "CP-2", 1, "8", 22_080.0)
    assert given_to_the_other(steering, range(32, 80), -20) == {0.0}
    assert given_to_the_other(steering, range(80, 90), -20) == {11_040.0}


def test_who_takes_limits_after_all_is_read_twice():
    """What it could draw while it refused is only free when it has told what it draws since."""
    steering, site = two_stations(charges=False)
    steering.started(MIDNIGHT, "CP-1", 1, "7", 22_080.0)
    for second in (0, 10, 20):
        steering.renew(MIDNIGHT + second * 1_000)
        (refused,) = (one for one in steering.commands() if isinstance(one, SetPower))
        steering.answered(MIDNIGHT + second * 1_000, refused, False)
    assert site.status(MIDNIGHT + 20_000).chargers[0].refuses_limits
    steering.renew(MIDNIGHT + 30_000)
    (taken,) = (one for one in steering.commands() if isinstance(one, SetPower))
    steering.answered(MIDNIGHT + 30_000, taken, True)
    for second, is_asked in ((31, True), (32, True), (33, False)):
        assert (ReadMeter("CP-1", 1) in steering.commands()) is is_asked
        steering.measured(MIDNIGHT + second * 1_000, "CP-1", 1, "7", 0.0, MIDNIGHT + second * 1_000)


def test_a_limit_that_comes_as_a_transaction_ends_makes_no_refuser():
    steering, site = two_stations()
    steering.started(MIDNIGHT + 1_000, "CP-2", 1, "8", 22_080.0)
    for command in steering.commands():
        steering.answered(MIDNIGHT + 1_000, command, False)
    steering.ended(MIDNIGHT + 2_000, "CP-1", "7")
    assert not any(charger.refuses_limits for charger in site.status(MIDNIGHT + 2_000).chargers)


# --- what was said before the line was lost, or before we were there ------------------------------------------------


def nobody_is_given_what_a_resting_car_may_draw(steering: Steering, since_s: int) -> None:
    """The first station is back, has not taken its failsafe yet, and tells that its car rests."""
    for second in range(since_s, since_s + 6):
        now = MIDNIGHT + second * 1_000
        for command in steering.commands():
            if isinstance(command, SetPower):
                assert (command.station, command.power_w) == ("CP-2", 0.0)
                steering.answered(now, command, True)
        steering.measured(now, "CP-1", 1, "7", 3_000.0, now)
        steering.renew(now)


def comes_back(steering: Steering, second: int) -> None:
    steering.left("CP-1")
    steering.arrived(MIDNIGHT + second * 1_000, "CP-1")


def test_a_lower_limit_that_went_with_the_line_may_not_have_arrived():
    steering, _ = two_stations()
    steering.started(MIDNIGHT + 1_000, "CP-2", 1, "8", 22_080.0)
    lower, nothing = (one for one in steering.commands() if isinstance(one, SetPower))
    steering.answered(MIDNIGHT + 1_000, nothing, True)
    assert limits([lower]) == [("CP-1", 11_040.0)]
    comes_back(steering, 2)
    nobody_is_given_what_a_resting_car_may_draw(steering, 3)


def test_a_higher_limit_that_went_with_the_line_may_have_arrived():
    steering, site = two_stations()
    raised_at_4_s(steering, site)
    comes_back(steering, 5)
    steering.started(MIDNIGHT + 6_000, "CP-2", 1, "8", 22_080.0)
    nobody_is_given_what_a_resting_car_may_draw(steering, 7)


def test_what_a_station_held_before_a_restart_it_may_hold_until_it_takes_another():
    steering, _ = two_stations(charges=False)
    steering.take_up(MIDNIGHT, "CP-1", 1, "7", 22_080.0, 22_080.0, MIDNIGHT + 50_000)
    steering.started(MIDNIGHT + 1_000, "CP-2", 1, "8", 22_080.0)
    comes_back(steering, 2)
    nobody_is_given_what_a_resting_car_may_draw(steering, 3)
