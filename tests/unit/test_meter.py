"""The record of what flowed."""

from __future__ import annotations

import pytest

from voltbench.site.meter import PowerRecord


def test_a_limit_at_an_instant_replaces_a_stretch_that_was_to_begin_a_thousandth_of_a_millisecond_later() -> None:
    record = PowerRecord()
    record.begin(0, 0.0, 1_000.0, 0.0)
    record.begin(0, 3_600_000.001, 90_000.0, 0.0)
    record.begin(0, 3_600_000.0, 9_000.0, 0.0)
    flowed = record.stretches(until=7_200_000)
    assert flowed.energy_wh().sum() == pytest.approx(10_000.0, abs=0.1)
