"""Samples of any grid add up to what flowed, and agree with a fine-grained sum where that is exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_scenario, a_site, a_storage, a_visit, at
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.scenario import run
from voltbench.site import sampling
from voltbench.site.meter import PowerRecord
from voltbench.site.sampling import (
    chosen,
    hours,
    power_at_w,
    sample_edges,
    sampled_energy_by_group_wh,
    sampled_energy_wh,
    sampled_mean,
)
from voltbench.site.series import StepSeries

UNTIL = MIDNIGHT + MS_PER_HOUR
STEPS_MS = st.sampled_from([1_000, 7_001, 10_000, 60_000, 90_000, 900_000, 3_600_000]) | st.integers(1_000, 3_600_000)
INSTANTS = st.integers(0, MS_PER_HOUR).map(float) | st.floats(0.0, MS_PER_HOUR)
POWERS_W = st.sampled_from([0.0, 11e3, 150e3, -50e3]) | st.floats(-400e3, 400e3)
GROWTHS = st.sampled_from([0.0, -1e-15, 1e-9]) | st.floats(-0.01, 0.001)


@st.composite
def records(draw):
    """Up to four sources, each with up to eight stretches that begin anywhere in an hour."""
    record = PowerRecord()
    for source in range(-1, draw(st.integers(0, 3))):
        for start in sorted(draw(st.lists(INSTANTS, max_size=8))):
            record.begin(source, MIDNIGHT + start, draw(POWERS_W), draw(GROWTHS))
    return record


@given(records(), STEPS_MS, st.integers(1, 50))
def test_the_samples_of_any_grid_add_up_to_what_flowed(record, every_ms, pairs_at_once):
    stretches = record.stretches(UNTIL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "PAIRS_AT_ONCE", pairs_at_once * 100)
        energy_wh = sampled_energy_wh(stretches, sample_edges(MIDNIGHT, UNTIL, every_ms))
    flowed_wh = stretches.energy_wh()
    assert energy_wh.sum() == pytest.approx(flowed_wh.sum(), rel=1e-9, abs=1e-12 * np.abs(flowed_wh).sum() + 1e-9)


@given(records(), STEPS_MS)
def test_what_each_group_drew_adds_up_to_the_whole(record, every_ms):
    stretches, edges = record.stretches(UNTIL), sample_edges(MIDNIGHT, UNTIL, every_ms)
    by_source_wh = sampled_energy_by_group_wh(stretches, stretches.source + 1, 4, edges)
    assert by_source_wh.sum(axis=0) == pytest.approx(sampled_energy_wh(stretches, edges), abs=1e-6)
    for source in range(-1, 3):
        flowed_wh = stretches.energy_wh()[stretches.source == source].sum()
        assert by_source_wh[source + 1].sum() == pytest.approx(flowed_wh, rel=1e-9, abs=1e-6)


@given(records(), st.integers(1, 59))
def test_a_part_of_the_time_holds_that_part_of_the_energy(record, minute):
    stretches, cut = record.stretches(UNTIL), MIDNIGHT + minute * MS_PER_MINUTE
    halves_wh = [sampled_energy_wh(stretches, np.array(edges)).sum() for edges in ([MIDNIGHT, cut], [cut, UNTIL])]
    assert sum(halves_wh) == pytest.approx(stretches.energy_wh().sum(), rel=1e-9, abs=1e-6)


@given(records())
def test_power_lies_between_what_it_is_just_after_and_just_before_the_events(record):
    """Between two events a sum of falling and rising exponentials is nowhere above its ends."""
    stretches = record.stretches(UNTIL)._replace(power_w=np.abs(record.stretches(UNTIL).power_w))
    events = np.unique(np.concatenate([stretches.start_ms, stretches.end_ms, [MIDNIGHT, UNTIL]]))
    peak_w = max(power_at_w(stretches, events).max(), power_at_w(stretches, events, before=True).max())
    edges = sample_edges(MIDNIGHT, UNTIL, 1_000)
    assert (sampled_energy_wh(stretches, edges) / hours(edges)).max() <= peak_w * (1 + 1e-9)


def test_an_exponential_within_one_sample_has_its_integral():
    record = PowerRecord()
    record.begin(0, MIDNIGHT + 0.25, 100e3, -0.001)
    record.begin(0, MIDNIGHT + 600_000.75, 0.0, 0.0)
    seconds = 600.0005
    expected_wh = 100e3 * (1 - np.exp(-0.001 * seconds)) / 0.001 / 3_600
    energy_wh = sampled_energy_wh(record.stretches(UNTIL), np.array([MIDNIGHT, UNTIL]))
    assert energy_wh == pytest.approx([expected_wh], rel=1e-12)


def test_intervals_keep_to_the_clock_and_end_with_the_time():
    edges = sample_edges(MIDNIGHT + 1, at(1) - 1, 15 * MS_PER_MINUTE)
    assert edges.tolist() == [MIDNIGHT + 1, at(0, 15), at(0, 30), at(0, 45), at(1) - 1]
    assert sample_edges(MIDNIGHT, at(0, 30), 15 * MS_PER_MINUTE).tolist() == [MIDNIGHT, at(0, 15), at(0, 30)]


def test_a_step_series_is_sampled_by_its_mean():
    series = StepSeries([(MIDNIGHT, 10.0), (at(0, 15), 30.0)])
    assert sampled_mean(series, np.array([MIDNIGHT, at(0, 10), at(0, 20), at(1)])) == pytest.approx([10, 20, 30])


@given(st.sampled_from([1_000, 60_000, 420_000, 3_600_000]))
def test_a_day_at_a_site_is_the_same_energy_on_any_sampling(every_ms):
    visits = [a_visit(f"visit-{i}", at(8, 11 * i), 1.0, soc=0.1 + 0.1 * i) for i in range(4)]
    outcome = run(a_scenario(visits, a_site(grid_w=180e3, storage=a_storage())))
    stretches = outcome.record.stretches(at(24))
    vehicles = chosen(stretches, stretches.source >= 0)
    drawn_wh = sum(visit.drawn_wh for visit in outcome.ledger)
    assert sampled_energy_wh(vehicles, sample_edges(at(0), at(24), every_ms)).sum() == pytest.approx(drawn_wh, rel=1e-8)
