"""Tibber: the prices of a home's contract for today and tomorrow, with VAT and Tibber's fee, without the grid's.

https://developer.tibber.com/docs: GraphQL at `/v1-beta/gql` with a bearer token. `priceInfo(resolution: ..)` of a
home's `currentSubscription` has `today` and `tomorrow`, lists of `total`, `startsAt` and `currency`; tomorrow is empty
until about 13:00. `resolution` is HOURLY or, since October 2025, QUARTER_HOURLY.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import msgspec

from voltbench.adapters import strict
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import BAD_REQUEST, Answer, Service, sense_of
from voltbench.adapters.prices.zones import instant_from
from voltbench.errors import InvalidInput, RemoteProtocolError, Unavailable
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

URL = "https://api.tibber.com"
SERVICE = Service(URL)
PATH = "/v1-beta/gql"
RESOLUTIONS = {"quarter": "QUARTER_HOURLY", "hour": "HOURLY"}
_SLOT_MS = {"quarter": MS_PER_HOUR // 4, "hour": MS_PER_HOUR}
_QUERY = """{{ viewer {{ homes {{ id currentSubscription {{ priceInfo(resolution: {resolution}) {{
today {{ total startsAt currency }} tomorrow {{ total startsAt currency }} }} }} }} }} }}"""


class TibberPrice(msgspec.Struct, rename="camel"):
    """A price as the service has it."""

    total: float
    starts_at: str
    currency: str


class PriceInfo(msgspec.Struct):
    """The prices of a subscription."""

    today: list[TibberPrice] = []
    tomorrow: list[TibberPrice] = []


class TibberContract(msgspec.Struct, rename="camel"):
    """A contract of a home."""

    price_info: PriceInfo | None = None


class TibberHome(msgspec.Struct, rename="camel"):
    """A home of whoever owns the token."""

    id: str
    current_subscription: TibberContract | None = None


class Viewer(msgspec.Struct):
    """Whoever owns the token."""

    homes: list[TibberHome | None]


class Found(msgspec.Struct):
    """What was found."""

    viewer: Viewer


class GraphError(msgspec.Struct):
    """Why nothing was."""

    message: str = ""
    extensions: dict[str, object] = {}


class GraphReply(msgspec.Struct):
    """The answer: what was found, or why nothing was."""

    data: Found | None = None
    errors: list[GraphError] = []


@dataclass(frozen=True)
class Tibber:
    """Prices of a home in its currency, with VAT. `home` is its id, and may be left out by who has only one."""

    service: Service = SERVICE
    home: str | None = None
    resolution: str = "quarter"

    def __post_init__(self) -> None:
        strict.chosen(self.resolution, RESOLUTIONS, "resolution")

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants, of today and tomorrow: see `PriceSource.prices`."""
        check_span(starts_at, ends_at)
        query = {"query": _QUERY.format(resolution=RESOLUTIONS[self.resolution])}
        answer = await self.service.post(PATH, query, BAD_REQUEST)
        with strict.within(answer.source):
            info = self._price_info(_found(answer))
        with sense_of(answer.source):
            listed = [*info.today, *info.tomorrow]
            told = wanted(_slots(listed, _SLOT_MS[self.resolution]), starts_at, ends_at, answer.source)
            return Prices(told, _currency(listed), vat_included=True)

    def _price_info(self, found: Found) -> PriceInfo:
        contracts = {home.id: home.current_subscription for home in found.viewer.homes if home is not None}
        subscribed = {id: each.price_info for id, each in contracts.items() if each is not None and each.price_info}
        if self.home is not None:
            return subscribed[strict.chosen(self.home, subscribed, "home", "has no contract")]
        if len(subscribed) != 1:
            problem = "has to be chosen" if subscribed else "with a contract is not there"
            raise InvalidInput("home", problem, allowed=", ".join(subscribed))
        return next(iter(subscribed.values()))


def _found(answer: Answer) -> Found:
    reply = answer.read(GraphReply)
    codes = [str(error.extensions.get("code", "")) for error in reply.errors]
    if "UNAUTHENTICATED" in codes:
        raise InvalidInput("token", "was refused", allowed="one that is valid")
    if any("RATE" in code or "INTERNAL" in code for code in codes):
        raise Unavailable(f"{answer.source} answers {', '.join(codes)}")
    if reply.errors or reply.data is None:
        said = "; ".join(error.message for error in reply.errors)
        raise RemoteProtocolError(f"{answer.source} answers without data: {strict.shown(said or answer.start())}")
    return reply.data


def _slots(listed: list[TibberPrice], slot_ms: int) -> list[Slot]:
    starts = [instant_from(price.starts_at, f"prices[{i}].startsAt") for i, price in enumerate(listed)]
    for earlier, later in pairwise(starts):
        if not earlier < later:
            raise InvalidInput("startsAt", "does not rise")
    return [Slot(start, start + slot_ms, price.total) for start, price in zip(starts, listed, strict=True)]


def _currency(listed: list[TibberPrice]) -> str:
    currencies = sorted({price.currency for price in listed})
    if len(currencies) > 1:
        raise InvalidInput("currency", "is not the same everywhere", found=", ".join(currencies), allowed="one")
    return currencies[0] if currencies else ""
