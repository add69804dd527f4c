"""Scenarios as files: what they mean, what is refused and how, and that ours keep every law."""

import json
import tomllib
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltbench.adapters import station_json
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files import built_in, load, toml_file
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.charging.path import path_to_pack
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, instant_of
from voltbench.running.scenario import Run, run
from voltbench.running.summary import summarize
from voltbench.running.visits import Ending

CATALOG = Catalog()
MONDAY = instant_of(datetime(2026, 6, 1, tzinfo=UTC))
OURS_FOLDER = Path(str(built_in()["depot"])).parent
SHIFTS = (OURS_FOLDER / "depot-shifts.csv").read_text()
REAL = Path("/work/shared/data/acn_real_3d.json")

SMALL = """
[[stations]]
id = "ac"
model = "wallbox-pulsar-plus-22"
count = 3

[arrivals]
pattern = "workplace"
per_day = 5
"""


def write(folder, text, name="scenario.toml"):
    (folder / name).write_text(text)
    return folder / name


def scenario(text, folder=Path(), **changes):
    return toml_file.scenario_of(tomllib.loads(text), "test", folder, Changes(**changes), CATALOG)


def site(text):
    return scenario(text + SMALL).site


def refusal(action, *arguments, **more):
    with pytest.raises(InvalidInput) as caught:
        action(*arguments, **more)
    return caught.value


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


DELTA = """
[[site.lines]]
id = "secondary L1"
limit_a = 100
line = "L1"
terms = [{ of = "ab", pair = "L1-L2" }, { of = "ca", pair = "L3-L1" }]

[[site.lines]]
id = "primary L1"
limit_a = 30
terms = [{ of = "ab-1", magnitude = 0.25, angle_deg = 30 }, { of = "ca-2:1", magnitude = 0.5, angle_deg = -30 }]

[[stations]]
id = "ab"
model = "clippercreek-hcs-40"
count = 2

[[stations]]
id = "ca"
model = "clippercreek-hcs-40"
count = 2

[arrivals]
pattern = "workplace"
mix = { chevrolet-bolt-ev-66 = 1 }
"""


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


# --- recorded sessions -----------------------------------------------------------------------------------------------

ACN = {
    "id": "s1", "evse": 2, "arrive_min": 480, "depart_min": 600, "kwh": 7.5,
    "capacity_kwh": 40, "init_kwh": 10, "max_kw": 6.6,
}  # fmt: skip
OURS = """\
id,vehicle,connector,arrives_at,departs_at,soc,asked_wh
a,kia-ev6-77,ac-2,2026-06-01T08:00,2026-06-01T10:00,0.3,7500
"""


def recorded(folder, sessions, name="sessions.json"):
    text = sessions if isinstance(sessions, str) else json.dumps({"sessions": sessions, "source": "us"})
    write(folder, text, name)
    toml = SMALL.replace('pattern = "workplace"\nper_day = 5', f'sessions = "{name}"')
    return load(write(folder, toml))


def test_acn_sessions_become_two_stage_vehicles(tmp_path):
    (visit,) = recorded(tmp_path, [ACN]).visits
    assert (visit.connector, visit.asked_wh, visit.vehicle.soc) == ("ac-3:1", 7_500.0, 0.25)
    assert (visit.arrives_at, visit.departs_at) == (MONDAY + 8 * MS_PER_HOUR, MONDAY + 10 * MS_PER_HOUR)
    curve = visit.vehicle.model.curve
    assert [round(curve.power_at(wh), 6) for wh in (0.0, 32_000.0, 36_000.0, 40_000.0)] == [
        6_600.0,
        6_600.0,
        3_300.0,
        0.0,
    ]


def test_their_power_is_held_by_the_battery_alone(tmp_path):
    small = recorded(tmp_path, [ACN, ACN | {"id": "s2", "evse": 1, "max_kw": 20, "capacity_kwh": 80}])
    done = {record.id: record for record in run(small).ledger}
    assert done["s1"].delivered_wh == pytest.approx(7_500)
    for visit in small.visits:
        place = small.site.places[0]
        path = path_to_pack(place.station_model, place.connector_model, visit.vehicle)
        assert path.efficiency == 1.0
        assert path.rating_w >= visit.vehicle.model.curve.peak_w


