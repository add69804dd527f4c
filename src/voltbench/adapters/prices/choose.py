"""A source of prices from a short text, as a person gives it to the command line or the API.

    file:prices.csv?currency=SEK&zone=Europe/Stockholm&vat=included
    elprisetjustnu:SE3
    entsoe:DE-LU?token=...                 (or VOLTBENCH_ENTSOE_TOKEN; a zone's name or its EIC; &sequence=2)
    awattar:de                             (or awattar:at)
    octopus:AGILE-24-10-01-C               (product and region)
    tibber?token=...                       (or VOLTBENCH_TIBBER_TOKEN; &home=ID, &resolution=hour)
    energy-charts:DE-LU                    (for carbon intensity the country: energy-charts:de)

All but `file` take `&url=` for another address of the same service; in the environment VOLTBENCH_AWATTAR_URL and its
like say it for everybody. A text of a stranger may name neither a file nor an address: see `trusted`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from urllib.parse import parse_qsl

from voltbench.adapters import strict
from voltbench.adapters.prices import awattar, elprisetjustnu, energy_charts, entsoe, octopus, tibber
from voltbench.adapters.prices.files import PriceFile
from voltbench.adapters.prices.web import Service
from voltbench.adapters.prices.zones import zone_named
from voltbench.errors import InvalidInput
from voltbench.site.prices import Co2Source, PriceSource

ENTSOE_TOKEN = "VOLTBENCH_ENTSOE_TOKEN"
TIBBER_TOKEN = "VOLTBENCH_TIBBER_TOKEN"

FILE = "file"
ADDRESS = "VOLTBENCH_{kind}_URL"

_TOKEN = re.compile(r"[!-~]{1,500}")
_AREA = re.compile(r"[A-Za-z0-9-]{1,20}")
_VAT = {"included": True, "excluded": False}


@dataclass(frozen=True)
class Wish:
    """A text, taken apart: which kind of source, of what, with which options; and the environment it is said in.

    A file's path begins at `folder`, and its times without an offset are local to `zone`.
    """

    kind: str
    name: str
    options: Mapping[str, str]
    environment: Mapping[str, str]
    folder: Path = field(default_factory=Path)
    zone: tzinfo | None = None

    def needed(self, what: str, example: str) -> str:
        """The name after the colon."""
        if not self.name:
            raise InvalidInput(self.kind, f"needs {what}", allowed=f"such as {self.kind}:{example}")
        return self.name

    def area(self, example: str) -> str:
        """The name after the colon, as one that may stand in a query."""
        name = self.needed("an area", example)
        if _AREA.fullmatch(name) is None:
            raise InvalidInput("area", "is no area", found=strict.shown(name), allowed=f"such as {example}")
        return name

    def token(self, variable: str) -> str:
        """The token that is given, or stands in the environment. It never appears in a message."""
        token = self.options.get("token") or self.environment.get(variable, "")
        if not token:
            raise InvalidInput(
                "token", "is missing", allowed=f"{self.kind}:...?token=..., or {variable} in the environment"
            )
        if _TOKEN.fullmatch(token) is None:
            raise InvalidInput("token", "has a character that no token has", allowed="letters, digits and signs")
        return token

    def service(self, usual: Service, headers: Mapping[str, str] | None = None) -> Service:
        """The service itself, or at the address that is given, in the text or in the environment."""
        usually = self.environment.get(ADDRESS.format(kind=self.kind.upper().replace("-", "_"))) or usual.url
        return Service(self.options.get("url", usually), headers or {})

    def one_of(self, option: str, known: Mapping[str, object], usual: str) -> str:
        """The word that an option holds."""
        return strict.chosen(self.options.get(option, usual), known, option)


def price_source(
    text: str,
    environment: Mapping[str, str],
    *,
    trusted: bool = True,
    folder: Path | None = None,
    zone: tzinfo | None = None,
) -> PriceSource:
    """The source of prices that a text names. Raises InvalidInput that says what is allowed.

    `environment` is where tokens and addresses are looked for that the text does not hold. Without `trusted`, for texts
    that come from outside, no file is read and no address is asked but the usual ones. Files are found from `folder`,
    and their times are local to `zone` where nothing else is said.
    """
    kind, name, options = _taken_apart(text, SOURCES, trusted)
    return SOURCES[kind].make(Wish(kind, name, options, environment, folder or Path(), zone))


def co2_source(text: str, environment: Mapping[str, str], *, trusted: bool = True) -> Co2Source:
    """The source of carbon intensities that a text names, as `price_source` does."""
    wish = Wish(*_taken_apart(text, CO2_SOURCES, trusted), environment)
    return energy_charts.EnergyCharts(wish.area("de"), wish.service(energy_charts.SERVICE))


def _taken_apart(text: str, kinds: Mapping[str, SourceKind], trusted: bool) -> tuple[str, str, dict[str, str]]:
    """The kind of source, the name after the colon, and the options."""
    strict.refuse_odd_text(text, "source")
    address, _, query = text.strip().partition("?")
    kind, _, name = address.partition(":")
    allowed = [known for known in kinds if trusted or known != FILE]
    if kind == FILE and kind not in allowed:
        raise InvalidInput("source", "names a file", allowed=", ".join(allowed))
    strict.chosen(kind, allowed, "source", "is no source of this")
    return kind, name, _options(query, kinds[kind].options, trusted)


def _options(query: str, known: tuple[str, ...], trusted: bool) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=20)
    except ValueError as error:
        raise InvalidInput("source", "has options that cannot be read", allowed="?option=value&option=value") from error
    allowed = [option for option in known if trusted or option != "url"]
    for i, (option, _) in enumerate(pairs):
        if option not in allowed:
            raise InvalidInput(
                "source", "has an option that is unknown", found=strict.shown(option), allowed=", ".join(allowed)
            )
        if option in dict(pairs[:i]):
            raise InvalidInput(option, "is said twice", allowed="once")
    return dict(pairs)


# --- the kinds of sources --------------------------------------------------------------------------------------------


def _file(wish: Wish) -> PriceSource:
    zone = wish.options.get("zone")
    return PriceFile(
        wish.folder / wish.needed("a path", "prices.csv"),
        currency=wish.options.get("currency", "EUR"),
        vat_included=_VAT[wish.one_of("vat", _VAT, "excluded")],
        zone=zone_named(zone) if zone is not None else wish.zone,
    )


def _elprisetjustnu(wish: Wish) -> PriceSource:
    area = wish.area("SE3").upper()
    return elprisetjustnu.ElprisetJustNu(area, wish.service(elprisetjustnu.SERVICE))


def _entsoe(wish: Wish) -> PriceSource:
    sequence = wish.options.get("sequence", str(entsoe.COUPLED_AUCTION))
    if not sequence.isascii() or not sequence.isdigit() or len(sequence) > 2:
        raise InvalidInput("sequence", "is no number of an auction", found=strict.shown(sequence), allowed="1, 2, ...")
    area, service = wish.area("DE-LU"), wish.service(entsoe.SERVICE)
    return entsoe.Entsoe(area, wish.token(ENTSOE_TOKEN), service, int(sequence))


def _awattar(wish: Wish) -> PriceSource:
    country = strict.chosen(wish.area("de").lower(), awattar.SERVICES, "country")
    return awattar.Awattar(wish.service(awattar.SERVICES[country]))


def _octopus(wish: Wish) -> PriceSource:
    return octopus.Octopus(wish.needed("a tariff", "AGILE-24-10-01-C").upper(), wish.service(octopus.SERVICE))


def _tibber(wish: Wish) -> PriceSource:
    if wish.name:
        raise InvalidInput("tibber", "takes no name", found=strict.shown(wish.name), allowed="tibber?home=...")
    headers = {"Authorization": f"Bearer {wish.token(TIBBER_TOKEN)}"}
    resolution = wish.one_of("resolution", tibber.RESOLUTIONS, "quarter")
    return tibber.Tibber(wish.service(tibber.SERVICE, headers), wish.options.get("home"), resolution)


def _energy_charts(wish: Wish) -> PriceSource:
    return energy_charts.EnergyCharts(wish.area("DE-LU"), wish.service(energy_charts.SERVICE))


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: how it is made, and which options it takes."""

    make: Callable[[Wish], PriceSource]
    options: tuple[str, ...]


SOURCES = {
    FILE: SourceKind(_file, ("currency", "vat", "zone")),
    "elprisetjustnu": SourceKind(_elprisetjustnu, ("url",)),
    "entsoe": SourceKind(_entsoe, ("token", "sequence", "url")),
    "awattar": SourceKind(_awattar, ("url",)),
    "octopus": SourceKind(_octopus, ("url",)),
    "tibber": SourceKind(_tibber, ("token", "home", "resolution", "url")),
    "energy-charts": SourceKind(_energy_charts, ("url",)),
}
CO2_SOURCES = {"energy-charts": SOURCES["energy-charts"]}
