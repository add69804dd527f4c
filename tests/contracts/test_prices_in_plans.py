"""`POST /plans` with prices that somebody else knows, and with tariffs in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests import price_services as services
from tests.apis import a_bench
from tests.local_time import AUTUMN, MONDAY, SPRING, at
from tests.price_services import KINDS, Kind, Market, Told, Web, price_at, serving
from voltbench.apps import plan_request
from voltbench.apps.plan_request import priced, request_in
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.calendar import day_start

QUARTER_MS = MS_PER_HOUR // 4
STOCKHOLM = "Europe/Stockholm"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def web(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Where the service is asked; what it answers is said by the test."""
    with serving(lambda _: Told(500)) as server:
        name = kind.text.partition(":")[0].partition("?")[0].upper().replace("-", "_")
        monkeypatch.setenv(f"VOLTBENCH_{name}_URL", server.url)
        yield server


def a_day(kind: Kind, day: date, **more: Any) -> dict[str, Any]:
    """A car that stays for a local day, with prices of a service."""
    zone = ZoneInfo(kind.zone)
    body = a_plan(day_start(day, zone), day_start(day + timedelta(days=1), zone))
    return body | {"source": kind.text.rstrip("?&")} | more


def a_plan(starts_at: Instant, ends_at: Instant, **more: Any) -> dict[str, Any]:
    car = {"id": "ada", "arrives_at_ms": starts_at, "departs_at_ms": ends_at, "needed_wh": 20_000, "max_power_w": 4_000}
    return {"starts_at_ms": starts_at, "slot_minutes": 15, "cars": [car]} | more


async def planned(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/plans", json=body)
    assert answer.status_code == 201, answer.text
    plan: dict[str, Any] = answer.json()
    return plan


# --- services --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "hours"), [(MONDAY, 24), (SPRING, 23), (AUTUMN, 25)])
async def test_prices_of_every_service_fill_a_day_of_any_length(
    kind: Kind, web: Web, day: date, hours: int, tmp_path: Path
):
    market = Market(ZoneInfo(kind.zone), day, day + timedelta(days=1), kind.slot_ms)
    web.answering = kind.serve(market)
    async with a_bench(tmp_path) as client:
        plan = await planned(client, a_day(kind, day))
    starts_at = plan["starts_at_ms"]
    slots = [starts_at + i * QUARTER_MS for i in range(hours * 4)]
    prices = [price_at(slot - slot % kind.slot_ms) for slot in slots]
    assert plan["prices_per_kwh"] == pytest.approx(prices, abs=1e-5)
    assert plan["prices_known_until_ms"] == starts_at + hours * MS_PER_HOUR
    assert (plan["currency"], plan["shortfall_wh"]) == (kind.currency, 0.0)


async def test_until_tomorrow_is_published_it_is_taken_to_be_like_today(kind: Kind, web: Web, tmp_path: Path):
    zone = ZoneInfo(kind.zone)
    web.answering = kind.serve(Market(zone, MONDAY, MONDAY, kind.slot_ms))
    noon = day_start(MONDAY, zone) + 12 * MS_PER_HOUR
    body = a_plan(noon, noon + 20 * MS_PER_HOUR, source=kind.text.rstrip("?&"))
    async with a_bench(tmp_path) as client:
        plan = await planned(client, body)
    midnight = noon - 12 * MS_PER_HOUR
    like = [price_at(slot - slot % kind.slot_ms) for slot in range(midnight, midnight + 8 * MS_PER_HOUR, QUARTER_MS)]
    assert plan["prices_known_until_ms"] == noon + 12 * MS_PER_HOUR
    assert plan["prices_per_kwh"][48:] == pytest.approx(like, abs=1e-5), "the hours of this morning"


FAULTS = (
    (Told(500, b"<html>sorry</html>"), 503),
    (Told(429), 503),
    (Told(302, headers={"Location": "http://127.0.0.1:1/"}), 503),
    (Told(200, b'{"data": [', length=1_000), 503),
    (Told(200, b"<html>Hello</html>"), 502),
    (Told(200, b"\xff\xfe"), 502),
    (Told(200, b'{"data": 1}'), 502),
    (Told(401), 422),
)


def _always(told: Told, _: services.Asked) -> Told:
    return told


async def test_whose_fault_it_is_that_there_are_no_prices(kind: Kind, web: Web, tmp_path: Path):
    async with a_bench(tmp_path) as client:
        for told, status in FAULTS:
            web.answering = partial(_always, told)
            answer = await client.post("/plans", json=a_day(kind, MONDAY))
            assert answer.status_code == status, (told, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert services.SECRET not in answer.text


async def test_a_service_that_hangs_is_not_waited_for(
    kind: Kind, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plan_request, "PATIENCE_S", 0.2)
    web.answering = lambda _: Told(delay=web.enough)
    async with a_bench(tmp_path) as client:
        answer = await client.post("/plans", json=a_day(kind, MONDAY))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await client.get("/health")).status_code == 200


async def test_a_battery_alone_is_planned_as_far_as_prices_are_known(kind: Kind, web: Web, tmp_path: Path):
    zone = ZoneInfo(kind.zone)
    web.answering = kind.serve(Market(zone, MONDAY, MONDAY, kind.slot_ms))
    noon = day_start(MONDAY, zone) + 12 * MS_PER_HOUR
    storage = {"capacity_wh": 10_000, "stored_wh": 5_000, "charge_w": 5_000, "discharge_w": 5_000}
    body = {"starts_at_ms": noon, "cars": [], "storage": storage, "load_w": 500, "source": kind.text.rstrip("?&")}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, body)
    assert len(plan["place"]["storage_w"]) == 48


