"""ENTSO-E's transparency platform: day-ahead prices of all European bidding zones, without VAT, for who has a token.

https://transparency.entsoe.eu/content/static_content/Static%20content/web%20api/Guide.html: `/api?documentType=A44&`
`in_Domain=EIC&out_Domain=EIC&periodStart=yyyyMMddHHmm&periodEnd=..&securityToken=..`, times in UTC, gives a
`Publication_MarketDocument` (IEC 62325-451-3) of `TimeSeries`, each with `Period`s of `Point`s: `position`, counted
from 1 in steps of `resolution`, and `price.amount`. It gives whole days. Where nothing is published, and where a
question is refused, it is an `Acknowledgement_MarketDocument` with a `Reason`; code 999 is "No matching data found".

* Curve type A03: a position that is missing has the price of the one before it, until the end of the period.
* Several series tell of the same time: another auction has another number (`classificationSequence...position`; 1 is
  the coupled auction, 2 the one of EXAA), intraday auctions another contract type than A01, and PT60M may stand beside
  PT15M. The order of the series means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple
from xml.etree import ElementTree

from voltbench.adapters import strict
from voltbench.adapters.prices.areas import eic_of
from voltbench.adapters.prices.units import per_kwh
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import BAD_REQUEST, Answer, Service, sense_of
from voltbench.adapters.prices.zones import instant_from
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, DurationMs, Instant, utc
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

URL = "https://web-api.tp.entsoe.eu"
SERVICE = Service(URL)
RESOLUTIONS_MS = {
    "PT15M": 15 * MS_PER_MINUTE,
    "PT30M": 30 * MS_PER_MINUTE,
    "PT60M": MS_PER_HOUR,
    "PT1H": MS_PER_HOUR,
}
PUBLICATION, REFUSAL = "Publication_MarketDocument", "Acknowledgement_MarketDocument"
NO_MATCHING_DATA = "999"
DAY_AHEAD = "A01"
VARIABLE_BLOCKS = "A03"
COUPLED_AUCTION = 1
MOST_POSITIONS = 40_000

_SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"


class SeriesPeriod(NamedTuple):
    """The prices of a period as one series tells them."""

    resolution_ms: DurationMs
    currency: str
    slots: list[Slot]


@dataclass(frozen=True)
class Entsoe:
    """Prices of a bidding zone, in the currency that they are published in."""

    area: str
    token: str = field(repr=False)
    service: Service = SERVICE
    sequence: int = COUPLED_AUCTION

    def __post_init__(self) -> None:
        eic_of(self.area)

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants: see `PriceSource.prices`."""
        check_span(starts_at, ends_at)
        code = eic_of(self.area)
        query = {
            "documentType": "A44",
            "in_Domain": code,
            "out_Domain": code,
            "periodStart": f"{utc(starts_at):%Y%m%d%H%M}",
            "periodEnd": f"{utc(ends_at + MS_PER_MINUTE - 1):%Y%m%d%H%M}",
            "securityToken": self.token,
        }
        answer = await self.service.get("/api", query, BAD_REQUEST)
        document = _document(answer)
        with sense_of(answer.source):
            periods = list(_periods(document, self.sequence))
            return Prices(wanted(_finest(periods), starts_at, ends_at, answer.source), _currency(periods))


def _document(answer: Answer) -> ElementTree.Element:
    """The document, its names without their namespace; empty where nothing is published."""
    with sense_of(answer.source):
        root = _parsed(answer)
    if root.tag == REFUSAL:
        if _text(root, "Reason/code") == NO_MATCHING_DATA and "no matching data" in _text(root, "Reason/text").lower():
            return ElementTree.Element("nothing")
        reason = strict.shown(_text(root, "Reason/text"))
        raise InvalidInput("request", "was refused", found=reason, source=answer.source)
    return root


