"""One promise, `PriceSource`, kept by every service: the same stories, each told in the service's own format."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import price_services as services
from tests.local_time import AUTUMN, MONDAY, SPRING, TUESDAY
from tests.price_services import KINDS, SECRET, Kind, Market, Told, price_at, serving
from voltbench.adapters.prices import web
from voltbench.adapters.prices.choose import price_source
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.calendar import day_start
from voltbench.site.prices import Prices


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def zone(kind: Kind) -> ZoneInfo:
    return ZoneInfo(kind.zone)


def a_market(kind: Kind, first: date, last: date) -> Market:
    return Market(ZoneInfo(kind.zone), first, last, kind.slot_ms)


async def asked(kind: Kind, url: str, first: date = MONDAY, days: int = 1) -> Prices:
    source = price_source(f"{kind.text}url={url}", {})
    zone = ZoneInfo(kind.zone)
    return await source.prices(day_start(first, zone), day_start(first + timedelta(days=days), zone))


async def told(kind: Kind, answer: Told) -> Prices:
    with serving(lambda _: answer) as server:
        return await asked(kind, server.url)


@pytest.mark.parametrize(("day", "hours"), [(MONDAY, 24), (SPRING, 23), (AUTUMN, 25)])
async def test_a_days_prices_cover_it_whether_clocks_change_or_not(kind: Kind, zone: ZoneInfo, day: date, hours: int):
    with serving(kind.serve(a_market(kind, day, day + timedelta(days=1)))) as server:
        prices = await asked(kind, server.url, day)
    assert len(prices.slots) == hours * MS_PER_HOUR // kind.slot_ms
    assert (prices.slots.starts_at, prices.slots.ends_at) == (
        day_start(day, zone),
        day_start(day + timedelta(days=1), zone),
    )
    assert prices.known_until(prices.slots.starts_at) == prices.slots.ends_at
    assert [slot.per_kwh for slot in prices.slots] == pytest.approx(
        [price_at(slot.starts_at) for slot in prices.slots], abs=5.1e-6
    )
    assert min(slot.per_kwh for slot in prices.slots) < 0.0


async def test_it_says_its_currency_and_whether_vat_is_in_it(kind: Kind):
    with serving(kind.serve(a_market(kind, MONDAY, TUESDAY))) as server:
        prices = await asked(kind, server.url)
    assert (prices.currency, prices.vat_included) == (kind.currency, kind.vat_included)


async def test_until_tomorrow_is_published_prices_are_known_until_midnight(kind: Kind, zone: ZoneInfo):
    with serving(kind.serve(a_market(kind, MONDAY, MONDAY))) as server:
        prices = await asked(kind, server.url, days=2)
        assert prices.known_until(day_start(MONDAY, zone) + 13 * MS_PER_HOUR) == day_start(TUESDAY, zone)
        server.answering = kind.serve(a_market(kind, MONDAY, TUESDAY))
        prices = await asked(kind, server.url, days=2)
    assert prices.known_until(day_start(MONDAY, zone)) == day_start(TUESDAY + timedelta(days=1), zone)


async def test_only_whole_slots_of_what_was_asked_for_come(kind: Kind, zone: ZoneInfo):
    noon = day_start(MONDAY, zone) + 12 * MS_PER_HOUR + 60_000
    with serving(kind.serve(a_market(kind, MONDAY, TUESDAY))) as server:
        source = price_source(f"{kind.text}url={server.url}", {})
        prices = await source.prices(noon, noon + 2 * MS_PER_HOUR)
    assert prices.slots.starts_at == noon - 60_000
    assert prices.slots.ends_at - kind.slot_ms < noon + 2 * MS_PER_HOUR <= prices.slots.ends_at


async def test_a_day_of_which_nothing_is_published_is_not_found(kind: Kind):
    with serving(kind.serve(a_market(kind, MONDAY, MONDAY))) as server, pytest.raises(NotFound, match="2026-06-"):
        await asked(kind, server.url, MONDAY + timedelta(days=3))


@pytest.mark.parametrize("span", [(0, 0), (5, 4), (0, 32 * 24 * MS_PER_HOUR)])
async def test_nobody_is_asked_for_a_year_or_for_nothing(kind: Kind, span: tuple[Instant, Instant]):
    with (
        serving(kind.serve(a_market(kind, MONDAY, MONDAY))) as server,
        pytest.raises(InvalidInput, match="time: is no stretch"),
    ):
        await price_source(f"{kind.text}url={server.url}", {}).prices(*span)
    assert not server.asked


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_service_in_trouble_may_be_asked_again(kind: Kind, status: int):
    with pytest.raises(Unavailable, match=f"127.0.0.1:.* answers {status}"):
        await told(kind, Told(status, b"<html>try again</html>"))


async def test_a_service_that_is_not_there_is_unavailable(kind: Kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="cannot be asked"):
            await asked(kind, f"http://127.0.0.1:{taken.getsockname()[1]}")


async def test_a_service_that_is_too_slow_is_unavailable(kind: Kind, monkeypatch):
    monkeypatch.setattr(web.Service, "__init__", _hasty(web.Service.__init__))
    with serving(lambda _: Told(delay=server.enough)) as server:
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await asked(kind, server.url)
        server.enough.set()


def _hasty(make: Callable[..., None]) -> Callable[..., None]:
    return lambda self, url, headers=(): make(self, url, dict(headers), 0.2)


async def test_an_answer_that_breaks_off_is_unavailable(kind: Kind):
    with pytest.raises(Unavailable, match="cannot be asked"):
        await told(kind, Told(200, b'{"data": [', length=1_000))


async def test_an_answer_without_end_is_not_taken(kind: Kind):
    with pytest.raises(RemoteProtocolError, match="answers with more than"):
        await told(kind, Told(200, b" " * (web.LARGEST_ANSWER + 1)))


async def test_an_answer_of_numbers_without_end_is_not_read(kind: Kind):
    with pytest.raises(RemoteProtocolError):
        await told(kind, Told(200, b"[" + b"1," * 200_000 + b"1]"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobody_is_followed_elsewhere(kind: Kind, status: int):
    with serving(kind.serve(a_market(kind, MONDAY, TUESDAY))) as other:
        with pytest.raises(Unavailable, match=f"answers {status} .*elsewhere is not asked"):
            await told(kind, Told(status, headers={"Location": other.url}))
        assert not other.asked


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_the_callers_affair_and_is_not_told(kind: Kind, status: int, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(InvalidInput, match="token: was refused") as refused:
        await told(kind, Told(status, b"no"))
    assert refused.value.source.startswith("127.0.0.1:")
    assert SECRET not in str(refused.value) + caplog.text


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"<html>Hello</html>",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"data": 1}',
        b"[[[[]]]]",
        b"[1]",
    ],
)
async def test_nonsense_is_refused_in_the_name_of_the_service(kind: Kind, nonsense: bytes):
    with pytest.raises((RemoteProtocolError, NotFound)) as refused:
        await told(kind, Told(200, nonsense))
    if nonsense != b"[]" or "elprisetjustnu" not in kind.text:  # that one would be a day of no prices
        assert isinstance(refused.value, RemoteProtocolError)
        assert str(refused.value).startswith("127.0.0.1:")


@pytest.mark.parametrize("wrong", ["NaN", '"cheap"', "null", "1e400", "true"])
async def test_a_price_that_is_no_number_is_refused(kind: Kind, wrong: str):
    if wrong == "null" and kind.currency == "EUR" and "charts" in kind.text:
        return  # there it is a gap
    market = a_market(kind, MONDAY, MONDAY)
    price = price_at(day_start(MONDAY, market.zone))

    amounts = [f"{price * 1e3:.2f}", repr(round(price * 1e3, 2)), repr(round(price * 100, 4)), repr(price)]

    def answer(asked: services.Asked) -> Told:
        right = kind.serve(market)(asked).content
        for before, after in ((">", "<"), (": ", ","), ("[", ",")):
            for amount in amounts:
                found, spoiled = (f"{before}{n}{after}".encode() for n in (amount, wrong))
                if found in right:
                    return Told(200, right.replace(found, spoiled, 1))
        raise AssertionError("nothing to spoil")

    with serving(answer) as server, pytest.raises(RemoteProtocolError):
        await asked(kind, server.url)


def test_nothing_of_a_token_is_shown_where_a_source_is(kind: Kind):
    assert SECRET not in repr(price_source(kind.text.rstrip("?&"), {}))
