"""`[tariff]` of a scenario: prices by a file, by a service or by the time of day, and what is paid on top."""

from __future__ import annotations

import asyncio
from datetime import timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.local_time import AUTUMN, MONDAY, at
from tests.price_services import KINDS, Market, Told, price_at, serving
from voltbench.adapters.scenario_files import load
from voltbench.errors import InvalidInput, Unavailable
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.publication import Publication
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


FOR_DAYS = "import_price_per_kwh = { values = [0.1, 0.2], every_min = 1440 }"
STEPWISE = 'import_price_per_kwh = { steps = { "2026-06-01T00:00" = 0.1 } }'
FROM_A_FILE = 'source = "file:prices.csv"'
BY_THE_START = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("tariff", "expected"),
    [
        ("", None),
        ("import_price_per_kwh = 0.2", None),
        ('import_price_per_kwh = { daily = { "00:00" = 0.1, "06:00" = 0.3 } }', None),
        (f'time_of_use = {{ price_per_kwh = 0.3, {RATES} }}\npublished_at = "always"', None),
        (f'{FOR_DAYS}\npublished_at = "always"', None),
        (FOR_DAYS, Publication(BY_THE_START)),
        (STEPWISE, Publication(BY_THE_START)),
        (f'{FOR_DAYS}\nzone = "Europe/Helsinki"', Publication(ZoneInfo("Europe/Helsinki"))),
        (f'{FOR_DAYS}\npublished_at = "12:45"', Publication(BY_THE_START, 12 * 60 + 45)),
        (f'{FROM_A_FILE}\nzone = "Europe/Stockholm"\nvat = 0.25', Publication(ZoneInfo("Europe/Stockholm"))),
    ],
)
def test_prices_of_certain_days_are_published_on_the_day_before(
    tmp_path: Path, tariff: str, expected: Publication | None
):
    (tmp_path / "prices.csv").write_text("at,price_per_kwh\n2026-06-01T00:00+02:00,1\n2026-06-01T12:00+02:00,2\n")
    assert load(written(tmp_path, tariff)).published == expected


@pytest.mark.parametrize("name", KINDS)
def test_what_services_tell_is_published_by_the_clocks_of_the_market(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kind = KINDS[name]
    zone = ZoneInfo(kind.zone)
    with serving(
        kind.serve(Market(zone, MONDAY - timedelta(days=1), MONDAY + timedelta(days=1), kind.slot_ms))
    ) as server:
        monkeypatch.setenv(f"VOLTBENCH_{name.upper().replace('-', '_')}_URL", server.url)
        story = load(written(tmp_path, f'source = "{kind.text.rstrip("?&")}"\nzone = "Europe/Helsinki"'))
    assert story.published == Publication(ZoneInfo("Europe/Brussels"), (17 if name == "octopus" else 13) * 60)


def test_a_planned_scenario_goes_by_what_is_published(tmp_path: Path):
    """The night of Tuesday is a cheap one, which a car that comes on Monday morning cannot know until one o'clock."""
    (tmp_path / "cars.csv").write_text(
        "arrives_at,departs_at,asked_wh,soc,capacity_wh,max_w\n2026-06-01T09:00,2026-06-02T08:00,20000,0.2,60000,11000\n"
    )
    prices = [0.3] * 24 + [0.3, 0.3, 0.05, 0.05, 0.05] + [0.3] * 19
    words = f'import_price_per_kwh = {{ values = {prices} }}\n[control]\nstrategy = "planned"\n'
    always, usually = 'published_at = "always"\n', ""
    costs = {}
    for said in (always, usually):
        file = written(tmp_path, said + words, days=2)
        file.write_text(file.read_text().replace('pattern = "home"\nper_day = 0', 'sessions = "cars.csv"'))
        summary = summarize(run(load(file)))
        assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
        assert summary.cost is not None
        costs[said] = summary.cost.total
    assert costs[always] == pytest.approx(1.0, rel=0.2)
    assert costs[usually] > costs[always] * 2, "at nine no hour that it knew was cheaper, and it charged at once"


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        (f'{FOR_DAYS}\npublished_at = "25:00"', "tariff.published_at"),
        (f'{FOR_DAYS}\npublished_at = "soon"', "tariff.published_at"),
        (f'time_of_use = {{ price_per_kwh = 1, {RATES} }}\npublished_at = "13:00"', "tariff.published_at"),
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
