"""What is special about single services: what they are asked in their words, and what only they can answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import price_services as services
from tests.local_time import MONDAY, TUESDAY
from tests.price_services import (
    HALF_MS,
    QUARTER_MS,
    Answering,
    Asked,
    Market,
    Told,
    a_series,
    acknowledgement,
    as_json,
    publication,
    serving,
)
from voltbench.adapters.prices.areas import EIC, check_character, eic_of
from voltbench.adapters.prices.choose import co2_source, price_source
from voltbench.adapters.prices.octopus import Octopus
from voltbench.adapters.prices.web import Service
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.calendar import day_start
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

BERLIN, STOCKHOLM, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Stockholm"), ZoneInfo("Europe/London")
START, END = day_start(MONDAY, BERLIN), day_start(TUESDAY, BERLIN)
A_DAY = Market(BERLIN, MONDAY, MONDAY)


async def asked(text: str, answering: Answering, starts_at: Instant = START, ends_at: Instant = END) -> Prices:
    with serving(answering) as server:
        return await price_source(f"{text}{'&' if '?' in text else '?'}url={server.url}", {}).prices(starts_at, ends_at)


def always(told: Told) -> Answering:
    return lambda _: told


def quarters(prices_per_mwh: list[float], slot_ms: int = QUARTER_MS) -> list[tuple[Instant, Instant, float]]:
    return [(START + i * slot_ms, START + (i + 1) * slot_ms, p / 1e3) for i, p in enumerate(prices_per_mwh)]


# --- ENTSO-E ---------------------------------------------------------------------------------------------------------

ENTSOE = "entsoe:DE-LU?token=secret"


async def test_entsoe_is_asked_in_its_words():
    with serving(services.entsoe(A_DAY)) as server:
        await price_source(f"{ENTSOE}&url={server.url}", {}).prices(START, END)
    (question,) = server.asked
    assert (question.method, question.path) == ("GET", "/api")
    assert question.query == {
        "documentType": "A44",
        "in_Domain": "10Y1001A1001A82H",
        "out_Domain": "10Y1001A1001A82H",
        "periodStart": "202605312200",
        "periodEnd": "202606012200",
        "securityToken": "secret",
    }


async def test_entsoe_leaves_out_what_repeats_and_it_is_there_again():
    told = publication(a_series(quarters([10, 10, 20, 20, 20, -5, 10, 10]), QUARTER_MS))
    assert told.content.count(b"<Point>") == 4
    prices = await asked(ENTSOE, always(told))
    assert [slot.per_kwh for slot in prices.slots] == [0.01, 0.01, 0.02, 0.02, 0.02, -0.005, 0.01, 0.01]
    assert prices.slots.ends_at == START + 8 * QUARTER_MS


async def test_with_curve_type_a01_a_missing_position_is_a_gap():
    told = publication(a_series(quarters([10, 20, 30, 40]), QUARTER_MS, curve="A01"))
    gap = Told(
        200, told.content.replace(b"<Point><position>2</position><price.amount>20.00</price.amount></Point>", b"")
    )
    prices = await asked(ENTSOE, always(gap))
    assert len(prices.slots) == 3
    assert prices.known_until(START) == START + QUARTER_MS


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_auctions_the_coupled_one_counts_whichever_comes_first(order: int):
    coupled = a_series(quarters([10, 11]), QUARTER_MS)
    exaa = a_series(quarters([20, 21]), QUARTER_MS, sequence=2)
    intraday = a_series(quarters([30, 31]), QUARTER_MS, contract="A07")
    told = publication("".join([exaa, intraday, coupled][::order]))
    assert [slot.per_kwh for slot in (await asked(ENTSOE, always(told))).slots] == [0.01, 0.011]
    assert [slot.per_kwh for slot in (await asked(f"{ENTSOE}&sequence=2", always(told))).slots] == [0.02, 0.021]


async def test_another_auctions_prices_are_no_prices_of_the_coupled_one():
    with pytest.raises(NotFound):
        await asked(ENTSOE, always(publication(a_series(quarters([20]), QUARTER_MS, sequence=2))))


@pytest.mark.parametrize("order", [1, -1])
async def test_quarters_go_before_hours_and_hours_fill_in(order: int):
    hourly = a_series(quarters([10, 20], MS_PER_HOUR), MS_PER_HOUR, sequence=None)
    fine = a_series(quarters([11, 12, 13, 14]), QUARTER_MS, sequence=None)
    prices = await asked(ENTSOE, always(publication("".join([hourly, fine][::order]))))
    assert [slot.per_kwh for slot in prices.slots] == [0.011, 0.012, 0.013, 0.014, 0.02]
    assert prices.known_until(START) == START + 2 * MS_PER_HOUR


async def test_entsoe_publishes_in_other_currencies_too():
    told = publication(a_series(quarters([400]), QUARTER_MS, currency="PLN"))
    assert (await asked("entsoe:PL?token=secret", always(told))).currency == "PLN"


@pytest.mark.parametrize("status", [200, 400])
async def test_an_acknowledgement_of_no_data_means_that_nothing_is_published(status: int):
    with pytest.raises(NotFound):
        await asked(ENTSOE, always(acknowledgement("999", "No matching data found", status)))


async def test_any_other_acknowledgement_is_a_refusal():
    with pytest.raises(InvalidInput, match="refused, found 'The amount of requested data"):
        await asked(ENTSOE, always(acknowledgement("999", "The amount of requested data exceeds allowed limit", 400)))


@pytest.mark.parametrize(
    ("right", "wrong", "field"),
    [
        (b"PT15M", b"P1D", "resolution"),
        (b"<position>2<", b"<position>1<", "position"),
        (b"<position>2<", b"<position>3<", "position"),
        (b"<position>2<", b"<position>0<", "position"),
        (b"<position>2<", b"<position><", "position"),
        (b"2026-05-31T22:30Z", b"2026-05-31T22:31Z", "timeInterval"),
        (b"2026-05-31T22:30Z", b"2026-05-31T21:30Z", "timeInterval"),
        (b"2026-05-31T22:30Z", b"2026-05-31T22:30", "timeInterval.end"),
        (b">MWH<", b">KWH<", "unit"),
        (b">20.00<", b"><", "price.amount"),
        (b">20.00<", b">inf<", "price.amount"),
        (b"Publication_MarketDocument", b"GL_MarketDocument", "answer"),
        (b"\n<Publication", b"\n<!DOCTYPE a [<!ENTITY b 'c'>]><Publication", "answer"),
        (b"</TimeSeries>", b"", "answer"),
    ],
)
async def test_what_is_wrong_with_a_document_is_named(right: bytes, wrong: bytes, field: str):
    told = publication(a_series(quarters([10, 20]), QUARTER_MS))
    assert right in told.content
    with pytest.raises(RemoteProtocolError) as refused:
        await asked(ENTSOE, always(Told(200, told.content.replace(right, wrong))))
    assert f"makes no sense: {field}: " in str(refused.value)


def test_every_area_code_ends_with_the_character_that_follows_from_it():
    assert {name: check_character(code[:15]) for name, code in EIC.items()} == {n: c[15] for n, c in EIC.items()}


def test_an_area_may_be_named_by_its_code():
    assert eic_of("se3") == eic_of("10Y1001A1001A46L") == EIC["SE3"]
    with pytest.raises(InvalidInput, match="its last character does not fit"):
        eic_of("10Y1001A1001A46M")


# --- Octopus ---------------------------------------------------------------------------------------------------------


async def test_octopus_is_asked_for_page_after_page_and_nobody_else_is():
    market = Market(LONDON, MONDAY, MONDAY, HALF_MS)
    with serving(services.octopus(market)) as server:
        source = Octopus("E-1R-AGILE-24-10-01-C", Service(server.url), page_size=20)
        prices = await source.prices(day_start(MONDAY, LONDON), day_start(TUESDAY, LONDON))
    assert len(prices.slots) == 48
    assert [question.query["page"] for question in server.asked] == ["1", "2", "3"]
    path = "/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"
    assert {question.path for question in server.asked} == {path}
    assert server.asked[0].query["period_from"] == "2026-05-31T23:00:00Z"


def a_rate(price: float, since: str | None, until: str | None, method: str | None = None) -> dict[str, object]:
    return {"value_inc_vat": price, "valid_from": since, "valid_to": until, "payment_method": method}


async def test_a_rate_until_further_notice_holds_for_all_that_was_asked():
    rates = [a_rate(25.0, "2026-06-01T08:00:00Z", None), a_rate(20.0, None, "2026-06-01T08:00:00Z")]
    prices = await asked("octopus:VAR-22-11-01-A", always(as_json({"results": rates, "next": None})))
    switch = START + 10 * MS_PER_HOUR
    assert list(prices.slots) == [Slot(START, switch, 0.2), Slot(switch, END, 0.25)]


async def test_of_two_rates_that_of_direct_debit_counts():
    rates = [a_rate(20.0 + i, None, None, method) for i, method in enumerate(("NON_DIRECT_DEBIT", "DIRECT_DEBIT"))]
    prices = await asked("octopus:VAR-22-11-01-A", always(as_json({"results": rates, "next": None})))
    assert [slot.per_kwh for slot in prices.slots] == [0.21]


async def test_pages_without_end_are_not_all_read():
    with pytest.raises(RemoteProtocolError, match="answers with more than 20 pages"):
        await asked("octopus:VAR-22-11-01-A", always(as_json({"results": [], "next": "http://127.0.0.1/next"})))


async def test_a_tariff_that_octopus_does_not_know_is_not_found():
    with pytest.raises(NotFound, match="there is no page of 127"):
        await asked("octopus:AGILE-99-99-99-C", always(Told(404, b'{"detail": "Not found."}')))


# --- Tibber ----------------------------------------------------------------------------------------------------------


async def test_tibber_is_asked_for_quarters_with_the_token_in_a_header():
    with serving(services.tibber(Market(STOCKHOLM, MONDAY, MONDAY))) as server:
        await price_source(f"tibber?url={server.url}", {"VOLTBENCH_TIBBER_TOKEN": "secret"}).prices(START, END)
    (question,) = server.asked
    assert (question.method, question.path) == ("POST", "/v1-beta/gql")
    assert question.headers["authorization"] == "Bearer secret"
    query = json.loads(question.body)["query"]
    assert "priceInfo(resolution: QUARTER_HOURLY)" in query
    assert query.count("{") == query.count("}")


async def test_tibber_tells_hours_when_asked_for_hours():
    market = services.tibber(Market(STOCKHOLM, MONDAY, MONDAY, MS_PER_HOUR))
    assert len((await asked("tibber?token=secret&resolution=hour", market)).slots) == 24


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UNAUTHENTICATED", InvalidInput),
        ("RATE_LIMIT_EXCEEDED", Unavailable),
        ("GRAPHQL_VALIDATION_FAILED", RemoteProtocolError),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_tibbers_errors_say_who_can_act(code: str, error: type[Exception], status: int):
    told = as_json({"errors": [{"message": "no", "extensions": {"code": code}}], "data": None}, status)
    with pytest.raises(error):
        await asked("tibber?token=secret", always(told))


def homes(*ids: str) -> Told:
    def a_home(id: str, hour: int) -> dict[str, object]:
        today = [{"total": 1.0 + hour, "startsAt": f"2026-06-01T0{hour}:00:00.000+02:00", "currency": "NOK"}]
        return {"id": id, "currentSubscription": {"priceInfo": {"today": today, "tomorrow": []}}}

    return as_json({"data": {"viewer": {"homes": [a_home(id, i) for i, id in enumerate(ids)]}}})


async def test_who_has_two_homes_chooses_one():
    prices = await asked("tibber?token=secret&home=cottage", always(homes("flat", "cottage")))
    assert [slot.per_kwh for slot in prices.slots] == [2.0]
    with pytest.raises(InvalidInput, match="home: has to be chosen, allowed: flat, cottage"):
        await asked("tibber?token=secret", always(homes("flat", "cottage")))
    with pytest.raises(InvalidInput, match="home: has no contract, found 'boat'"):
        await asked("tibber?token=secret&home=boat", always(homes("flat", "cottage")))
    with pytest.raises(InvalidInput, match="home: with a contract is not there"):
        await asked("tibber?token=secret", always(homes()))


# --- Energy-Charts ---------------------------------------------------------------------------------------------------


async def test_energy_charts_is_asked_for_whole_days():
    with serving(services.energy_charts(A_DAY)) as server:
        await price_source(f"energy-charts:DE-LU?url={server.url}", {}).prices(START + 1, END - 1)
    assert server.asked[0].path == "/price"
    assert server.asked[0].query == {"bzn": "DE-LU", "start": "2026-06-01", "end": "2026-06-02"}


def some_prices(*prices: float | None, **changed: object) -> Told:
    seconds = [START // 1000 + 900 * i for i in range(len(prices))]
    return as_json({"unix_seconds": seconds, "price": prices, "unit": "EUR / MWh", "deprecated": False, **changed})


async def test_a_price_of_null_is_a_gap_that_ends_what_is_known():
    prices = await asked("energy-charts:DE-LU", always(some_prices(10, 20, None, 40)))
    assert [slot.per_kwh for slot in prices.slots] == [0.01, 0.02, 0.04]
    assert prices.known_until(START) == START + 2 * QUARTER_MS
    with pytest.raises(NotFound):
        await asked("energy-charts:DE-LU", always(some_prices(None, None)))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"unit": "GBP / MWh"}, "unit"),
        ({"unix_seconds": [START // 1000]}, "price"),
        ({"unix_seconds": [START // 1000] * 2}, "slots"),
        ({"unix_seconds": [START // 1000, 0]}, "slots"),
    ],
)
async def test_what_does_not_fit_together_is_named(changed: dict[str, object], field: str):
    with pytest.raises(RemoteProtocolError) as refused:
        await asked("energy-charts:DE-LU", always(some_prices(10, 20, **changed)))
    assert f"makes no sense: {field}: " in str(refused.value)


async def test_carbon_intensity_is_measured_and_then_foretold():
    seconds = [START // 1000 + 900 * i for i in range(4)]
    told = {"unix_seconds": seconds, "co2eq": [491.5, 497.4, None, None], "co2eq_forecast": [None, 480.0, 505.0, None]}

    def answer(asked: Asked) -> Told:
        assert (asked.path, asked.query["country"]) == ("/co2eq", "de")
        return as_json({**told, "deprecated": False})

    with serving(answer) as server:
        slots = await co2_source(f"energy-charts:de?url={server.url}", {}).co2_g_per_kwh(START, END)
    assert [slot.per_kwh for slot in slots] == [491.5, 497.4, 505.0]
    assert slots.known_until(START) == START + 3 * QUARTER_MS


# --- elprisetjustnu, aWATTar -----------------------------------------------------------------------------------------


async def test_elprisetjustnu_has_a_file_for_each_day():
    with serving(services.elprisetjustnu(Market(STOCKHOLM, MONDAY, TUESDAY))) as server:
        source = price_source(f"elprisetjustnu:se3?url={server.url}", {})
        prices = await source.prices(START, END + timedelta(days=1) // timedelta(milliseconds=1))
    assert sorted(q.path for q in server.asked) == [f"/api/v1/prices/2026/06-0{day}_SE3.json" for day in (1, 2)]
    assert len(prices.slots) == 192


async def test_awattar_is_asked_in_milliseconds():
    with serving(services.awattar(A_DAY)) as server:
        await price_source(f"awattar:de?url={server.url}", {}).prices(START, END)
    assert server.asked[0].path == "/v1/marketdata"
    assert server.asked[0].query == {"start": str(START), "end": str(END)}


async def test_awattar_is_asked_for_the_hour_that_has_begun():
    """A service that gives the slots that begin in what is asked for, and no other one."""

    def from_starts(asked: Asked) -> Told:
        found = json.loads(services.awattar(Market(BERLIN, MONDAY, MONDAY, MS_PER_HOUR))(asked).content)
        begins_at = int(asked.query["start"])
        return services.as_json({"data": [slot for slot in found["data"] if slot["start_timestamp"] >= begins_at]})

    with serving(from_starts) as server:
        prices = await price_source(f"awattar:de?url={server.url}", {}).prices(START + 1_800_000, END)
    assert prices.slots.starts_at == START


def spoiled(serve: Callable[[Market], Answering], right: str, wrong: str) -> Answering:
    def answer(asked: Asked) -> Told:
        told = serve(A_DAY)(asked)
        assert right.encode() in told.content
        return Told(200, told.content.replace(right.encode(), wrong.encode(), 1))

    return answer


async def test_what_is_wrong_with_a_list_is_named_by_its_place():
    with pytest.raises(RemoteProtocolError, match=r"answer\[0\].time_start: is no time, found 'noon'"):
        await asked(
            "elprisetjustnu:SE3",
            spoiled(services.elprisetjustnu, '"time_start": "2026-06-01T00:00:00+02:00"', '"time_start": "noon"'),
        )
    with pytest.raises(RemoteProtocolError, match="unit: is not known, found 'ct/kWh', allowed: EUR/MWh"):
        await asked("awattar:de", spoiled(services.awattar, "Eur/MWh", "ct/kWh"))
    with pytest.raises(RemoteProtocolError, match=r"data\[0\].end_timestamp: is missing"):
        await asked("awattar:de", spoiled(services.awattar, "end_timestamp", "ends"))
