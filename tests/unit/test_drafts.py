"""What a plan is measured by: how much a session can still draw in time, and what a higher peak adds to the bill."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders import a_scenario, a_site, a_station_model, a_vehicle_model, a_visit, at
from voltbench.energy.arrays import Floats
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant
from voltbench.running.foresight import Outlook
from voltbench.running.needs import SPARE_MS, need_of
from voltbench.running.peak_terms import Ceiling, Charge, PeakTerms
from voltbench.running.scenario import Run
from voltbench.site.sampling import hours

# --- what a session needs ---------------------------------------------------------------------------------------------


def a_run(knee_soc: float, asked_wh: float = 40_000.0) -> Run:
    model = a_vehicle_model("car", 55_000.0, 10_000.0, knee_soc)
    visit = a_visit(stays_h=12, asked_wh=asked_wh, soc=0.1, model=model)
    run = Run(a_scenario([visit], a_site(40_000.0, 1, a_station_model(10_000.0, connectors=1))))
    run.world.advance(at(8))
    return run


def test_who_takes_the_same_throughout_is_ready_a_quarter_of_an_hour_early() -> None:
    need = need_of(at(8), a_run(knee_soc=0.95).operation.bay("visit-1"), None)
    assert need is not None
    assert need.most_w == pytest.approx(10_000.0)
    assert need.ready_by == pytest.approx(at(20) - SPARE_MS, abs=1_000)


@pytest.mark.parametrize("held_h", [0.0, 3.0, 5.0])
def test_who_has_to_be_ready_early_could_begin_as_late_as_that_and_still_have_all(held_h: float) -> None:
    """All that is left, at what it takes now, until it is to be ready: from then on its taper is all that is left."""
    run = a_run(knee_soc=0.3)
    bay, now = run.operation.bay("visit-1"), at(8 + held_h)
    run.operation.tree.set_limit("grid", "operator", 3_000.0)
    run.operation.limits_changed(at(8))
    run.world.advance(now)
    need = need_of(now, bay, None)
    assert need is not None
    begins_by: Instant = need.ready_by - round(need.needed_wh / need.most_w * MS_PER_HOUR)
    lasts_ms = bay.session.quickest_s(now) * MS_PER_SECOND
    assert begins_by + lasts_ms == pytest.approx(at(20) - SPARE_MS, abs=2_000)


# --- what a higher peak costs -----------------------------------------------------------------------------------------


def an_outlook(background_w: list[float]) -> Outlook:
    count = len(background_w)
    edges = at(20) + np.arange(count + 1, dtype=np.int64) * MS_PER_HOUR
    nothing = np.zeros(count)
    return Outlook(edges, hours(edges), np.zeros((0, count)), np.array(background_w), nothing, nothing, nothing)


def two_days(count: int = 3, paid_w: tuple[float, float] = (6_000.0, 1_000.0)) -> PeakTerms:
    """Two hours of today, of which 6 kW are paid already, and two of tomorrow."""
    peak_of = np.array([0, 0, 1, 1])
    return PeakTerms([Charge(10.0, count, np.array([1.0, 1.0, 1.0, 0.5]), peak_of, np.array(paid_w))])


def drawn(*power_w: float) -> Floats:
    return np.array([power_w])


@pytest.mark.parametrize(
    ("power_w", "cost"),
    [
        ((5_000.0, 0.0, 0.0, 0.0), 0.0),  # with 1 kW of its own, that is paid
        ((7_000.0, 7_000.0, 0.0, 0.0), 20.0),
        ((0.0, 0.0, 2_000.0, 5_000.0), 20.0),  # in the last hour half of it counts
        ((7_000.0, 0.0, 2_000.0, 0.0), 40.0),
    ],
)
def test_each_day_costs_what_it_rises_above_what_is_paid_of_it(power_w: tuple[float, ...], cost: float) -> None:
    assert two_days().cost(an_outlook([1_000.0] * 4), drawn(*power_w)) == pytest.approx(cost)


def test_no_more_days_are_billed_than_count() -> None:
    assert two_days(count=1).cost(an_outlook([1_000.0] * 4), drawn(7_000, 0, 4_000, 0)) == pytest.approx(40.0)


def test_a_ceiling_leaves_what_is_paid_and_is_the_same_for_all_days_or_one() -> None:
    outlook = an_outlook([1_000.0] * 4)
    assert two_days().site_w(outlook, Ceiling(0.0)).tolist() == [5_000.0, 5_000.0, 0.0, 1_000.0]
    assert two_days().site_w(outlook, Ceiling(8_000.0)).tolist() == [7_000.0, 7_000.0, 7_000.0, 15_000.0]
    assert two_days().site_w(outlook, Ceiling(8_000.0, only=1)).tolist() == [5_000.0, 5_000.0, 7_000.0, 15_000.0]
