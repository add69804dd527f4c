"""What a plan remembers of those who came and of what was imported: all it needs, and in a year no more than that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import MIDNIGHT, a_scenario, a_site, a_station_model, a_visit, at
from tests.local_time import HERE
from voltbench.chance import stream
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.balance import Balance
from voltbench.running.foresight import Foresight
from voltbench.running.newcomers import LOOKS_BACK
from voltbench.running.peak_meter import PeakMeter
from voltbench.running.scenario import Run
from voltbench.site.calendar import Window
from voltbench.site.peaks import PeakTariff, Weight, counted_room_w, means
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

LESS_AT_NIGHT = (Weight(Window(22 * 60, 6 * 60), 0.5),)
BOX = a_station_model(10_000.0, connectors=1)


@pytest.mark.parametrize("different_days", [True, False])
@pytest.mark.parametrize("interval_min", [15, 60])
def test_of_all_quarters_those_are_kept_that_count(different_days: bool, interval_min: int) -> None:
    quarters = 100 * 96
    loads_w = stream(7, "loads").integers(0, 40, quarters) * 250.0
    load_w = StepSeries((MIDNIGHT + i * 15 * MS_PER_MINUTE, float(w)) for i, w in enumerate(loads_w))
    peak = PeakTariff(HERE, 80.0, 3, different_days, LESS_AT_NIGHT, interval_ms=interval_min * MS_PER_MINUTE)
    tariff = Tariff(demand_price_per_kw=10.0, peak=peak)
    foresight = Foresight(a_site().tree, Balance({}, load_w=load_w), tariff, None)
    meter = PeakMeter(foresight.balance)
    for hour in range(0, 100 * 24, 5):
        now = MIDNIGHT + hour * MS_PER_HOUR + 20 * MS_PER_MINUTE
        meter.note(now, [], tariff)
        assert len(meter._quarters_wh) <= 4
        assert len(meter._counted) <= peak.count
        if hour % 195 == 0:
            until = now // peak.interval_ms * peak.interval_ms
            month = max(MIDNIGHT + 20 * MS_PER_MINUTE, now - 32 * MS_PER_DAY)
            told = counted_room_w(means(load_w, month, until, peak), now, peak) if until > month else 0.0
            assert counted_room_w(meter._counted, now, peak) == pytest.approx(told)
            over_w = [loads_w[1] * 2 / 3, *loads_w[2 : hour * 4 + 1]] if hour else []
            assert meter._highest_wh * 4 == pytest.approx(np.max(over_w, initial=0.0)), "it began at twenty past"


def test_a_site_forgets_those_who_have_gone_and_looks_at_those_who_came_last() -> None:
    visits = [
        a_visit(f"car-{i}", at(0, 3 * i), stays_h=0.04, asked_wh=300.0 if i < 400 else 100.0) for i in range(1_300)
    ]
    run = Run(a_scenario(visits, a_site(40_000.0, 2, BOX), "planned", hours=24 * 3))
    run.world.advance(run.scenario.ends_at)
    assert run.operation._plan is not None
    newcomers = run.operation._plan._newcomers
    assert len(newcomers._seen) <= 2
    assert len(newcomers._came) == LOOKS_BACK
    expected = newcomers.expected()
    assert expected is not None
    assert expected.needed_wh == pytest.approx(100.0)


def test_a_car_that_stays_is_seen_once_however_many_come_and_go() -> None:
    there = a_visit("there", at(0), stays_h=20, asked_wh=30_000)
    others = [a_visit(f"car-{i}", at(1, 5 * i), stays_h=0.05, asked_wh=100.0) for i in range(100)]
    scenario = a_scenario([there, *others], a_site(40_000.0, 3, BOX), "planned")
    dear_until_evening = Tariff(import_price_per_kwh=StepSeries([(at(0), 0.5), (at(15), 0.1)]))
    run = Run(replace(scenario, tariff=dear_until_evening))
    run.world.advance(at(14))
    assert run.operation._plan is not None
    assert len(run.operation._plan._newcomers._came) == 101