def test_our_own_columns_name_vehicles_of_the_catalog(tmp_path):
    (visit,) = recorded(tmp_path, OURS, "sessions.csv").visits
    assert (visit.connector, visit.vehicle.model.id, visit.vehicle.soc) == ("ac-2:1", "kia-ev6-77", 0.3)


def test_csv_and_json_tell_the_same(tmp_path):
    csv = ",".join(ACN) + "\n" + ",".join(str(cell) for cell in ACN.values()) + "\n"
    assert recorded(tmp_path, csv, "sessions.csv").visits == recorded(tmp_path, [ACN]).visits


def test_a_story_lasts_until_the_last_has_left(tmp_path):
    long = recorded(tmp_path, [ACN, ACN | {"id": "s2", "arrive_min": 1_500, "depart_min": 3_000}])
    assert long.ends_at == MONDAY + 3 * MS_PER_DAY


def test_a_wrong_year_does_not_make_a_story_of_decades(tmp_path):
    far = ACN | {"id": "s2", "arrive_min": 36_000_000, "depart_min": 36_000_100}
    write(tmp_path, json.dumps([ACN, far]), "sessions.json")
    assert refusal(load, tmp_path / "sessions.json").field == "sessions"
    assert load(tmp_path / "sessions.json", days=1.0).ends_at == MONDAY + MS_PER_DAY


def test_who_comes_when_another_leaves_finds_the_connector_free(tmp_path):
    both = recorded(tmp_path, [ACN, ACN | {"id": "next", "arrive_min": 600, "depart_min": 700}])
    assert [record.ending for record in run(both).ledger] == [Ending.SATISFIED] * 2


def test_who_overlaps_waits_where_that_is_wanted(tmp_path):
    late = ACN | {"id": "late", "arrive_min": 540, "depart_min": 900}
    write(tmp_path, json.dumps([ACN, late]), "sessions.json")
    assert refusal(load, tmp_path / "sessions.json").field == "sessions[1].arrive_min"
    ledger = {record.id: record for record in run(load(tmp_path / "sessions.json", overlaps="wait")).ledger}
    assert ledger["late"].queued_s == 3_600
    assert ledger["late"].ending is Ending.SATISFIED


@pytest.mark.skipif(not REAL.exists(), reason="the recorded sessions are not in the repository")
def test_real_sessions_run_on_a_site_of_their_own():
    campus = load(REAL)
    assert len(campus.visits) == 127
    assert {visit.connector for visit in campus.visits} == {place.connector for place in campus.site.places}
    assert campus.ends_at - campus.starts_at == 4 * MS_PER_DAY


def test_sessions_alone_begin_on_their_own_day(tmp_path):
    alone = load(write(tmp_path, SHIFTS, "shifts.csv"))
    assert (alone.starts_at, alone.ends_at) == (MONDAY, MONDAY + 2 * MS_PER_DAY)
    assert {place.connector_model.type for place in alone.site.places} == {"cCCS2"}
    nameless = "\n".join(line.replace(line.split(",")[2] + ",", ",", 1) for line in SHIFTS.splitlines()[1:])
    nowhere = load(write(tmp_path, f"{SHIFTS.splitlines()[0]}\n{nameless}", "nowhere.csv"))
    assert [place.connector for place in nowhere.site.places] == [f"connector-{i + 1}" for i in range(12)]


