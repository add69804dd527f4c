"""How warm it is, and how old batteries are, in scenarios: it matters to cars whose pack is modelled by its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.load import load
from voltbench.charging.feed import Feed
from voltbench.charging.vehicle import Vehicle
from voltbench.errors import InvalidInput
from voltbench.running.scenario import Outcome, run

CHARGED_BY_ITS_CELLS = """
name = "cold"
[horizon]
start = 2026-01-12T00:00:00Z
days = 1
[site]
limit_w = 1_000_000
{site}
[[stations]]
model = "{station}"
count = 4
[arrivals]
pattern = "highway"
per_day = 12
mix = {{ "{car}" = 1 }}
{arrivals}
"""


def lived_through(folder: Path, *, car: str = "vw-id4-pro-77-cells", site: str = "", arrivals: str = "") -> Outcome:
    station = next(one.id for one in Catalog().stations() if any(c.type == "cCCS2" for c in one.connectors))
    file = folder / "cold.toml"
    file.write_text(CHARGED_BY_ITS_CELLS.format(site=site, arrivals=arrivals, car=car, station=station))
    return run(load(file))


def delivered_wh(outcome: Outcome) -> float:
    return sum(visit.delivered_wh for visit in outcome.ledger)


def hours(outcome: Outcome) -> float:
    return sum(visit.ended_at - visit.plugged_at for visit in outcome.ledger) / 3_600_000.0


def test_cold_cars_charge_for_longer(tmp_path: Path):
    mild = lived_through(tmp_path)
    cold = lived_through(tmp_path, site="ambient_degc = -10", arrivals="battery_degc = -10")
    assert len(cold.ledger) == len(mild.ledger) > 3
    assert hours(cold) > 1.1 * hours(mild)


def test_a_measured_curve_knows_no_cold(tmp_path: Path):
    car = "vw-id4-pro-77"
    mild = lived_through(tmp_path, car=car)
    cold = lived_through(tmp_path, car=car, site="ambient_degc = -10", arrivals="battery_degc = -10")
    assert [visit.ended_at for visit in cold.ledger] == [visit.ended_at for visit in mild.ledger]


def test_old_batteries_take_less(tmp_path: Path):
    fresh, old = lived_through(tmp_path), lived_through(tmp_path, arrivals="soh = 0.8")
    assert delivered_wh(old) == pytest.approx(0.8 * delivered_wh(fresh), rel=0.05)


def test_worn_cells_charge_for_longer(tmp_path: Path):
    fresh, worn = lived_through(tmp_path), lived_through(tmp_path, arrivals="resistance = 1.5")
    assert hours(worn) > 1.02 * hours(fresh)
    both = lived_through(tmp_path, arrivals="soh = 0.9\nresistance = 1.5")
    assert delivered_wh(both) < delivered_wh(worn)


def test_frozen_cars_wait_until_their_heaters_have_warmed_them(tmp_path: Path):
    cold = lived_through(tmp_path, site="ambient_degc = -10", arrivals="battery_degc = -10")
    frozen = lived_through(tmp_path, site="ambient_degc = -30", arrivals="battery_degc = -30")
    assert hours(frozen) > hours(cold) + 0.2 * len(cold.ledger)
    assert 0.0 < delivered_wh(frozen) <= delivered_wh(cold)


def test_a_resistance_that_nobody_has_computed_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput) as refused:
        lived_through(tmp_path, arrivals="resistance = 2")
    assert (refused.value.field, refused.value.found) == ("arrivals.resistance", 2.0)
    assert refused.value.allowed == "1 to 1.5"


def test_batteries_older_than_anybody_has_computed_are_refused(tmp_path: Path):
    with pytest.raises(InvalidInput) as refused:
        lived_through(tmp_path, arrivals="soh = 0.6")
    assert refused.value.field.endswith("soh")
    assert (refused.value.found, refused.value.allowed) == (0.6, "0.8 to 1")
    assert lived_through(tmp_path, car="vw-id4-pro-77", arrivals="soh = 0.6").ledger


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"site": "ambient_degc = 80"}, "site.ambient_degc"),
        ({"arrivals": "battery_degc = -60"}, "arrivals.battery_degc"),
        ({"arrivals": "soh = 0"}, "arrivals.soh"),
        ({"arrivals": "resistance = 0"}, "arrivals.resistance"),
    ],
)
def test_what_no_car_bears_is_refused(tmp_path: Path, changes: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        lived_through(tmp_path, **changes)
    assert refused.value.field == field


def test_a_health_that_no_table_knows_is_refused_where_it_is_asked_for(tmp_path: Path):
    with pytest.raises(InvalidInput) as refusal:
        lived_through(tmp_path, arrivals="soh = 0.6")
    assert refusal.value.field == "arrivals.soh"


def test_a_dc_meter_reads_the_volts_of_the_cells():
    station, car = Catalog().station("dc-200-2"), Catalog().vehicle("vw-id4-pro-77-cells")
    feed = Feed(station, station.connectors[0])
    feed.plug_in(0, "session-1", Vehicle("car-1", car, 0.2))
    feed.allow(0, 100_000.0)
    feed.switch(0, True)
    begun, later = feed.reading(0), feed.reading(60_000)
    assert 96 * 3.4 < begun.voltage_v < later.voltage_v < 96 * 4.2
