"""Sessions that were recorded, as scenarios read them."""

import json

import pytest

from tests.scenario_texts import (
    ACN,
    MONDAY,
    OURS,
    REAL,
    SHIFTS,
    recorded,
    refusal,
    write,
)
from voltbench.adapters import station_json
from voltbench.adapters.scenario_files import load
from voltbench.charging.path import path_to_pack
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR
from voltbench.running.scenario import run
from voltbench.running.visits import Ending

# --- recorded sessions -----------------------------------------------------------------------------------------------


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
