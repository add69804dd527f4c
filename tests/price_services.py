"""Services that tell prices, on loopback, in the formats that their makers document; the prices are our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from voltbench.adapters.prices.zones import instant_from
from voltbench.quantities import MS_PER_HOUR, Instant, utc
from voltbench.site.calendar import day_slots, day_start

QUARTER_MS = MS_PER_HOUR // 4
HALF_MS = MS_PER_HOUR // 2


def price_at(instant: Instant) -> float:
    """A price per kWh, another one for each quarter of a year, every now and then below zero."""
    return round((instant // QUARTER_MS * 7_919 % 10_007) / 20_000 - 0.2, 5)


@dataclass
class Asked:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Told:
    """What is answered."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: threading.Event | None = None
    length: int | None = None


Answering = Callable[[Asked], Told]


class Web(ThreadingHTTPServer):
    """A server that answers as it is told to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answering: Answering) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.answering = answering
        self.asked: list[Asked] = []
        self.enough = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Page(BaseHTTPRequestHandler):
    server: Web

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: found[-1] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, parts.path, query, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.asked.append(asked)
        told = self.server.answering(asked)
        if told.delay is not None:
            told.delay.wait(10)
        self.send_response(told.status)
        self.send_header("Content-Length", str(told.length if told.length is not None else len(told.content)))
        for name, text in told.headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(told.content)

    do_POST = do_GET  # noqa: N815


@contextmanager
def serving(answering: Answering) -> Iterator[Web]:
    server = Web(answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.enough.set()
        server.shutdown()
        server.server_close()
        thread.join()


# --- what is published -----------------------------------------------------------------------------------------------


@dataclass
class Market:
    """Prices that are published from one local day until another one is over."""

    zone: ZoneInfo
    first: date
    last: date
    slot_ms: int = QUARTER_MS
    holes: tuple[Instant, ...] = ()

    def slots(self, starts_at: Instant, ends_at: Instant) -> list[tuple[Instant, Instant, float]]:
        """The published slots that touch a stretch of time."""
        days = [self.first + timedelta(days=i) for i in range((self.last - self.first).days + 1)]
        return [
            (start, end, price_at(start))
            for day in days
            for start, end in day_slots(day, self.zone, self.slot_ms)
            if start < ends_at and starts_at < end and start not in self.holes
        ]

    def of_day(self, day: date) -> list[tuple[Instant, Instant, float]]:
        return self.slots(day_start(day, self.zone), day_start(day + timedelta(days=1), self.zone))


def as_json(found: Any, status: int = 200) -> Told:
    return Told(status, json.dumps(found).encode())


def elprisetjustnu(market: Market) -> Answering:
    def local(instant: Instant) -> str:
        return utc(instant).astimezone(market.zone).isoformat()

    def answer(asked: Asked) -> Told:
        year, name = asked.path.removeprefix("/api/v1/prices/").split("/")
        slots = market.of_day(date.fromisoformat(f"{year}-{name[:5]}"))
        rows = [
            {
                "SEK_per_kWh": price,
                "EUR_per_kWh": round(price / 11.2, 5),
                "EXR": 11.2,
                "time_start": local(start),
                "time_end": local(end),
            }
            for start, end, price in slots
        ]
        return as_json(rows) if rows else Told(404, b"<html>Not found</html>")

    return answer


def awattar(market: Market) -> Answering:
    def answer(asked: Asked) -> Told:
        slots = market.slots(int(asked.query["start"]), int(asked.query["end"]))
        entries = [
            {"start_timestamp": s, "end_timestamp": e, "marketprice": round(p * 1e3, 2), "unit": "Eur/MWh"}
            for s, e, p in slots
        ]
        return as_json({"object": "list", "data": entries, "url": "/at/v1/marketdata"})

    return answer


def energy_charts(market: Market) -> Answering:
    def answer(asked: Asked) -> Told:
        first, last = (date.fromisoformat(asked.query[name]) for name in ("start", "end"))
        slots = market.slots(day_start(first, market.zone), day_start(last, market.zone))
        return as_json(
            {
                "license_info": "CC BY 4.0 (creativecommons.org/licenses/by/4.0) from Bundesnetzagentur | SMARD.de",
                "unix_seconds": [start // 1000 for start, _, _ in slots],
                "price": [round(price * 1e3, 2) for _, _, price in slots],
                "unit": "EUR / MWh",
                "deprecated": False,
            }
        )

    return answer


def octopus(market: Market) -> Answering:
    def answer(asked: Asked) -> Told:
        since, until = (instant_from(asked.query[name], name) for name in ("period_from", "period_to"))
        size, page = int(asked.query["page_size"]), int(asked.query.get("page", 1))
        slots = market.slots(since, until)[::-1]
        results = [
            {
                "value_exc_vat": round(price * 100 / 1.05, 4),
                "value_inc_vat": round(price * 100, 4),
                "valid_from": utc(start).isoformat().replace("+00:00", "Z"),
                "valid_to": utc(end).isoformat().replace("+00:00", "Z"),
                "payment_method": None,
            }
            for start, end, price in slots[(page - 1) * size : page * size]
        ]
        more = f"https://api.octopus.energy{asked.path}?page={page + 1}" if page * size < len(slots) else None
        return as_json({"count": len(slots), "next": more, "previous": None, "results": results})

    return answer


def tibber(market: Market) -> Answering:
    def priced(slot: tuple[Instant, Instant, float]) -> dict[str, Any]:
        starts_at = utc(slot[0]).astimezone(market.zone).isoformat(timespec="milliseconds")
        return {"total": slot[2], "startsAt": starts_at, "currency": "SEK"}

    def answer(asked: Asked) -> Told:
        days = [market.first, market.first + timedelta(days=1)]
        today, tomorrow = ([priced(slot) for slot in market.of_day(day)] for day in days)
        info = {"today": today, "tomorrow": tomorrow}
        homes = [
            {"id": "an-old-home", "currentSubscription": None},
            {"id": "a-home", "currentSubscription": {"priceInfo": info}},
        ]
        return as_json({"data": {"viewer": {"homes": homes}}})

    return answer


RESOLUTIONS = {QUARTER_MS: "PT15M", HALF_MS: "PT30M", MS_PER_HOUR: "PT60M"}


def entsoe(market: Market) -> Answering:
    def answer(asked: Asked) -> Told:
        since, until = (_entsoe_time(asked.query[name]) for name in ("periodStart", "periodEnd"))
        days: dict[date, None] = {
            utc(start).astimezone(market.zone).date(): None for start, _, _ in market.slots(since, until)
        }
        series = "".join(a_series(market.of_day(day), market.slot_ms) for day in days)
        return publication(series) if series else acknowledgement("999", "No matching data found for Data item")

    return answer


def a_series(
    slots: list[tuple[Instant, Instant, float]],
    slot_ms: int,
    *,
    sequence: int | None = 1,
    curve: str = "A03",
    contract: str = "A01",
    currency: str = "EUR",
) -> str:
    """A TimeSeries of one period; with curve type A03 what repeats the price before it is left out."""
    start, end = slots[0][0], slots[-1][1]
    points, before = [], None
    for i, (_, _, price) in enumerate(slots):
        if curve != "A03" or price != before:
            amount = f"<price.amount>{price * 1e3:.2f}</price.amount>"
            points.append(f"<Point><position>{i + 1}</position>{amount}</Point>")
        before = price
    name = "classificationSequence_AttributeInstanceComponent.position"
    numbered = f"<{name}>{sequence}</{name}>" if sequence is not None else ""
    return f"""<TimeSeries><mRID>1</mRID><auction.type>A01</auction.type><businessType>A62</businessType>
<contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>
<currency_Unit.name>{currency}</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>
{numbered}<curveType>{curve}</curveType>
<Period><timeInterval><start>{utc(start):%Y-%m-%dT%H:%MZ}</start><end>{utc(end):%Y-%m-%dT%H:%MZ}</end></timeInterval>
<resolution>{RESOLUTIONS[slot_ms]}</resolution>{"".join(points)}</Period></TimeSeries>"""


def publication(series: str) -> Told:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<Publication_MarketDocument '
    space = 'xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
    return Told(200, f"{head}{space}<type>A44</type>{series}</Publication_MarketDocument>".encode())


def acknowledgement(code: str, text: str, status: int = 200) -> Told:
    space = 'xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"'
    reason = f"<Reason><code>{code}</code><text>{text}</text></Reason>"
    content = f"<Acknowledgement_MarketDocument {space}>{reason}</Acknowledgement_MarketDocument>"
    return Told(status, content.encode())


def _entsoe_time(text: str) -> Instant:
    return instant_from(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:]}+00:00", "period")


# --- every service by its name ---------------------------------------------------------------------------------------

SECRET = "a-secret-token"


@dataclass(frozen=True)
class Kind:
    """A service: what one writes to ask it, how it answers, and what is special about its prices."""

    text: str
    serve: Callable[[Market], Answering]
    zone: str
    currency: str
    slot_ms: int = QUARTER_MS
    vat_included: bool = False


KINDS = {
    "elprisetjustnu": Kind("elprisetjustnu:SE3?", elprisetjustnu, "Europe/Stockholm", "SEK"),
    "entsoe": Kind(f"entsoe:DE-LU?token={SECRET}&", entsoe, "Europe/Berlin", "EUR"),
    "awattar": Kind("awattar:at?", awattar, "Europe/Vienna", "EUR", MS_PER_HOUR),
    "octopus": Kind("octopus:AGILE-24-10-01-C?", octopus, "Europe/London", "GBP", HALF_MS, True),
    "tibber": Kind(f"tibber?token={SECRET}&", tibber, "Europe/Stockholm", "SEK", QUARTER_MS, True),
    "energy-charts": Kind("energy-charts:DE-LU?", energy_charts, "Europe/Berlin", "EUR"),
}