def _parsed(answer: Answer) -> ElementTree.Element:
    try:
        text = answer.content.decode("utf-8-sig")
        if "<!DOCTYPE" in text:  # entities in entities would grow without end
            raise InvalidInput("answer", "defines a document type", allowed="XML without one")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise InvalidInput("answer", "is not XML in UTF-8", found=answer.start()) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag not in (REFUSAL, PUBLICATION):
        raise InvalidInput("answer", "is another document", found=strict.shown(root.tag), allowed=PUBLICATION)
    return root


def _periods(root: ElementTree.Element, sequence: int) -> Iterator[SeriesPeriod]:
    """The periods of all series that tell of the day-ahead auction with this number, or of one without a number."""
    for series in root.iterfind("TimeSeries"):
        is_day_ahead = _text(series, "contract_MarketAgreement.type") in ("", DAY_AHEAD)
        if is_day_ahead and _text(series, _SEQUENCE) in ("", str(sequence)):
            fills = _text(series, "curveType") == VARIABLE_BLOCKS
            currency = _text(series, "currency_Unit.name") or "EUR"
            unit = f"{currency}/{_text(series, 'price_Measure_Unit.name') or 'MWH'}"
            for period in series.iterfind("Period"):
                yield _period(period, currency, unit, fills)


def _period(period: ElementTree.Element, currency: str, unit: str, fills: bool) -> SeriesPeriod:
    starts_at, ends_at = (
        instant_from(_text(period, f"timeInterval/{n}"), f"timeInterval.{n}") for n in ("start", "end")
    )
    step_ms = RESOLUTIONS_MS[strict.chosen(_text(period, "resolution"), RESOLUTIONS_MS, "resolution")]
    count = (ends_at - starts_at) // step_ms
    if not 0 < count <= MOST_POSITIONS or count * step_ms != ends_at - starts_at:
        raise InvalidInput("timeInterval", "does not fit its resolution", found=_text(period, "resolution"))
    told = _points(period, count)
    slots, price = [], None
    for i in range(count):
        price = told.get(i + 1, price if fills else None)
        if price is not None:
            start = starts_at + i * step_ms
            slots.append(Slot(start, start + step_ms, per_kwh(price, unit, currency)))
    return SeriesPeriod(step_ms, currency, slots)


def _points(period: ElementTree.Element, count: int) -> dict[int, float]:
    told: dict[int, float] = {}
    for point in period.iterfind("Point"):
        position, price = _number(point, "position"), _number(point, "price.amount")
        if position != int(position) or not 1 <= position <= count or int(position) in told:
            raise InvalidInput("position", "is not allowed", found=position, allowed=f"1 to {count}, each once")
        told[int(position)] = price
    return told


def _number(point: ElementTree.Element, name: str) -> float:
    text = _text(point, name)
    try:
        number = float(text)
    except ValueError as error:
        raise InvalidInput(name, "is no number", found=strict.shown(text), allowed=strict.FINITE) from error
    if not isfinite(number) or abs(number) > strict.LARGEST_NUMBER:
        raise InvalidInput(name, "is not a usable number", found=strict.shown(text), allowed=strict.FINITE)
    return number


def _finest(periods: list[SeriesPeriod]) -> list[Slot]:
    """The slots of all periods; where hours and quarters are told of the same time, the quarters."""
    chosen: list[Slot] = []
    for period in sorted(periods, key=lambda period: period.resolution_ms):
        taken = {
            slot.starts_at // RESOLUTIONS_MS["PT60M"]
            for slot in chosen
            if slot.ends_at - slot.starts_at < period.resolution_ms
        }
        chosen += [slot for slot in period.slots if slot.starts_at // RESOLUTIONS_MS["PT60M"] not in taken]
    return chosen


def _currency(periods: list[SeriesPeriod]) -> str:
    currencies = sorted({period.currency for period in periods})
    if len(currencies) > 1:
        raise InvalidInput(
            "currency_Unit.name", "is not the same everywhere", found=", ".join(currencies), allowed="one"
        )
    return currencies[0] if currencies else ""


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
