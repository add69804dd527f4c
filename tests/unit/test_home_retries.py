"""How soon a home station is asked again that failed, and what of its figures a client does not believe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.home_clients import Day
from voltbench.errors import RemoteProtocolError
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.retries import MOST_TRIES, Retries
from voltbench.running.home_client.wishes import Wishes


def pauses(tick_ms: float | None, seed: int = 1) -> list[float]:
    """The pauses until the station seems to be gone."""
    retries = Retries(seed)
    retries.tick_ms = tick_ms
    found = list[float]()
    while (pause_s := retries.missed(0.0, sum(found))) is not None:
        found.append(pause_s)
    return found


@pytest.mark.parametrize(("tick_ms", "longest_s"), [(None, 0.2), (100.0, 0.005), (1_000.0, 0.05), (900_000.0, 1.0)])
def test_pauses_grow_up_to_a_small_part_of_a_quarter_hour(tick_ms: float | None, longest_s: float):
    found = pauses(tick_ms)
    assert len(found) == MOST_TRIES - 1
    assert all(pause_s <= longest_s for pause_s in found)
    assert found[-1] >= longest_s / 2
    assert found[0] <= 0.02


def test_the_same_seed_pauses_the_same():
    assert pauses(1_000.0, seed=7) == pauses(1_000.0, seed=7) != pauses(1_000.0, seed=8)


def test_who_failed_for_long_is_gone_and_nobody_insists_until_it_answers():
    retries = Retries(1)
    assert retries.missed(0.0, 5.0) is None
    assert retries.missed(10.0, 10.0) is None
    retries.answered()
    assert retries.missed(20.0, 20.0) is not None
    assert (retries.asked, retries.failed) == (4, 3)


def test_who_says_nothing_for_long_is_not_asked_again_at_once():
    retries = Retries(1)
    retries.give_up()
    assert retries.missed(0.0, 0.1) is None


def test_more_than_a_battery_can_hold_is_not_believed():
    day = Day(Wishes())
    day.look()
    told = day.info()
    with pytest.raises(RemoteProtocolError, match=r"60 kWh are in a battery of 46.3 kWh"):
        day.client.told(day.wall, day.wall, replace(told, energy_wh=60_000.0))
    day.client.told(day.wall, day.wall, replace(told, energy_wh=51_810.0))  # 111.9 %, as the course's


def test_a_battery_that_no_car_has_is_not_believed():
    day = Day(Wishes())
    with pytest.raises(RemoteProtocolError, match=r"9.26 kWh are 0.002 % of its battery"):
        ChargingClient(Wishes()).meet(day.household(), 9_260.0, 0.000_02)
