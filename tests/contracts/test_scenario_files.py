"""Scenarios as files: what they mean, and that ours keep every law."""

import json
from math import inf

import pytest

from tests.scenario_texts import (
    ACN,
    CATALOG,
    DELTA,
    MONDAY,
    SHIFTS,
    SMALL,
    scenario,
    site,
    write,
)
from voltbench.adapters import station_json
from voltbench.adapters.scenario_files import built_in, load
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.scenario import Run, run
from voltbench.running.summary import summarize

# --- the format ------------------------------------------------------------------------------------------------------


def test_a_small_scenario_needs_few_words():
    small = scenario(SMALL)
    assert [place.connector for place in small.site.places] == ["ac-1:1", "ac-2:1", "ac-3:1"]
    assert (small.starts_at, small.ends_at) == (MONDAY, MONDAY + MS_PER_DAY)
    assert small.site.tree.bounds(MONDAY) == [inf]
    assert all(visit.id.startswith("workplace-2026-06-01") for visit in small.visits)


def test_stations_whose_connectors_share_power_are_limits_of_their_own():
    hub = scenario(SMALL.replace("wallbox-pulsar-plus-22", "alpitronic-hyc300"))
    assert [node.id for node in hub.site.tree.nodes] == ["grid", "ac-1", "ac-2", "ac-3"]
    model = CATALOG.station("alpitronic-hyc300")
    assert hub.site.tree.bounds(MONDAY)[1:] == [model.max_power_w / model.efficiency] * 3


def test_limits_of_several_sources_stand_side_by_side():
    tree = site("""
        [site]
        limit_w = 100_000
        limit_a = 160
        [[site.limits]]
        source = "operator"
        power_w = { daily = { "00:00" = 200_000, "17:00" = 60_000, "20:00" = 200_000 } }
        [[site.nodes]]
        id = "hall"
        limit_a = 63
    """).tree
    assert tree.sources_of("grid") == ["contract", "operator"]
    at_noon, at_six = tree.bounds(MONDAY + 12 * MS_PER_HOUR), tree.bounds(MONDAY + 18 * MS_PER_HOUR)
    assert (at_noon[:2], at_six[:2]) == ([100_000, inf], [60_000, inf])
    assert at_noon[2:] == [160, 160, 160, 63, 63, 63]


def test_phases_turn_from_station_to_station():
    turned = scenario(SMALL.replace("count = 3", 'count = 4\nrotation = "alternate"')).site.tree.outlets
    assert [turned[f"ac-{i}:1"].rotation for i in (1, 2, 3, 4)] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]


def test_a_quantity_may_differ_on_weekends():
    week = scenario("""
        [horizon]
        start = 2026-06-05
        days = 4
        [site]
        load_w = { daily = { "08:00" = 5, "18:00" = 1 }, weekend = { "10:00" = 2, "16:00" = 3 } }
    """ + SMALL).site.load_w  # fmt: skip
    friday = MONDAY + 4 * MS_PER_DAY
    hours = (0, 9, 20, 24 + 9, 24 + 11, 24 + 17, 72 + 7, 72 + 9)
    assert [week.at(friday + h * MS_PER_HOUR) for h in hours] == [1, 5, 1, 1, 2, 3, 3, 5]


@pytest.mark.parametrize(
    "load_w",
    [
        '{ steps = { "2026-06-01T12:00Z" = 2_000, "2026-06-01T06:00+00:00" = 1_000, "2026-06-01" = 0 } }',
        "{ values = [0, 1, 2], every_min = 360, scale = 1000 }",
        '{ daily = { "00:00" = 0, "06:00" = 1_000, "12:00" = 2_000 } }',
        '{ file = "load.csv" }',
        '{ file = "load.csv", column = "kw", scale = 1000 }',
    ],
)
def test_a_load_may_be_said_in_many_ways(tmp_path, load_w):
    wide = "column" in load_w
    text = "at;kw;note\n0;0;\n360;1;up\n2026-06-01T12:00;2;" if wide else "at,load_w\n0,0\n360,1000\n720,2000\n"
    (tmp_path / "load.csv").write_text(text)
    load = scenario(f"[site]\nload_w = {load_w}\n{SMALL}", tmp_path).site.load_w
    assert [load.at(MONDAY + h * MS_PER_HOUR) for h in (0, 5, 6, 11, 12, 23)] == [0, 0, 1_000, 1_000, 2_000, 2_000]


def test_local_time_is_that_of_the_start():
    east = scenario(
        'horizon.start = 2026-06-01T00:00:00+02:00\nsite.load_w = { daily = { "06:00" = 1, "18:00" = 2 } }' + SMALL
    )
    assert east.starts_at == MONDAY - 2 * MS_PER_HOUR
    assert [east.site.load_w.at(MONDAY + h * MS_PER_HOUR) for h in (3.9, 4, 15.9, 16)] == [2, 1, 1, 2]