def test_a_station_json_lives_with_sessions_or_with_travellers(tmp_path):
    station = write(tmp_path, json.dumps(station_json.to_json(station_json.BASE_EXAMPLE)) + "// ours", "station.json")
    travellers = load(station)
    assert travellers.site.id == "ELECTRA_PARIS_15"
    assert all(visit.id.startswith("highway") for visit in travellers.visits)
    sessions = write(tmp_path, json.dumps([ACN | {"evse": 5}]), "sessions.json")
    assert [visit.connector for visit in load(station, sessions=sessions).visits] == ["CP003:2"]


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = [
    ('sites = 1', "sites", "site"),
    ('"a\\nb" = 1', "text", "words"),
    ('site.limt_w = 1', "site.limt_w", "limit_w"),
    ('site.limit_w = "1"', "site.limit_w", "a number or a table"),
    ('site.limit_w = -1', "site.limit_w", "0 or more"),
    ('site.limit_w = nan', "site.limit_w", "finite"),
    ('site.limit_w = 1e300', "site.limit_w", "finite"),
    ('site.limit_w = { daly = {} }', "site.limit_w.daly", "daily"),
    ('site.limit_w = {}', "site.limit_w", "daily, steps, values, file"),
    ('site.limit_w = { daily = {} }', "site.limit_w.daily", "times and values"),
    ('site.limit_w = { daily = { "7:00" = 1 } }', "site.limit_w.daily.7:00", "00:00 to 23:59"),
    ('site.limit_w = { daily = { "07:00" = "x" } }', "site.limit_w.daily.07:00", "a number"),
    ('site.limit_w = { daily = { "07:00" = -1 } }', "site.limit_w", "0 or more"),
    ('site.limit_w = { steps = { monday = 1 } }', "site.limit_w.steps.monday", "2026-06-01T08:30"),
    ('site.limit_w = { values = [] }', "site.limit_w.values", "at least one"),
    ('site.load_w = { file = "nowhere.csv" }', "site.load_w.file", ""),
    ('site.pv = { peak_w = 1 }', "site.pv.latitude_deg", ""),
    ('site.pv = { peak_w = 1, latitude_deg = 91 }', "site.pv.latitude_deg", "at most 90"),
    ('site.storage = { model = "bess-200kwh" }', "site.storage.model", "bess-200kwh-200kw"),
    (
        'site.storage = { capacity_wh = 0, charge_max_w = 1, discharge_max_w = 1 }',
        "site.storage.capacity_wh",
        "more than 0",
    ),
    ('site.storage = { capacity_wh = 5 }', "site.storage.charge_max_w", ""),
    ('site.storage = { model = "bess-200kwh-200kw", soc = 2 }', "site.storage.soc", "at most 1"),
    ('site.storage = { model = "bess-200kwh-200kw", soc = 0.01 }', "site.storage.soc", "0.1 to 1"),
    ("control.minimum_on_min = 30", "control.minimum_on_min", "0 to the rotation, 15"),
    ('site.nodes = [{ id = "a" }, { id = "a" }]', "site.nodes[1].id", "each id once"),
    ('site.nodes = [{ id = "grid" }]', "site.nodes[0].id", "each id once"),
    ('site.nodes = [{ id = "a", parent = "b" }, { id = "b" }]', "site.nodes[0].parent", "grid"),
    ('site.limits = [{ source = "x" }]', "site.limits[0]", "power_w"),
    ('site.limits = [{ source = "x", node = "ac", power_w = 1 }]', "site.limits[0].node", "grid"),
    ('site.limits = [{ source = "contract", power_w = 1 }]', "site.limits[0].source", ""),
    ('site.lines = [{ id = "x", limit_a = 1, terms = [{ of = "ac" }] }]', "site.lines[0].terms[0]", "pair, or mag"),
    (
        'site.lines = [{ id = "x", limit_a = 1, terms = [{ of = "ax", magnitude = 1 }] }]',
        "site.lines[0].terms[0].of",
        "ac",
    ),
    (
        'site.lines = [{ id = "x", limit_a = 1, line = "L3", terms = [{ of = "ac", pair = "L1-L2" }] }]',
        "site.lines[0].terms[0].pair",
        "L3",
    ),
    ('control.strategy = "max-min"', "control.strategy", "max_min"),
    ('control.interval_s = 0', "control.interval_s", "at least 0.001"),
    ('horizon.start = "tomorrow"', "horizon.start", "2026-06-01"),
    ('horizon.start = 2026-06-01T08:00:00', "horizon.start", "2026-06-01T08:00:00+02:00"),
    ('horizon.start = "2026-06-01 08:00"', "horizon.start", "2026-06-01T08:00:00Z for UTC"),
    ('horizon.start = 2400-06-01T08:00:00Z', "horizon.start", "1971 to 2198"),
    ('horizon.days = 0', "horizon.days", "more than 0"),
    ('site.limit_w = 1e16', "site.limit_w", "to 1e+15"),
    ('site.limits = [{ source = "grid\\noperator", power_w = 1 }]', "site.limits[0].source", "letters"),
    ('site.nodes = [{ id = "a\\u0000" }]', "site.nodes[0].id", "letters"),
    ('site.id = "\\u001b[31m"', "site.id", "letters"),
    ('name = "a\\nb"', "name", "letters"),
    ('seed = 1.5', "seed", "a whole number"),
    ('tariff.co2_g_per_kwh = -1', "tariff.co2_g_per_kwh", "0 or more"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "allowed"), REFUSED, ids=[text[:40] for text, _, _ in REFUSED])
