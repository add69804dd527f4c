"""`[tariff]` of a scenario: prices by a file, by a service or by the time of day, and what is paid on top."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.local_time import AUTUMN, MONDAY, at
from tests.price_services import KINDS, Market, Told, price_at, serving
from voltbench.adapters.scenario_files import load
from voltbench.errors import InvalidInput, Unavailable
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.scenario import run
from voltbench.running.summary import summarize
from voltbench.site.calendar import day_start
from voltbench.site.tariff import Tariff

START = """\
[horizon]
start = {start}
days = {days}
[[stations]]
model = "go-e-gemini-11"
[arrivals]
pattern = "home"
per_day = 0
"""


def written(folder: Path, tariff: str, start: str = "2026-06-01T00:00:00+02:00", days: float = 1) -> Path:
    file = folder / "place.toml"
    file.write_text(START.format(start=start, days=days) + "[tariff]\n" + tariff)
    return file


def tariff_of(folder: Path, tariff: str, start: str = "2026-06-01T00:00:00+02:00", days: float = 1) -> Tariff:
    return load(written(folder, tariff, start, days)).tariff


def bought(tariff: Tariff, *moments: str) -> list[float]:
    assert tariff.import_price_per_kwh is not None
    return [tariff.import_price_per_kwh.at(at(moment)) for moment in moments]


def test_a_file_beside_the_scenario_tells_prices(tmp_path: Path):
    rows = "".join(f"2026-06-01T{hour:02}:00,{hour / 10}\n" for hour in range(24))
    (tmp_path / "prices.csv").write_text(f"at,price_per_kwh\n{rows}")
    tariff = tariff_of(
        tmp_path, 'source = "file:prices.csv?currency=SEK"\nzone = "Europe/Stockholm"\nfees_per_kwh = 0.5\nvat = 0.25'
    )
    assert tariff.currency == "SEK"
    assert bought(tariff, "2026-06-01T02:30", "2026-06-01T23:00") == pytest.approx([0.875, 3.5])


@pytest.mark.parametrize("name", KINDS)
def test_every_service_tells_prices_to_a_scenario(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kind = KINDS[name]
    zone = ZoneInfo(kind.zone)
    a_day = timedelta(days=1)
    with serving(kind.serve(Market(zone, MONDAY - a_day, MONDAY + a_day, kind.slot_ms))) as server:
        monkeypatch.setenv(f"VOLTBENCH_{name.upper().replace('-', '_')}_URL", server.url)
        tariff = tariff_of(tmp_path, f'source = "{kind.text.rstrip("?&")}"')
    noon = day_start(MONDAY, zone) + 12 * MS_PER_HOUR
    assert tariff.currency == kind.currency
    assert tariff.import_price_per_kwh is not None
    assert tariff.import_price_per_kwh.at(noon) == pytest.approx(price_at(noon), abs=1e-5)


def test_prices_that_do_not_reach_the_end_are_not_made_up(tmp_path: Path):
    (tmp_path / "prices.csv").write_text("at,price_per_kwh\n2026-06-01T00:00+02:00,1\n2026-06-01T12:00+02:00,2\n")
    assert tariff_of(tmp_path, 'source = "file:prices.csv"').currency == "EUR"
    with pytest.raises(InvalidInput, match=r"source: does not know all .* found 'until 2026-06-01T22:00"):
        tariff_of(tmp_path, 'source = "file:prices.csv"', days=2)


def test_a_service_in_trouble_ends_the_command_and_not_a_loop_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def in_a_loop() -> None:
        with pytest.raises(Unavailable, match="answers 500"):
            tariff_of(tmp_path, 'source = "awattar:de"')

    with serving(lambda _: Told(500)) as server:
        monkeypatch.setenv("VOLTBENCH_AWATTAR_URL", server.url)
        asyncio.run(in_a_loop())


RATES = 'rates = [{ from = "22:00", until = "06:00", price_per_kwh = 0.1 }]'


def test_time_of_use_goes_by_the_clocks_of_the_zone_or_of_the_start(tmp_path: Path):
    moments = ("2026-10-25T05:30", "2026-10-25T06:00", "2026-10-25T22:00")
    by_time = f"time_of_use = {{ price_per_kwh = 0.3, {RATES} }}"
    start = f"{AUTUMN}T00:00:00+02:00"
    in_zone = tariff_of(tmp_path, f'zone = "Europe/Stockholm"\n{by_time}', start, 2)
    assert bought(in_zone, *moments) == [0.1, 0.3, 0.1]
    by_the_start = tariff_of(tmp_path, by_time, start, 2)  # two hours ahead of UTC, all the time
    assert bought(by_the_start, *moments, "2026-10-25T21:00") == [0.3, 0.3, 0.1, 0.1]


def test_a_grid_fee_is_added_to_a_price_that_is_given(tmp_path: Path):
    tariff = tariff_of(
        tmp_path,
        "import_price_per_kwh = { values = [1.0, 2.0], every_min = 720 }\nmarkup = 0.5\nvat = 0.25\n"
        f"holidays = [2026-06-01]\ngrid_fee = {{ price_per_kwh = 0.3, {RATES} }}",
    )
    assert bought(tariff, "2026-06-01T05:00", "2026-06-01T06:00", "2026-06-01T12:00") == pytest.approx(
        [1.25 * 1.6, 1.25 * 1.8, 1.25 * 3.3]
    )


def test_peaks_and_feeding_in_are_billed(tmp_path: Path):
    file = written(
        tmp_path,
        "import_price_per_kwh = 0.2\nfeed_in = { market_share = 0.5 }\n"
        'zone = "Europe/Stockholm"\npeak = { price_per_kw = 10, count = 2, different_days = false }\n'
        '[site]\nload_w = { daily = { "00:00" = 1000, "10:00" = 5000, "11:00" = 3000, "12:00" = 0 } }\n'
        'generation_w = { daily = { "00:00" = 0, "12:00" = 2000 } }',
    )
    cost = summarize(run(load(file))).cost
    assert cost is not None
    assert (cost.energy_import, cost.energy_export, cost.demand_charge) == pytest.approx((3.6, 2.4, 40.0))


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        ('source = "awattar:de"\nimport_price_per_kwh = 1', "tariff.source"),
        (f"time_of_use = {{ price_per_kwh = 1, {RATES} }}\nimport_price_per_kwh = 1", "tariff.time_of_use"),
        ("feed_in = {}\nexport_price_per_kwh = 1\nimport_price_per_kwh = 1", "tariff.feed_in"),
        ('co2_source = "energy-charts:de"\nco2_g_per_kwh = 1', "tariff.co2_source"),
        ("vat = 0.25", "tariff.source"),
        ("vat = 25\nimport_price_per_kwh = 1", "tariff.vat"),
        ('source = "nordpool:SE3"', "tariff.source"),
        ('source = "elprisetjustnu:SE9"', "tariff.source.area"),
        ('zone = "Europe/Skovde"\nvat = 0.1\nimport_price_per_kwh = 1', "tariff.zone"),
        ("holidays = [12]\nvat = 0.1\nimport_price_per_kwh = 1", "tariff.holidays[0]"),
        ("peak = { price_per_kw = 1, interval_min = 5 }\nimport_price_per_kwh = 1", "tariff.peak.interval_min"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, tariff: str, field: str):
    with pytest.raises(InvalidInput) as refused:
        tariff_of(tmp_path, tariff)
    assert refused.value.field == field
