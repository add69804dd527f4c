"""Scenarios that are refused, and how; whatever is written, it is read or refused."""

import json
import tomllib
from datetime import datetime
from math import inf, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scenario_texts import (
    ACN,
    CATALOG,
    DELTA,
    OURS,
    OURS_FOLDER,
    SHIFTS,
    SMALL,
    recorded,
    refusal,
    scenario,
    write,
)
from voltbench.adapters import station_json
from voltbench.adapters.scenario_files import built_in, load, toml_file
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.errors import InvalidInput

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