async def test_a_day_of_which_nothing_is_published_is_not_there(kind: Kind, web: Web, tmp_path: Path):
    web.answering = kind.serve(Market(ZoneInfo(kind.zone), MONDAY, MONDAY, kind.slot_ms))
    async with a_bench(tmp_path) as client:
        assert (await client.post("/plans", json=a_day(kind, AUTUMN))).status_code == 404


# --- tariffs in words ------------------------------------------------------------------------------------------------

NIGHT: dict[str, Any] = {"from": "22:00", "until": "06:00", "price_per_kwh": 0.1}
WINTER_DAY = {
    "from": "06:00", "until": "22:00", "weekdays": "working_days", "season": ["11-01", "03-31"], "price_per_kwh": 0.5
}  # fmt: skip


@pytest.mark.parametrize(("day", "quarters", "cheap"), [("2026-10-25", 100, 6 * 4 + 4), ("2026-03-29", 92, 6 * 4 - 4)])
async def test_time_of_use_follows_local_clocks_on_days_when_they_change(
    tmp_path: Path, day: str, quarters: int, cheap: int
):
    starts_at = at(day)
    ends_at = day_start(date.fromisoformat(day) + timedelta(days=1), ZoneInfo(STOCKHOLM))
    tariff = {"zone": STOCKHOLM, "currency": "SEK", "time_of_use": {"price_per_kwh": 0.3, "rates": [NIGHT]}}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, a_plan(starts_at, ends_at, tariff=tariff))
    assert plan["prices_per_kwh"] == pytest.approx([0.1] * cheap + [0.3] * (quarters - cheap - 8) + [0.1] * 8)
    assert (plan["currency"], plan["prices_known_until_ms"]) == ("SEK", ends_at)


async def test_fees_and_vat_are_added_to_prices_that_are_given(tmp_path: Path):
    starts_at = at("2026-01-15T05:00")  # a Thursday
    tariff = {"zone": STOCKHOLM, "markup": 0.1, "fees_per_kwh": 0.2, "vat": 0.25,
              "grid_fee": {"price_per_kwh": 0.05, "rates": [WINTER_DAY]}}  # fmt: skip
    body = a_plan(starts_at, starts_at + 2 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[1.0, -1.0], tariff=tariff)
    async with a_bench(tmp_path) as client:
        assert (await planned(client, body))["prices_per_kwh"] == pytest.approx([1.6875, -0.5])
        holiday = tariff | {"holidays": ["2026-01-15"]}
        assert (await planned(client, body | {"tariff": holiday}))["prices_per_kwh"][1] == pytest.approx(-1.0625)
        nobody = await planned(client, body | {"cars": [], "load_w": 100})
        assert len(nobody["prices_per_kwh"]) == 2
        short = {name: part for name, part in body.items() if name != "tariff"} | {"fees_per_kwh": 0.2, "vat": 0.25}
        assert (await planned(client, short))["prices_per_kwh"] == pytest.approx([1.5, -1.0])