def test_every_refusal_names_file_and_field_and_what_is_allowed(tmp_path, text, field, allowed):
    file = write(tmp_path, text + SMALL)
    refused = refusal(load, file)
    assert refused.field == field
    assert allowed in refused.allowed
    assert refused.source == str(file)
    assert "\n" not in str(refused)


REFUSED_STATIONS = [
    ("wallbox-pulsar-plus-22", "wallbox-pulsar-22", "stations[0].model", "wallbox-pulsar-plus-22"),
    ("count = 3", "count = 0", "stations[0].count", "at least 1"),
    ("count = 3", 'node = "hall"', "stations[0].node", "grid"),
    ("count = 3", 'rotation = "L4"', "stations[0].rotation", "L1, L2, L3, alternate"),
    ('id = "ac"', 'id = "grid"', "stations[0].id", "each id once"),
    ('"workplace"', '"workplaces"', "arrivals.pattern", "workplace"),
    ("per_day = 5", "per_day = -5", "arrivals.per_day", "at least 0"),
    ("per_day = 5", "mix = { kia-ev6 = 1 }", "arrivals.mix.kia-ev6", "kia-ev6-77"),
    ("per_day = 5", "mix = { kia-ev6-77 = -1 }", "arrivals.mix.kia-ev6-77", "0 to"),
    ("per_day = 5", "mix = { kia-ev6-77 = 0 }", "arrivals.mix", "above 0"),
    ("per_day = 5", "mix = { mercedes-eactros-600 = 1 }", "arrivals.mix.mercedes-eactros-600", "cType2"),
    ("per_day = 5", 'sessions = "x.csv"', "arrivals", "pattern or sessions"),
    ('[arrivals]\npattern = "workplace"\nper_day = 5', "", "arrivals", "pattern or sessions"),
]


@pytest.mark.parametrize(("written", "instead", "field", "allowed"), REFUSED_STATIONS)
def test_stations_and_arrivals_are_refused_alike(written, instead, field, allowed):
    refused = refusal(scenario, SMALL.replace(written, instead))
    assert (refused.field, allowed in refused.allowed) == (field, True)


def test_two_groups_of_one_name_are_refused():
    twice = SMALL + '[[stations]]\nid = "ac-1"\nmodel = "wallbox-pulsar-plus-22"\n'
    assert refusal(scenario, twice).found == "ac-1"


REFUSED_SESSIONS = [
    ({"kwh": 1e300}, "kwh"),
    ({"kwh": -1}, "kwh"),
    ({"kwh": "7"}, "kwh"),
    ({"kwh": True}, "kwh"),
    ({"kwh": None}, "asked_wh"),
    ({"depart_min": 480}, "depart_min"),
    ({"depart_min": 100}, "depart_min"),
    ({"arrive_min": "eight"}, "arrive_min"),
    ({"evse": 3}, "evse"),
    ({"evse": -1}, "evse"),
    ({"evse": 0.5}, "evse"),
    ({"evse": "ac-9"}, "evse"),
    ({"init_kwh": 41}, "init_kwh"),
    ({"capacity_kwh": 0}, "capacity_kwh"),
    ({"capacity_kwh": None}, "capacity_wh"),
    ({"max_kw": 0}, "max_kw"),
    ({"max_kw": None}, "max_w"),
    ({"vehicle": "kia-ev6-77"}, "capacity_kwh"),
    ({"arrives_at": 5}, "arrive_min"),
    ({"arive_min": 5}, "arive_min"),
    ({"phases": 4}, "phases"),
]


