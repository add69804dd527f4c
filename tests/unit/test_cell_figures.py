"""The figures made of a record."""

from __future__ import annotations

import numpy as np
import pytest

from voltbench.battery.analysis import difference, figures
from voltbench.battery.record import Ending, MadeWith, Record

MADE_WITH = MadeWith(
    simulator="by hand",
    version="0",
    model="none",
    solver="none",
    solver_version="0",
    electrode_points=1,
    particle_points=1,
    relative_tolerance=1e-4,
    absolute_tolerance=1e-4,
    parameters_hash="",
    input_hash="",
    solve_s=0.0,
)


def record(time_s: list[float], current_a: list[float], voltage_v: list[float]) -> Record:
    time, current, voltage = np.array(time_s), np.array(current_a), np.array(voltage_v)
    charge = np.concatenate(([0.0], np.cumsum((current[1:] + current[:-1]) / 2.0 * np.diff(time)))) / 3600.0
    columns = {"time_s": time, "current_a": current, "voltage_v": voltage, "charge_ah": charge}
    return Record(columns, Ending(reason="time_over", at_s=time_s[-1]), MADE_WITH)


def test_what_goes_in_and_what_comes_out_are_counted_apart():
    found = figures(record([0.0, 3600.0, 3600.0, 5400.0], [2.0, 2.0, -4.0, -4.0], [3.5, 3.5, 3.0, 3.0]))
    assert [found.charged_ah, found.discharged_ah] == pytest.approx([2.0, 2.0])
    assert [found.charged_wh, found.discharged_wh] == pytest.approx([7.0, 6.0])
    assert found.mean_voltage_v == pytest.approx(13.0 / 4.0)
    assert found.most_power_w == pytest.approx(12.0)


def test_a_current_that_turns_between_two_rows_is_cut_where_it_does():
    found = figures(record([0.0, 3600.0], [3.0, -1.0], [4.0, 4.0]))
    assert found.charged_ah == pytest.approx(3.0 * 0.75 / 2.0)
    assert found.discharged_ah == pytest.approx(1.0 * 0.25 / 2.0)


def test_two_records_are_compared_over_the_time_that_both_have():
    one = record([0.0, 10.0, 20.0], [1.0] * 3, [3.0, 3.1, 3.2])
    other = record([0.0, 10.0], [1.0] * 2, [3.0, 3.09])
    found = difference(one, other)
    assert found.compared_s == 10.0
    assert [found.most_mv, found.most_at_s] == pytest.approx([10.0, 10.0])
    assert found.rms_mv == pytest.approx(10.0 / 2.0**0.5)  # by trapezia of the square
