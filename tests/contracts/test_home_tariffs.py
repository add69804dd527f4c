"""Homes whose prices are those of a tariff in words, on one day; and what their client makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests import price_services as services
from tests.home_proxy import answering
from tests.homes import JSON, Station, a_home_station
from tests.local_time import AUTUMN, MONDAY, SPRING
from tests.price_services import KINDS, Kind, Market, Told, Web, price_at, serving
from voltbench.adapters.home_station import HomeStation
from voltbench.adapters.store import Store
from voltbench.apps import homes as homes_room
from voltbench.apps.homes import Homes
from voltbench.errors import NotFound, Unavailable
from voltbench.quantities import MS_PER_HOUR
from voltbench.site.calendar import day_start

NIGHT = {"price_per_kwh": 1.5, "rates": [{"from": "22:00", "until": "06:00", "price_per_kwh": 0.5}]}
DAY_AHEAD = "elprisetjustnu:SE3"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Whoever knows prices; what is answered is said by the test."""
    with serving(lambda _: Told(500)) as server:
        for kind in KINDS.values():
            name = kind.text.partition(":")[0].partition("?")[0].upper().replace("-", "_")
            monkeypatch.setenv(f"VOLTBENCH_{name}_URL", server.url)
        yield server


async def put(station: Station, **home: Any) -> tuple[int, dict[str, Any]]:
    said = await station.ask("PUT", "/homes/villa", json.dumps(home).encode(), content_type=JSON)
    return said.status, json.loads(said.body)


async def prices(station: Station) -> list[float]:
    told: list[float] = json.loads(await station.get("/homes/villa/priceperhour"))
    return told


# --- a day's prices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "hours"), [(MONDAY, 24), (SPRING, 23), (AUTUMN, 25)])
async def test_every_source_fills_a_day_of_any_length(kind: Kind, web: Web, day: date, hours: int):
    zone = ZoneInfo(kind.zone)
    web.answering = kind.serve(Market(zone, day - timedelta(days=1), day + timedelta(days=1), kind.slot_ms))
    tariff = {"source": kind.text.rstrip("?&"), "date": day.isoformat(), "zone": kind.zone}
    async with a_home_station() as station:
        status, home = await put(station, tariff=tariff)
        found = await prices(station)
    assert (status, home["currency"]) == (201, kind.currency)
    starts_at = day_start(day, zone)
    quarters = [starts_at + i * MS_PER_HOUR // 4 for i in range(hours * 4)]
    every = 4 if kind.slot_ms == MS_PER_HOUR else 1
    assert found == pytest.approx([100 * price_at(at - at % kind.slot_ms) for at in quarters[::every]], abs=1e-3)
    assert home["model"]["price_ore_per_kwh"] == found
    assert (home["tariff"]["date"], home["tariff"]["zone"]) == (day.isoformat(), kind.zone)
    assert home["state"]["hour"] == 0


async def test_time_of_use_with_fees_and_vat_in_the_course_s_zone():
    tariff = {"time_of_use": NIGHT, "fees_per_kwh": 0.1, "vat": 0.25, "date": "2026-01-12"}
    async with a_home_station() as station:
        status, home = await put(station, tariff=tariff, load_w=[500] * 24)
        found = await prices(station)
        again = json.loads(await station.get("/homes/villa"))
    assert (status, home["currency"], home["moves"]) == (201, "SEK", "exactly")
    assert found == [75.0] * 6 + [200.0] * 16 + [75.0] * 2
    rates = [{"weekdays": "every_day", "season": None, "from": "22:00", "until": "06:00", "price_per_kwh": 0.5}]
    told = tariff | {"time_of_use": {"price_per_kwh": 1.5, "rates": rates}, "zone": "Europe/Stockholm"}
    assert again["tariff"] == home["tariff"] == told


async def test_a_quarter_that_is_dearer_makes_it_a_day_of_quarters():
    rates = [{"from": "07:15", "until": "07:30", "price_per_kwh": 3}]
    async with a_home_station() as station:
        tariff = {"time_of_use": {"price_per_kwh": 1, "rates": rates}, "currency": "EUR", "date": SPRING.isoformat()}
        status, home = await put(station, tariff=tariff, load_w=[700] * 92)
        found = await prices(station)
    assert (status, len(found), found.index(300.0)) == (201, 92, 6 * 4 + 1)
    assert (home["currency"], len(home["model"]["load_w"])) == ("EUR", 92)


async def test_without_a_date_it_is_today(web: Web):
    zone = ZoneInfo("Europe/Stockholm")
    web.answering = services.elprisetjustnu(Market(zone, MONDAY, MONDAY, MS_PER_HOUR))
    evening = day_start(MONDAY, zone) + 23 * MS_PER_HOUR
    found = Homes(now=lambda: evening)
    await found.ask("villa", json.dumps({"tariff": {"source": DAY_AHEAD}}).encode())
    tariff = found.home("villa").tariff
    assert tariff is not None
    assert tariff.date == MONDAY.isoformat()
    with pytest.raises(NotFound):
        await Homes(now=lambda: evening + 2 * MS_PER_HOUR).ask("villa", b'{"tariff": {"source": "elprisetjustnu:SE3"}}')


async def test_a_token_is_neither_told_nor_kept(web: Web, tmp_path: Any):
    kind = KINDS["entsoe"]
    web.answering = kind.serve(Market(ZoneInfo(kind.zone), MONDAY, MONDAY, kind.slot_ms))
    source = kind.text.partition("?")[0] + "?tok%65n=SECRET"
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    made = await Homes.open(store)
    tariff = {"source": source, "zone": kind.zone, "date": MONDAY.isoformat()}
    await made.ask("villa", json.dumps({"tariff": tariff}).encode())
    kept = await store.homes()
    await store.close()
    assert "SECRET" not in kept["villa"]
    assert "SECRET" not in str(made.home("villa").tariff)


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("home", "status", "field"),
    [
        ({"tariff": {"source": "nobody:SE3"}}, 422, "tariff.source"),
        ({"tariff": {"source": "file:/etc/passwd"}}, 422, "tariff.source"),
        ({"tariff": {"source": f"{DAY_AHEAD}?url=http://127.0.0.1:1"}}, 422, "tariff.source"),
        ({"tariff": {}}, 422, "tariff.source"),
        ({"tariff": {"source": DAY_AHEAD, "time_of_use": NIGHT}}, 422, "tariff.source"),
        ({"tariff": {"time_of_use": NIGHT, "date": "tomorrow"}}, 422, "tariff.date"),
        ({"tariff": {"time_of_use": NIGHT, "date": "0001-01-01"}}, 422, "tariff.date"),
        ({"tariff": {"time_of_use": NIGHT, "zone": "Europe/Skövde"}}, 422, "tariff.zone"),
        ({"tariff": {"time_of_use": NIGHT, "date": "2026-04-05", "zone": "Australia/Lord_Howe"}}, 422, "tariff.date"),
        ({"tariff": {"time_of_use": NIGHT, "feed_in": {"per_kwh": 0.1}}}, 422, "tariff.feed_in"),
        ({"tariff": {"time_of_use": NIGHT}, "price_ore_per_kwh": [1] * 24}, 422, "price_ore_per_kwh"),
        ({"tariff": {"time_of_use": NIGHT, "currency": "EUR"}, "currency": "SEK"}, 422, "currency"),
        ({"tariff": {"time_of_use": NIGHT, "date": "2026-01-12"}, "load_w": [1] * 92}, 422, "load_w"),
        ({"tariff": {"time_of_use": {"price_per_kwh": 1e5}}}, 422, "tariff.price_ore_per_kwh[0]"),
        ({"tariff": {"time_of_use": NIGHT, "colour": "green"}}, 422, "tariff.colour"),
        ({"tariff": {"source": DAY_AHEAD}}, 503, None),
    ],
)
async def test_a_tariff_that_cannot_be_is_refused(web: Web, home: dict[str, Any], status: int, field: str | None):
    async with a_home_station() as station:
        said, problem = await put(station, **home)
        assert (said, problem.get("field")) == (status, field), problem
        assert (await station.ask("GET", "/homes/villa")).status == 404