@pytest.mark.parametrize(("changes", "column"), REFUSED_SESSIONS)
def test_a_session_is_refused_by_row_and_column(tmp_path, changes, column):
    refused = refusal(recorded, tmp_path, [ACN, ACN | {"id": "bad", "evse": 0} | changes])
    assert refused.field == f"sessions[1].{column}"
    assert refused.source.endswith("sessions.json")


def test_a_session_that_is_not_a_number_is_found_by_its_line(tmp_path):
    write(tmp_path, json.dumps([ACN, ACN | {"id": "NaN", "kwh": nan}], indent=1), "sessions.json")
    assert refusal(load, tmp_path / "sessions.json").field == "line 17, column 10"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "line 1"),
        ("id,id\n", "line 1"),
        ("id,kwh\n", "sessions"),
        (OURS + "b\n", "line 3, arrives_at"),
        (OURS + "b,kia-ev6-77,ac-2,600,700,0.3,1,9\n", "line 3"),
        (OURS + "b,kia-ev6,ac-2,600,700,0.3,1\n", "line 3, vehicle"),
        (OURS + "b,kia-ev6-77,ac-2,600,700,nan,1\n", "line 3, soc"),
        (OURS + '"b\nc",kia-ev6-77,ac-2,600,700,0.3,1\n', "line 4, id"),
        (OURS + "b\x1b[31m,kia-ev6-77,ac-2,600,700,0.3,1\n", "line 3, id"),
        (OURS + "b,kia-ev6-77,ac-2,540,700,0.3,1\n", "line 3, arrives_at"),
        (OURS + "a,kia-ev6-77,ac-1,600,700,0.3,1\n", "line 3, id"),
        (OURS + 'b,"kia\n', "line 3"),
        (OURS + "b,mercedes-eactros-600,ac-2,600,700,0.3,1\n", "line 3, connector"),
        (OURS + "b,mercedes-eactros-600,,600,700,0.3,1\n", "line 3, vehicle"),
        (OURS.replace("2026-06-01", "2025-06-01"), "sessions"),
    ],
)
def test_a_csv_is_refused_by_line(tmp_path, text, field):
    refused = refusal(recorded, tmp_path, text, "sessions.csv")
    assert (refused.field, refused.source) == (field, str(tmp_path / "sessions.csv"))


def test_semicolons_part_columns_too_but_not_together_with_commas(tmp_path):
    parted = OURS.replace(",", ";")
    assert recorded(tmp_path, parted, "sessions.csv").visits == recorded(tmp_path, OURS, "sessions.csv").visits
    assert len(load(write(tmp_path, SHIFTS.replace(",", ";"), "shifts")).visits) == 12
    mixed = refusal(recorded, tmp_path, OURS.replace(",asked_wh", ";asked_wh"), "sessions.csv")
    assert (mixed.field, mixed.found) == ("line 1", "soc;asked_wh")
    assert "semicolons and with commas" in mixed.problem
    comma = refusal(recorded, tmp_path, parted.replace("0.3", "0,3"), "sessions.csv")
    assert (comma.field, comma.problem) == ("line 2, soc", "has a decimal comma")
    assert "0.3" in comma.allowed


