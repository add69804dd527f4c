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