async def test_what_nobody_knows_yet_is_like_the_same_local_hour_of_the_last_day(tmp_path: Path):
    """Clocks are set back in the night to Sunday: at nine by the clock it is 25 hours after nine on Saturday."""
    nine = at("2026-10-24T09:00")
    given = [0.9, 0.1, 0.5, 0.3] + [0.4] * 11
    tariff = {"zone": STOCKHOLM, "vat": 0.0, "fees_per_kwh": 0.1}
    body = a_plan(nine, nine + 28 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=given)
    async with a_bench(tmp_path) as client:
        by_clocks = (await planned(client, body | {"tariff": tariff}))["prices_per_kwh"]
        of_nobody = (await planned(client, body))["prices_per_kwh"]
    mean = sum(given) / 15
    night = [mean] * 10
    assert by_clocks[15:] == pytest.approx([price + 0.1 for price in [*night, 0.9, 0.1, 0.5]])
    assert of_nobody[15:] == pytest.approx([*night[:9], 0.9, 0.1, 0.5, 0.3])


def test_feeding_in_is_foreseen_as_prices_are():
    starts_at = at("2026-06-01T12:00")
    body = a_plan(starts_at, starts_at + 26 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[0.5, -0.2] + [0.1] * 10)
    body |= {"tariff": {"feed_in": {"market_share": 1.0}, "zone": STOCKHOLM}}
    asked = priced(request_in(json.dumps(body).encode()), {}).asked
    assert isinstance(asked.export_prices_per_kwh, list)
    assert asked.export_prices_per_kwh[24:] == pytest.approx([0.5, -0.2])


async def test_feeding_in_earns_a_share_of_the_market(tmp_path: Path):
    starts_at = at("2026-06-01T12:00")
    tariff = {"vat": 0.25, "feed_in": {"market_share": 1.0, "per_kwh": -0.1, "least_per_kwh": 0.0}}
    body = a_plan(starts_at, starts_at + 2 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[0.5, -0.2])
    body |= {"tariff": tariff, "cars": [], "generation_w": 1_000}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, body)
    assert plan["place"]["export_w"][0] == pytest.approx(1_000.0)
    assert plan["cost"] == pytest.approx(-0.4)


async def test_carbon_of_a_source_counts_by_its_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    starts_at = at("2026-06-01T12:00")
    clean = starts_at + MS_PER_HOUR
    seconds = [(starts_at + i * QUARTER_MS) // 1_000 for i in range(8)]
    grams = [400.0 if second * 1_000 < clean else 20.0 for second in seconds]
    told = services.as_json({"unix_seconds": seconds, "co2eq": grams})
    body = a_plan(starts_at, starts_at + 2 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[0.1, 0.12])
    body |= {"tariff": {"co2_source": "energy-charts:se"}, "co2_price_per_kg": 0.1}
    body["cars"][0]["needed_wh"] = 3_000
    with serving(lambda _: told) as server:
        monkeypatch.setenv("VOLTBENCH_ENERGY_CHARTS_URL", server.url)
        async with a_bench(tmp_path) as client:
            plan = await planned(client, body)
    assert plan["cars"][0]["slot_energy_wh"] == pytest.approx([0.0, 3_000.0])
    assert plan["place"]["co2_g"] == pytest.approx(60.0)


PEAK: dict[str, Any] = {"price_per_kw": 60.0, "count": 3}


async def test_a_peak_tariff_spreads_what_would_be_a_peak(tmp_path: Path):
    starts_at = at("2026-06-01T18:00")
    body = a_plan(starts_at, starts_at + 4 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[0.1, 0.2, 0.2, 0.2])
    body["cars"][0]["needed_wh"] = 4_000
    seen = [{"starts_at_ms": at(f"2026-06-{day:02}T07:00"), "power_w": 500.0} for day in (2, 3, 4)]
    body |= {"tariff": {"zone": STOCKHOLM, "peak": PEAK}, "peak_hours_so_far": seen, "load_w": 100}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, body)
        assert max(plan["cars"][0]["slot_energy_wh"]) == pytest.approx(1_000.0, abs=1.0)
        assert plan["peak_charge"] == pytest.approx(60.0 * 0.6 / 3, abs=0.1)
        assert plan["cost"] == pytest.approx(0.1 + 3 * 0.2 + plan["peak_charge"], abs=0.01)
        free: dict[str, Any] = body["tariff"] | {"peak": PEAK | {"weights": [{"weight": 0.0}]}}
        plan = await planned(client, body | {"tariff": free})
        assert (max(plan["cars"][0]["slot_energy_wh"]), plan["peak_charge"]) == (pytest.approx(4_000.0), 0.0)