def test_what_is_found_is_shown_short_and_as_people_write_it(tmp_path):
    found = {
        'horizon.start = 2400-06-01T08:00:00Z': "2400-06-01T08:00:00+00:00",
        'site.load_w = { daily = { "07:00" = 2026-06-01 } }': "2026-06-01",
        f"site.load_w = 0x{'f' * 5_000}": "a number of about 6001 digits",
    }  # fmt: skip
    for text, shown in found.items():
        assert refusal(load, write(tmp_path, text + SMALL)).found == shown
    assert len(str(refusal(load, write(tmp_path, f"seed = {'9' * 5_000}{SMALL}")))) < 300
    for number in ("9" * 5_000, "1e300"):
        refused = refusal(recorded, tmp_path, OURS.replace("7500", number), "sessions.csv")
        assert (refused.field, refused.allowed) == ("line 2, asked_wh", "0 to 1e+15")
        assert len(refused.found) <= 60


def test_a_file_with_an_odd_name_is_not_read(tmp_path):
    assert "control character" in refusal(load, write(tmp_path, SMALL, "a\nb.toml")).problem


def test_a_file_that_is_not_there_is_refused_with_names_that_are():
    assert refusal(load, "fast-charging").allowed.startswith("fast-charging-hub")
    assert refusal(load, "nowhere/site.toml").field == "file"
    assert refusal(load, "/work").field == "file"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strategy": "best"}, "strategy"),
        ({"seed": -1}, "seed"),
        ({"seed": 10**4_000}, "seed"),
        ({"days": 0.0}, "days"),
        ({"days": nan}, "days"),
        ({"grid_limit_w": -1.0}, "grid_limit_w"),
        ({"grid_limit_w": inf}, "grid_limit_w"),
        ({"overlaps": "fight"}, "overlaps"),
        ({"sessions": "nowhere.csv"}, "sessions"),
    ],
)
def test_what_the_caller_wants_is_checked_too(changes, field):
    assert refusal(load, "depot", **changes).field == field


# --- whatever is written: a scenario or a refusal --------------------------------------------------------------------

TEXTS = {
    **{f"{name}.toml": file.read_text() for name, file in built_in().items()},
    "delta.toml": DELTA,
    "shifts.csv": SHIFTS,
    "sessions.json": json.dumps([ACN, ACN | {"id": "s2", "arrive_min": 700, "depart_min": 900}], indent=1),
    "station.json": json.dumps(station_json.to_json(station_json.BASE_EXAMPLE), indent=1),
}
TOKENS = [
    *(
        "nan",
        "-inf",
        "-1",
        "0",
        "1e999",
        "9" * 5_000,
        "true",
        '"x"',
        "[]",
        "{}",
        "[" * 3_000,
        "\x00",
        "\\ud800",
        "null",
    ),
    *("2026-06-01", "=", ",", "\n", "//", "/*", '"', "'", "#", ";", "-", "0x1", "\r", "1e-320", "grid", "24:00"),
]
fuzz = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw, text):
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 3, 30]))
        text = text[:first] + draw(st.sampled_from(["", *TOKENS])) + text[first + length :]
    return text


@fuzz
@given(st.data())
def test_a_mangled_text_is_read_or_refused(tmp_path, data):
    name = data.draw(st.sampled_from(sorted(TEXTS)))
    write(tmp_path, SHIFTS, "depot-shifts.csv")
    file = tmp_path / name
    file.write_bytes(data.draw(mutated(TEXTS[name])).encode())
    try:
        load(file, days=1)
    except InvalidInput as refused:
        assert refused.source or refused.field == "file"  # noqa: PT017  it says which file


ODD = st.sampled_from(
    [None, True, -1, 0, 1e300, nan, inf, 10**400, "", "x", "grid", "\ud800", [], [1], {}, {"a": 1}, datetime(1, 1, 1)]  # noqa: DTZ001
)


@fuzz
@given(st.data())
def test_a_mangled_table_is_read_or_refused(tmp_path, data):
    table: Any = tomllib.loads(
        TEXTS[data.draw(st.sampled_from([name for name in sorted(TEXTS) if name.endswith(".toml")]))]
    )
    place: Any = table
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 4)) == 0:
            place[key] = data.draw(ODD)
            break
        place = place[key]
    try:
        toml_file.scenario_of(table, "test", OURS_FOLDER, Changes(), CATALOG)
    except InvalidInput as refused:
        assert str(refused).encode()  # noqa: PT017  it can be printed


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
