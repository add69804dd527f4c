"""The stationary battery: a window, losses both ways, a reserve, and instants at which it is empty or full."""

from __future__ import annotations

from typing import Any

import pytest

from voltbench.quantities import MS_PER_HOUR
from voltbench.site.storage import Storage, StorageModel


def a_battery(**changes: float) -> StorageModel:
    facts: dict[str, Any] = {"capacity_wh": 100_000.0, "charge_max_w": 50_000.0, "discharge_max_w": 50_000.0} | changes
    return StorageModel("bess", "bess", **facts)


def test_it_is_empty_at_the_instant_its_usable_energy_is_spent_losses_included() -> None:
    battery = Storage(a_battery(discharge_efficiency=0.9), 0, soc=0.5)
    battery.set_power(0, -36_000.0)
    assert battery.next_wakeup() == MS_PER_HOUR
    battery.settle(MS_PER_HOUR)
    assert battery.soc(MS_PER_HOUR) == pytest.approx(0.1)
    assert battery.discharged_wh == pytest.approx(36_000.0)
    assert battery.offerable_w(MS_PER_HOUR) == 0.0


def test_it_never_fills_beyond_its_window() -> None:
    battery = Storage(a_battery(charge_efficiency=0.8, soc_max=0.9), 0, soc=0.5)
    battery.set_power(0, 80_000.0)
    assert battery.setpoint_w == 50_000.0
    assert battery.next_wakeup() == MS_PER_HOUR
    assert battery.soc(3 * MS_PER_HOUR) == pytest.approx(0.9)


def test_its_reserve_is_not_spent_on_cars() -> None:
    battery = Storage(a_battery(reserve_soc=0.4), 0, soc=0.5)
    battery.set_power(0, -10_000.0)
    assert battery.next_wakeup() == MS_PER_HOUR


def test_it_can_be_asked_to_offer_only_what_it_can_sustain() -> None:
    battery = Storage(a_battery(sustain_s=7_200.0), 0, soc=0.5)
    assert battery.offerable_w(0) == pytest.approx(20_000.0)


def test_once_it_has_stopped_offering_it_begins_again_with_clearly_more_than_it_keeps_back() -> None:
    battery = Storage(a_battery(), 0, soc=0.2)
    battery.kept_back_wh = 5_000.0
    battery.set_power(0, -50_000.0)
    stops_at = battery.next_wakeup()
    assert stops_at == MS_PER_HOUR // 10
    assert battery.offerable_w(stops_at - 1_000) == 50_000.0
    assert battery.offerable_w(stops_at) == 0.0
    battery.set_power(stops_at, 50_000.0)
    six_minutes = MS_PER_HOUR // 10
    assert battery.offerable_w(stops_at + six_minutes - 1_000) == 0.0
    assert battery.offerable_w(stops_at + six_minutes + 1_000) == 50_000.0


def test_a_small_window_does_not_keep_it_from_ever_offering_again() -> None:
    battery = Storage(a_battery(soc_min=0.94), 0)
    battery.kept_back_wh = 5_000.0
    battery.set_power(0, -50_000.0)
    battery.set_power(MS_PER_HOUR // 10, 50_000.0)
    assert battery.offerable_w(MS_PER_HOUR) == 50_000.0