PRICES: dict[str, Any] = {"prices_per_kwh": [0.1] * 8}
WRONG_RATES: list[tuple[dict[str, Any], str]] = [
    ({"from": "25:00"}, "from"),
    ({"until": "7"}, "until"),
    ({"weekdays": ["monday"]}, "weekdays[0]"),
    ({"weekdays": "holidays"}, "weekdays"),
    ({"season": ["02-30", "03-01"]}, "season[0]"),
    ({"season": ["winter"]}, "season"),
    ({"price": 1}, "price"),
]
TIME_OF_USE: dict[str, Any] = {"price_per_kwh": 0.3, "rates": [NIGHT]}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"source": "nordpool:SE3"}, "source"),
        ({"source": "elprisetjustnu:SE9"}, "source.area"),
        ({"source": "entsoe:SE3"}, "source.token"),
        ({"source": "tibber?token=a%20b"}, "source.token"),
        ({"tariff": {"source": "elprisetjustnu:SE9"}}, "tariff.source.area"),
        ({"tariff": {"source": "file:/etc/passwd"}}, "tariff.source"),
        ({"tariff": {"source": "awattar:de?url=http://localhost"}}, "tariff.source"),
        ({"tariff": {"source": "awattar:de", "time_of_use": TIME_OF_USE}}, "tariff.source"),
        ({"tariff": {}}, "prices_per_kwh"),
        (PRICES | {"tariff": {"source": "awattar:de"}}, "prices_per_kwh"),
        (PRICES | {"tariff": {"vat": 0.25}, "vat": 0.25}, "vat"),
        (PRICES | {"tariff": {"vat": 25}}, "tariff.vat"),
        (PRICES | {"tariff": {"grid_fee": TIME_OF_USE}}, "tariff.zone"),
        (PRICES | {"tariff": {"peak": PEAK}}, "tariff.zone"),
        (PRICES | {"tariff": {"zone": "Europe/Skovde", "peak": PEAK}}, "tariff.zone"),
        (PRICES | {"tariff": {"zone": "../etc/passwd", "peak": PEAK}}, "tariff.zone"),
        (PRICES | {"tariff": {"peak": PEAK | {"count": 0}}}, "tariff.peak.count"),
        (PRICES | {"tariff": {"peak": {}}}, "tariff.peak.price_per_kw"),
        (PRICES | {"tariff": {"peak": PEAK, "zone": "UTC"}, "demand_price_per_kw": 1}, "demand_price_per_kw"),
        (PRICES | {"peak_hours_so_far": [{"starts_at_ms": 1, "power_w": 1}]}, "peak_hours_so_far"),
        (
            PRICES | {"tariff": {"vat": 0.1}, "peak_hours_so_far": [{"starts_at_ms": 1, "power_w": 1}]},
            "peak_hours_so_far",
        ),
        (PRICES | {"tariff": {"currency": "SEK"}, "currency": "EUR"}, "currency"),
        (PRICES | {"tariff": {"holidays": ["25 December"]}}, "tariff.holidays[0]"),
        (PRICES | {"tariff": {"feed_in": {}}, "export_prices_per_kwh": 0.1}, "export_prices_per_kwh"),
        (
            PRICES | {"tariff": {"prices_include_vat": True, "feed_in": {"market_share": 1}}},
            "tariff.feed_in.market_share",
        ),
        (PRICES | {"tariff": {"co2_source": "energy-charts:de"}}, "co2_price_per_kg"),
        (PRICES | {"tariff": {"co2_source": "awattar:de"}, "co2_price_per_kg": 0.1}, "tariff.co2_source"),
        ({"tariff": {"zone": "UTC", "time_of_use": {"rates": []}}}, "tariff.time_of_use.price_per_kwh"),
        *(
            (
                {"tariff": {"zone": "UTC", "time_of_use": TIME_OF_USE | {"rates": [NIGHT | wrong]}}},
                f"tariff.time_of_use.rates[0].{field}",
            )
            for wrong, field in WRONG_RATES
        ),
        (PRICES | {"starts_at_ms": -1}, "starts_at_ms"),
        (PRICES | {"starts_at_ms": 10**15}, "starts_at_ms"),
    ],
)
def test_what_is_wrong_with_a_tariff_is_named(more: dict[str, Any], field: str):
    starts_at = at("2026-06-01T12:00")
    body = a_plan(starts_at, starts_at + 2 * MS_PER_HOUR) | more
    with pytest.raises(InvalidInput) as refused:
        priced(request_in(json.dumps(body).encode()), {})
    assert refused.value.field == field