def test_the_sun_shines_at_noon():
    generation_w = site("[site]\npv = { peak_w = 10_000, latitude_deg = 48.9 }\n").generation_w
    assert generation_w.at(MONDAY) == 0.0
    assert 7_000 < generation_w.at(MONDAY + 12 * MS_PER_HOUR) < 8_500


def test_a_battery_comes_from_the_catalog_or_is_written_out():
    named = site('[site.storage]\nmodel = "bess-200kwh-200kw"\nsoc = 0.5\n')
    assert (named.storage, named.storage_soc) == (CATALOG.storage("bess-200kwh-200kw"), 0.5)
    figures = 'capacity_wh = 50_000\ncharge_max_w = 10_000\ndischarge_max_w = 20_000\nsource = """its\nlabel"""\n'
    written = site(f"[site.storage]\n{figures}")
    assert (written.storage.capacity_wh, written.storage.soc_min, written.storage_soc) == (50_000, 0.1, None)


def test_control_is_said_in_seconds_and_minutes():
    control = "interval_s = 30\non_events = false\nby_rating = true\n"
    control += "rotation_min = 5\nminimum_on_min = 2\nminimum_off_min = 1\n"
    options = scenario(f'[control]\nstrategy = "edf"\nrecharge_band_w = 0\n{control}{SMALL}').options
    assert (options.strategy, options.interval_ms, options.on_events, options.by_rating) == ("edf", 30_000, False, True)
    assert (options.turns.rotation_ms, options.turns.minimum_on_ms, options.turns.minimum_off_ms) == (
        300_000,
        120_000,
        60_000,
    )
    assert options.recharge_band_w == 0.0


def test_prices_may_be_negative_and_change():
    tariff = scenario("[tariff]\nimport_price_per_kwh = { values = [0.2, -0.1] }\nco2_g_per_kwh = 40\n" + SMALL).tariff
    assert [tariff.import_price_per_kwh.at(MONDAY + h * MS_PER_HOUR) for h in (0, 1)] == [0.2, -0.1]
    assert tariff.export_price_per_kwh is None


def test_delta_lines_add_phasors():
    secondary, primary = scenario(DELTA).site.tree.lines
    balanced = [secondary.terms[id] for id in ("ab-1:1", "ca-1:1")]
    assert abs(sum(balanced)) == pytest.approx(3**0.5)
    assert set(secondary.terms) == {"ab-1:1", "ab-2:1", "ca-1:1", "ca-2:1"}
    assert set(primary.terms) == {"ab-1:1", "ca-2:1"}
    assert abs(primary.terms["ca-2:1"]) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["site.json.txt", "site", "site.jsonc", "SITE.JSON"])
def test_a_file_is_known_by_its_content(tmp_path, name):
    station = json.dumps(station_json.to_json(station_json.BASE_EXAMPLE))
    assert load(write(tmp_path, f"// ours\n{station}", name)).site.id == "ELECTRA_PARIS_15"
    assert len(load(write(tmp_path, SHIFTS, "shifts")).visits) == 12
    assert load(write(tmp_path, SMALL, "small")).name == "small"
    assert len(load(write(tmp_path, json.dumps([ACN]), "acn.txt")).visits) == 1


def test_the_caller_may_want_it_otherwise(tmp_path):
    file = write(tmp_path, SMALL)
    other = load(file, strategy="llf", seed=9, days=2, grid_limit_w=5_000)
    assert (other.options.strategy, other.seed, other.ends_at) == ("llf", 9, MONDAY + 2 * MS_PER_DAY)
    assert other.site.tree.bounds(MONDAY) == [5_000]
    assert other.visits != load(file).visits


# --- ours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", built_in())
def test_a_day_of_ours_keeps_every_limit_and_every_watt_hour(name):
    ours = load(name, days=1)
    living = Run(ours)
    for now in range(ours.starts_at, ours.ends_at + 1, 5 * MS_PER_MINUTE):
        living.world.advance(now)
        assert living.operation.excess(now)[0] <= 1e-6
    outcome = living.outcome()
    drawn_wh = dict.fromkeys(range(len(ours.visits)), 0.0)
    stretches = outcome.record.stretches(ours.ends_at)
    for source, energy_wh in zip(stretches.source.tolist(), stretches.energy_wh().tolist(), strict=True):
        drawn_wh[source] = drawn_wh.get(source, 0.0) + energy_wh
    told_wh = {record.id: record.drawn_wh for record in outcome.ledger}
    for number, visit in enumerate(ours.visits):
        assert drawn_wh[number] == pytest.approx(told_wh[visit.id], abs=0.01)
    assert sum(told_wh.values()) > 0
    assert outcome.tight_ms > 0  # ours are about sharing


@pytest.mark.parametrize("change", [{"seed": 3}, {"seed": 1, "strategy": "equal"}])
def test_at_no_instant_is_more_drawn_than_the_connection_holds(change):
    outcome = run(load("fast-charging-hub", **change))
    assert summarize(outcome).grid.peak_instant_w <= 400_000.0 + 1e-3
