"""Prices in files, and the short texts that name a source."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.local_time import AUTUMN, MONDAY, SPRING
from tests.price_services import QUARTER_MS, price_at
from voltbench.adapters.prices.awattar import Awattar
from voltbench.adapters.prices.choose import SOURCES, co2_source, price_source
from voltbench.adapters.prices.energy_charts import EnergyCharts
from voltbench.adapters.prices.entsoe import Entsoe
from voltbench.adapters.prices.files import PriceFile
from voltbench.adapters.prices.octopus import Octopus
from voltbench.adapters.prices.tibber import Tibber
from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import MS_PER_HOUR, rfc3339, utc
from voltbench.site.calendar import day_slots, day_start
from voltbench.site.slots import Slot

STOCKHOLM = ZoneInfo("Europe/Stockholm")
START = day_start(MONDAY, STOCKHOLM)


def a_file(folder: Path, text: str | bytes, name: str = "prices.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes, name: str = "prices.csv", zone: ZoneInfo | None = None) -> list[Slot]:
    return list(PriceFile(a_file(folder, text, name), zone=zone).read().slots)


def test_a_price_holds_until_the_next_row_and_the_last_as_long_as_the_one_before(tmp_path: Path):
    text = "at,price_per_kwh\n2026-06-01T00:00+02:00,0.5\n2026-06-01T00:15+02:00,-0.25\n"
    middle = START + QUARTER_MS
    assert read(tmp_path, text) == [Slot(START, middle, 0.5), Slot(middle, middle + QUARTER_MS, -0.25)]


def test_prices_may_be_per_mwh_and_say_until_when(tmp_path: Path):
    text = "at;until;price_per_mwh\n2026-06-01 00:00+02:00;2026-06-01 02:00+02:00;500\n"
    assert read(tmp_path, text) == [Slot(START, START + 2 * MS_PER_HOUR, 0.5)]


def test_a_gap_between_rows_ends_what_is_known(tmp_path: Path):
    rows = ["2026-06-01T00:00Z,2026-06-01T01:00Z,1", "2026-06-01T02:00Z,,2", "2026-06-01T03:00Z,,3"]
    slots = PriceFile(a_file(tmp_path, "\n".join(["at,until,price_per_kwh", *rows]))).read().slots
    assert slots.known_until(slots.starts_at) == slots.starts_at + MS_PER_HOUR
    assert slots.ends_at == slots.starts_at + 4 * MS_PER_HOUR


@pytest.mark.parametrize(("day", "count"), [(MONDAY, 96), (SPRING, 92), (AUTUMN, 100)])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_local_times_without_an_offset_are_right_when_clocks_change(tmp_path: Path, day: date, count: int, kind: str):
    slots = day_slots(day, STOCKHOLM, QUARTER_MS)
    rows = [(f"{utc(s).astimezone(STOCKHOLM):%Y-%m-%dT%H:%M}", price_at(s)) for s, _ in slots]
    if kind == "csv":
        text = "at,price_per_kwh\n" + "".join(f"{at},{price}\n" for at, price in rows)
    else:
        text = json.dumps([{"at": at, "price_per_kwh": price} for at, price in rows])
    found = read(tmp_path, text, f"prices.{kind}", STOCKHOLM)
    assert found == [Slot(start, end, price_at(start)) for start, end in slots]
    assert len(found) == count


def test_a_json_file_says_of_itself_what_its_prices_are(tmp_path: Path):
    rows = [{"at": "2026-06-01T00:00", "price_per_kwh": 1}]
    table = {"currency": "SEK", "vat_included": True, "zone": "Europe/Stockholm", "prices": rows}
    prices = PriceFile(a_file(tmp_path, b"\xef\xbb\xbf// mine\n" + json.dumps(table).encode(), "prices.json")).read()
    assert (prices.currency, prices.vat_included) == ("SEK", True)
    assert list(prices.slots) == [Slot(START, START + MS_PER_HOUR, 1.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: has no header"),
        ("at,price_per_kwh\n", "prices: are none"),
        (
            "at,price\n2026-06-01T00:00Z,1\n",
            "line 2, price: is unknown, found 'price', allowed: at, until, price_per_kwh, p",
        ),
        ("at,price_per_kwh\n2026-06-01T00:00,1\n", "line 2, at: has no UTC offset, found '2026-06-01T00:00'"),
        ("at,price_per_kwh\nnoon,1\n", "line 2, at: is no time, found 'noon', allowed: a time like"),
        ("at,price_per_kwh\n1066-10-14T09:00Z,1\n", "line 2, at: is no usable time"),
        ("at,price_per_kwh\n,1\n", "line 2, at: is missing"),
        ("at,price_per_kwh\n2026-06-01T00:00Z,\n", "line 2, price_per_kwh: is missing"),
        ('at,price_per_kwh\n2026-06-01T00:00Z,"0,5"\n', "line 2, price_per_kwh: has a decimal comma"),
        ("at,price_per_kwh\n2026-06-01T00:00Z,nan\n", "line 2, price_per_kwh: is not allowed, found 'nan'"),
        ("at,price_per_kwh,price_per_mwh\n2026-06-01T00:00Z,1,1000\n", "line 2, price_per_mwh: says again"),
        ("at,price_per_kwh\n2026-06-01T00:00Z,1\n2026-06-01T00:00Z,1\n", "line 3, at: is not later than the row"),
        ("at,until,price_per_kwh\n2026-06-01T01:00Z,2026-06-01T00:00Z,1\n", "line 2, until: is not later than at"),
        (
            "at,until,price_per_kwh\n2026-06-01T00:00Z,2026-06-01T02:00Z,1\n2026-06-01T01:00Z,,1\n",
            "slots: says two things of the same time, found '2026-06-01T01:00:00.000Z'",
        ),
        ('[{"at": 5, "price_per_kwh": 1}]', "prices[0].at: is no time, found 5"),
        ('[{"at": "2026-06-01T00:00Z", "price_per_kwh": "1"}]', "prices[0].price_per_kwh: is not allowed, found '1'"),
        ('{"prices": [], "cost": 1}', "cost: is unknown, allowed: prices, currency"),
        ('{"prices": [], "zone": "Europe/Atlantis"}', "zone: is no time zone, found 'Europe/Atlantis'"),
        ('{"prices"', "line 1, column 10: is not JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_place(tmp_path: Path, text: str, message: str):
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/prices.csv: {message}")


def test_a_local_time_that_never_comes_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="is a time that local clocks jump over, found '2026-03-29T02:30:00'"):
        read(tmp_path, "at,price_per_kwh\n2026-03-29T02:30,1\n", zone=STOCKHOLM)


async def test_a_file_is_a_source_as_any_other(tmp_path: Path):
    rows = "".join(f"{rfc3339(START + i * MS_PER_HOUR)},{i}\n" for i in range(48))
    path = a_file(tmp_path, f"at,price_per_kwh\n{rows}")
    source = price_source(f"file:{path}?currency=SEK&vat=included", {})
    prices = await source.prices(START + 90 * 60_000, START + 4 * MS_PER_HOUR)
    assert [slot.per_kwh for slot in prices.slots] == [1.0, 2.0, 3.0]
    assert (prices.currency, prices.vat_included) == ("SEK", True)
    hour = await source.prices(START + 2 * MS_PER_HOUR, START + 3 * MS_PER_HOUR)
    assert [slot.per_kwh for slot in hour.slots] == [2.0]
    with pytest.raises(NotFound):
        await source.prices(START + 49 * MS_PER_HOUR, START + 50 * MS_PER_HOUR)


async def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InvalidInput, match="file: does not exist"):
        await price_source(f"file:{tmp_path}/none.csv", {}).prices(0, 1)


# --- the short text --------------------------------------------------------------------------------------------------


def test_a_text_names_a_source():
    assert price_source("elprisetjustnu:se4", {}).area == "SE4"  # type: ignore[attr-defined]
    assert price_source("entsoe:DE-LU", {"VOLTBENCH_ENTSOE_TOKEN": "secret"}) == Entsoe("DE-LU", "secret")
    assert price_source("entsoe:AT?token=mine&sequence=2", {"VOLTBENCH_ENTSOE_TOKEN": "x"}) == Entsoe(
        "AT", "mine", sequence=2
    )
    at = price_source("awattar:AT", {})
    assert isinstance(at, Awattar)
    assert at.service.url == "https://api.awattar.at"
    assert price_source("octopus:agile-24-10-01-c", {}) == Octopus("AGILE-24-10-01-C")
    assert price_source("energy-charts:DE-LU", {}) == EnergyCharts("DE-LU")
    assert co2_source("energy-charts:de", {}) == EnergyCharts("de")
    tibber = price_source("tibber?home=cottage", {"VOLTBENCH_TIBBER_TOKEN": "secret"})
    assert isinstance(tibber, Tibber)
    assert (tibber.home, tibber.service.headers) == ("cottage", {"Authorization": "Bearer secret"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "source: is no source of this, found '', allowed: file, elprisetjustnu"),
        ("nordpol:SE3", "source: is no source of this, found 'nordpol'"),
        ("entsoee:SE3", "source: is no source of this, found 'entsoee', allowed: entsoe,"),
        ("elprisetjustnu", "elprisetjustnu: needs an area, allowed: such as elprisetjustnu:SE3"),
        ("elprisetjustnu:SE5", "area: is unknown, found 'SE5', allowed: SE"),
        ("elprisetjustnu:../..", "area: is no area, found '../..', allowed: such as SE3"),
        ("entsoe:DE-LU", "token: is missing, allowed: entsoe:...?token=..., or VOLTBENCH_ENTSOE_TOKEN in the env"),
        ("entsoe:DE-LX?token=x", "area: is unknown, found 'DE-LX', allowed: DE-LU"),
        ("entsoe:DE-LU?token=a%20b", "token: has a character that no token has"),
        ("entsoe:DE-LU?token=x&sequence=first", "sequence: is no number of an auction, found 'first'"),
        ("tibber:cottage?token=x", "tibber: takes no name, found 'cottage', allowed: tibber?home=..."),
        ("tibber?token=x&resolution=day", "resolution: is unknown, found 'day', allowed: quarter, hour"),
        ("awattar:fr", "country: is unknown, found 'fr', allowed: at, de"),
        ("octopus:AGILE", "tariff: is no tariff of one rate, found 'AGILE'"),
        ("octopus:AGILE-24/../../C-C", "tariff: is no tariff of one rate"),
        ("file:", "file: needs a path, allowed: such as file:prices.csv"),
        ("file:p.csv?vat=maybe", "vat: is unknown, found 'maybe', allowed: included, excluded"),
        (
            "file:p.csv?zone=Europe/Stokholm",
            "zone: is no time zone, found 'Europe/Stokholm', allowed: Europe/Stockholm",
        ),
        ("file:p.csv?url=http://a", "source: has an option that is unknown, found 'url', allowed: currency, vat, zone"),
        ("awattar:de?url=ftp://a", "url: is no address of a service, found 'ftp://a'"),
        ("awattar:de?url=http://a&url=http://b", "url: is said twice"),
        ("awattar:de?url", "source: has options that cannot be read"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: str, message: str):
    with pytest.raises(InvalidInput) as refused:
        price_source(text, {})
    assert str(refused.value).startswith(message)


def test_a_token_is_in_no_message():
    with pytest.raises(InvalidInput) as refused:
        price_source("tibber?token=s%C3%A9cret", {})
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["file:/etc/passwd", "awattar:de?url=http://169.254.169.254", "tibber?token=x&url=http://a"]
)
def test_a_strangers_text_names_neither_files_nor_addresses(text: str):
    with pytest.raises(InvalidInput, match=r"source: (names a file|has an option that is unknown)"):
        price_source(text, {}, trusted=False)


def test_only_energy_charts_knows_carbon_intensities():
    with pytest.raises(InvalidInput, match="source: is no source of this, found 'awattar', allowed: energy-charts"):
        co2_source("awattar:de", {})
    assert len(SOURCES) == 7
