"""Peak tariffs: what the highest hours of a month cost."""

from dataclasses import replace

import pytest

from tests.local_time import HERE, at
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR
from voltbench.site.calendar import WORKING_DAYS, Window
from voltbench.site.peaks import Mean, PeakTariff, Weight, counted_room_w, means, monthly_peaks
from voltbench.site.series import StepSeries

THREE = PeakTariff(HERE, price_per_kw=80.0)
NIGHT_COUNTS_HALF = replace(THREE, weights=(Weight(Window(22 * 60, 6 * 60), 0.5),))
WORKING_HOURS = Window(7 * 60, 19 * 60, WORKING_DAYS, ((11, 1), (3, 31)))
WINTER_ONLY = replace(THREE, weights=(Weight(WORKING_HOURS, 1.0),), otherwise=0.0)


def hours(**powers_w):
    """Means by moments such as `d03h18`."""
    return [Mean(at(f"2026-01-{when[1:3]}T{when[4:]}:00"), power_w) for when, power_w in powers_w.items()]


MONTH = hours(d05h08=5e3, d05h09=4.9e3, d06h18=4e3, d07h23=6e3, d08h10=1e3)


def test_the_mean_of_the_three_highest_hours_of_different_days_is_billed():
    (january,) = monthly_peaks(MONTH, THREE)
    assert [peak.power_w for peak in january.peaks] == [6e3, 5e3, 4e3]
    assert (january.year, january.month, january.billed_w, january.cost) == (2026, 1, 5e3, 400.0)


def test_without_different_days_a_day_may_count_twice():
    (january,) = monthly_peaks(MONTH, replace(THREE, different_days=False))
    assert [peak.power_w for peak in january.peaks] == [6e3, 5e3, 4.9e3]


def test_at_night_half_of_the_power_counts():
    (january,) = monthly_peaks(MONTH, NIGHT_COUNTS_HALF)
    assert [peak.power_w for peak in january.peaks] == [5e3, 4e3, 3e3]


def test_outside_of_working_hours_in_winter_nothing_counts():
    (january,) = monthly_peaks(MONTH, WINTER_ONLY)
    assert [peak.power_w for peak in january.peaks] == [5e3, 4e3, 1e3]
    june = [Mean(at("2026-06-01T12:00"), 9e3)]
    assert monthly_peaks(june, WINTER_ONLY)[0].cost == 0.0


def test_months_are_local():
    night = [Mean(at("2026-01-31T23:00"), 1e3), Mean(at("2026-02-01T00:00"), 2e3)]
    assert [(bill.month, bill.billed_w) for bill in monthly_peaks(night, THREE)] == [(1, 1e3), (2, 2e3)]


def test_only_import_is_averaged_over_the_hours_of_the_clock():
    power_w = StepSeries(
        [(at("2026-01-05T08:00"), 10e3), (at("2026-01-05T08:30"), -4e3), (at("2026-01-05T09:00"), 2e3)]
    )
    found = means(power_w, at("2026-01-05T07:59"), at("2026-01-05T10:30"), THREE)
    assert found == [Mean(at("2026-01-05T08:00"), 5e3), Mean(at("2026-01-05T09:00"), 2e3)]
    assert means(power_w, at("2026-01-05T08:10"), at("2026-01-05T08:50"), THREE) == []


def test_a_month_of_constant_power_is_billed_for_it_whichever_way_clocks_go():
    for month, count in ((3, 743), (10, 745)):
        start, end = at(f"2026-{month:02}-01T00:00"), at(f"2026-{month + 1:02}-01T00:00")
        found = means(StepSeries.constant(3e3), start, end, THREE)
        assert len(found) == count == (end - start) / MS_PER_HOUR
        assert monthly_peaks(found, THREE)[0].billed_w == pytest.approx(3e3)


def test_how_much_may_count_of_an_hour_without_costing_more():
    noon = at("2026-01-09T12:00")
    assert counted_room_w(MONTH, noon, THREE) == 4e3
    assert counted_room_w(MONTH, at("2026-01-05T12:00"), THREE) == 5e3
    assert counted_room_w(MONTH, at("2026-01-08T12:00"), THREE) == 4e3
    assert counted_room_w(MONTH, at("2026-01-09T23:00"), NIGHT_COUNTS_HALF) == 3e3
    assert counted_room_w(MONTH, at("2026-01-07T22:00"), NIGHT_COUNTS_HALF) == 3e3
    assert counted_room_w(MONTH, at("2026-01-07T12:00"), NIGHT_COUNTS_HALF) == 3e3
    assert counted_room_w(MONTH, at("2026-01-05T23:00"), NIGHT_COUNTS_HALF) == 5e3
    assert counted_room_w(MONTH[:2], noon, THREE) == 0.0
    assert counted_room_w([], noon, THREE) == 0.0


@pytest.mark.parametrize("wrong", [{"count": 0}, {"otherwise": -1.0}])
def test_a_tariff_that_counts_nothing_or_backwards_is_refused(wrong):
    with pytest.raises(InvalidInput):
        replace(THREE, **wrong)