@pytest.mark.parametrize(("told", "status"), [(Told(200, b"<html>"), 502), (Told(404), 404), (Told(429), 503)])
async def test_a_source_that_does_not_tell_is_told_apart(web: Web, told: Told, status: int):
    web.answering = lambda _: told
    async with a_home_station() as station:
        assert (await put(station, tariff={"source": DAY_AHEAD, "date": MONDAY.isoformat()}))[0] == status


async def test_a_day_that_is_known_in_part_is_not_known(web: Web):
    zone = ZoneInfo("Europe/Stockholm")
    web.answering = services.elprisetjustnu(Market(zone, MONDAY, MONDAY, MS_PER_HOUR))
    async with a_home_station() as station:
        tariff = {"source": DAY_AHEAD, "date": MONDAY.isoformat(), "zone": "America/New_York"}
        status, problem = await put(station, tariff=tariff)
    assert status == 404
    assert MONDAY.isoformat() in problem["detail"]


async def test_there_is_an_end_to_who_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(homes_room, "MOST_WAITING", 0)
    with pytest.raises(Unavailable):
        await Homes().ask("villa", b"{}")


# --- kept ------------------------------------------------------------------------------------------------------------


async def test_a_tariff_and_its_prices_outlast_a_restart_and_nobody_is_asked_again(url: str, web: Web):
    zone = ZoneInfo("Europe/Stockholm")
    web.answering = services.elprisetjustnu(Market(zone, MONDAY, MONDAY, MS_PER_HOUR // 4))
    store = await Store.open(url)
    made = await Homes.open(store)
    tariff = {"source": DAY_AHEAD, "date": MONDAY.isoformat(), "vat": 0.25}
    await made.ask("villa", json.dumps({"tariff": tariff, "cap_soc": 0.8}).encode())
    await store.close()
    web.answering = lambda _: Told(500)
    store = await Store.open(url)
    found = await Homes.open(store)
    await store.close()
    villa = found.home("villa")
    assert (villa.model, villa.tariff) == (made.home("villa").model, made.home("villa").tariff)
    assert len(villa.model.price_ore_per_kwh) == 96
    assert villa.tariff is not None
    assert (villa.tariff.source, villa.tariff.vat) == (DAY_AHEAD, 0.25)


# --- its client -------------------------------------------------------------------------------------------------------


async def test_the_client_learns_the_currency_where_a_home_tells_it():
    async with a_home_station() as home:
        await put(home, currency="EUR")
        url = f"http://{home.address[0]}:{home.address[1]}"
        for address, said, currency in (
            (f"{url}/homes/villa", None, "EUR"),
            (f"{url}/homes/villa/", "CHF", "CHF"),
            (url, None, "SEK"),
        ):
            async with HomeStation(address, currency=said) as station:
                assert (await station.household()).currency == currency


async def test_a_station_that_has_no_such_page_counts_in_ore():
    async with answering(200, str([1.0] * 24)) as url, HomeStation(url) as station:
        assert (await station.household()).currency == "SEK"