async def test_prices_in_another_currency_than_is_said_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kind = KINDS["awattar"]
    with serving(kind.serve(Market(ZoneInfo(kind.zone), MONDAY, MONDAY, kind.slot_ms))) as server:
        monkeypatch.setenv("VOLTBENCH_AWATTAR_URL", server.url)
        async with a_bench(tmp_path) as client:
            answer = await client.post("/plans", json=a_day(kind, MONDAY, currency="SEK"))
            assert (answer.status_code, answer.json()["field"], answer.json()["allowed"]) == (422, "currency", "EUR")


AT_SIX = {"price_per_kwh": 0.1, "from": "06:00", "until": "07:00"}


@pytest.mark.parametrize("minutes", [30, 37, 60])
async def test_what_is_known_of_the_slot_of_the_last_departure_counts(tmp_path: Path, minutes: int):
    night = at("2026-03-03T02:00")
    body = a_plan(night, night + 4 * MS_PER_HOUR + minutes * MS_PER_HOUR // 60, slot_minutes=60)
    cheap_at_six = {"zone": STOCKHOLM, "time_of_use": {"price_per_kwh": 1.0, "rates": [AT_SIX]}}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, body | {"tariff": cheap_at_six})
    assert plan["prices_per_kwh"] == [1.0] * 4 + [0.1]
    assert plan["prices_known_until_ms"] == night + 5 * MS_PER_HOUR


def test_a_fee_that_is_known_is_added_to_a_price_that_is_not():
    """Of four hours the market is known; what the grid takes in the fifth stands in the tariff."""
    night = at("2026-03-03T02:00")
    body = a_plan(night, night + 5 * MS_PER_HOUR, slot_minutes=60, prices_per_kwh=[0.1, 0.2, 0.3, 0.4])
    fee = {"price_per_kwh": 0.5, "rates": [{"price_per_kwh": 2.0, "from": "06:00", "until": "07:00"}]}
    plan = priced(request_in(json.dumps(body | {"tariff": {"zone": STOCKHOLM, "grid_fee": fee}}).encode()), {})
    assert plan.prices_per_kwh == pytest.approx([0.6, 0.7, 0.8, 0.9, 0.25 + 2.0])
    assert plan.known_slots == 4


@pytest.mark.parametrize("zone", ["/etc/localtime", "localtme", "Europe/Stokholm"])
def test_what_is_no_zone_hears_what_one_is_like(zone: str):
    body = a_plan(at("2026-03-03T02:00"), at("2026-03-03T04:00")) | PRICES | {"tariff": {"zone": zone, "peak": PEAK}}
    with pytest.raises(InvalidInput) as refused:
        priced(request_in(json.dumps(body).encode()), {})
    assert refused.value.field == "tariff.zone"
    assert str(refused.value.allowed).startswith("an IANA zone such as Europe/Stockholm")


async def test_a_service_that_answers_nothing_at_all_is_told_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with serving(partial(_always, Told(200, b"null"))) as server:
        monkeypatch.setenv("VOLTBENCH_ELPRISETJUSTNU_URL", server.url)
        async with a_bench(tmp_path) as client:
            answer = await client.post("/plans", json=a_day(KINDS["elprisetjustnu"], MONDAY))
    assert answer.status_code == 502
    assert "makes no sense: answer" in answer.text
