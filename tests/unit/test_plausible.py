"""A record that breaks a law is not believed, and which law is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.test_cell_figures import record
from voltbench.battery.plausible import require_plausible
from voltbench.battery.record import Floats, Record
from voltbench.errors import Failed

HOURLY = record([0.0, 1800.0, 3600.0, 7200.0], [2.0, 2.0, -2.0, -2.0], [3.0, 3.4, 3.2, 2.6])
"""Half an hour in, a turn, an hour out; nothing is off."""


def believed(one: Record) -> None:
    require_plausible(one, 2.5, 4.2, 5.0)


def with_row(name: str, row: int, found: float) -> Record:
    columns = {key: column.copy() for key, column in HOURLY.columns.items()}
    columns[name][row] = found
    return replace(HOURLY, columns=columns)


def with_charge(off: Callable[[Floats], Floats]) -> Record:
    return replace(HOURLY, columns={**HOURLY.columns, "charge_ah": off(HOURLY.columns["charge_ah"])})


def test_what_keeps_every_law_is_believed():
    believed(HOURLY)


@pytest.mark.parametrize("found", [2.49, 4.21, 2.5 - 1.1e-3, 4.2 + 1.1e-3])
def test_a_voltage_outside_its_limits_is_not(found):
    with pytest.raises(Failed, match=f"the voltage is {found:.4f} V, outside 2.5 to 4.2 V"):
        believed(with_row("voltage_v", 1, found))


@pytest.mark.parametrize("found", [2.5 - 0.9e-3, 2.5, 4.2, 4.2 + 0.9e-3])
def test_a_voltage_at_its_limits_is(found):
    believed(with_row("voltage_v", 1, found))


def test_a_current_that_the_cell_is_not_described_for_is_not():
    require_plausible(HOURLY, 2.5, 4.2, 5.0, 2.0)
    with pytest.raises(Failed, match=r"the current is 2 A or 0.40C, more than the 0.3C or 1.5 A"):
        require_plausible(HOURLY, 2.5, 4.2, 5.0, 1.5)


@pytest.mark.parametrize(
    "off",
    [lambda ah: -ah, lambda ah: 1.01 * ah, lambda ah: 0.0 * ah, lambda ah: ah + 0.01 * (np.arange(len(ah)) == 2)],
    ids=["turned", "one percent", "none", "in one row"],
)
def test_charge_that_is_not_what_the_current_adds_up_to_is_not(off):
    with pytest.raises(Failed, match=r"charge is .* Ah off"):
        believed(with_charge(off))


def test_charge_that_a_tolerance_leaves_and_one_that_began_elsewhere_is():
    believed(with_charge(lambda ah: 1.0005 * ah))
    believed(with_charge(lambda ah: ah + 3.0))


@pytest.mark.parametrize("name", ["time_s", "current_a", "voltage_v", "charge_ah"])
@pytest.mark.parametrize("found", [np.nan, np.inf])
def test_what_is_not_finite_is_not(name, found):
    with pytest.raises(Failed, match=f"{name} is not finite"):
        believed(with_row(name, 2, found))


def test_time_that_runs_backwards_is_not_and_two_rows_at_once_are():
    with pytest.raises(Failed, match="backwards"):
        believed(with_row("time_s", 2, 1700.0))
    believed(record([0.0, 60.0, 60.0, 90.0], [1.0, 1.0, 2.0, 2.0], [3.0, 3.1, 3.2, 3.3]))


def test_a_record_has_rows():
    with pytest.raises(Failed, match="empty"):
        believed(replace(HOURLY, columns={name: column[:0] for name, column in HOURLY.columns.items()}))
