"""Stations as they are asked for on the command line: how many, which model, where their CSMS is, who comes to them."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from urllib.parse import quote, urlsplit

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address, Dialler
from voltbench.adapters.ocpp_station.memory import Memory
from voltbench.adapters.ocpp_station.notary import StationNotary
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.transfers import Transfers
from voltbench.adapters.ocpp_station.websockets_line import WebSocketsDialler
from voltbench.chance import stream
from voltbench.charging.station import StationModel
from voltbench.charging.vehicle import VehicleModel
from voltbench.clock import ScaledClock, wall_instant
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.station.keys import BY_NAME
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.comings import comings
from voltbench.running.drivers import Drivers
from voltbench.running.visits import Visit

DIALLERS: dict[str, Callable[[], Dialler]] = {"picows": PicowsDialler, "websockets": WebSocketsDialler}
LONGEST_TAG = 20
"""OCPP 1.6, IdToken."""

LONGEST_ID = 200
"""Of a station: short enough for the name of a folder, which holds its keys."""

LARGEST_SEED = 2**63 - 1

MEMORY_FILE, KEYS_FOLDER, FILES_FOLDER = "stations.db", "keys", "files"


@dataclass(frozen=True)
class StationChoices:
    """Stations to be made. Without `data` nothing outlives the process; they begin when `starts_at` says, or now.

    What is kept in `data` may have come from later than that: then they begin where it ended.
    """

    csms: str
    model: str
    speed: float = 1.0
    seed: int = 0
    data: Path | None = None
    transport: str = "picows"
    ca: Path | None = None
    starts_at: Instant | None = None
    vendor: str = "voltbench"
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _is_address(self.csms):
            allowed = "ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
            raise InvalidInput("csms", "is no address of a CSMS", found=self.csms, allowed=allowed)
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InvalidInput("seed", "is out of range", found=self.seed, allowed=f"0 to {LARGEST_SEED}")
        if self.transport not in DIALLERS:
            raise InvalidInput("transport", "is unknown", found=self.transport, allowed=", ".join(DIALLERS))
        if not 0.0 < self.speed <= 100_000.0:
            raise InvalidInput("speed", "is out of range", found=self.speed, allowed="above 0, up to 100000")


class Stations:
    """Makes stations on a host. Everything that is drawn comes from named streams of one seed."""

    def __init__(self, choices: StationChoices, catalog: Catalog) -> None:
        self.choices = choices
        self.model: StationModel = catalog.station(choices.model)
        self._vehicles: list[VehicleModel] = list(catalog.vehicles())
        self._shared_tls = self._with_ca(ssl.create_default_context()) if choices.ca is not None else None
        self._made_at = wall_instant()
        data = choices.data
        memory = None if data is None else Memory(data / MEMORY_FILE)
        begins_at = self._made_at if choices.starts_at is None else choices.starts_at
        latest = None if memory is None else memory.latest()
        self.started_at: Instant = begins_at if latest is None else max(begins_at, latest)
        clock = ScaledClock(self.started_at, choices.speed)
        files = None if data is None else data / FILES_FOLDER
        self.host = StationHost(clock, DIALLERS[choices.transport](), memory, Transfers(files))
        self._ids = count(1)

    def add(self, id: str, begins_at: Instant | None = None) -> HostedStation:
        """A station, which connects when it begins."""
        chances = stream(self.choices.seed, "station", id)
        data = self.choices.data
        notary = StationNotary(None if data is None else data / KEYS_FOLDER / quote(id, safe=""))
        station = Station(
            self.started_at if begins_at is None else begins_at,
            Identity(id, self.choices.vendor, self.model.id),
            self.model,
            notary,
            new_id=self._new_id,
            chance=chances.random,
            fixed=self.choices.keys,
            memory=None if self.host.memory is None else self.host.memory.load(id),
            speed=self.choices.speed,
            is_tls=self.choices.csms.startswith("wss://"),
        )
        return self.host.add(station, lambda one: self._address(one, notary))

    def let_drive(
        self, hosted: HostedStation, profile: str, per_day: float, tags: Iterator[str], begins_at: Instant
    ) -> Drivers:
        """Let drivers come to a station, who show these id tags one after the other."""
        id = hosted.station.id
        habits = stream(self.choices.seed, "drivers", id)
        coming = self.visits_to(id, profile, per_day, begins_at)
        drivers = Drivers(hosted, coming, partial(next, tags), habits.random, self.choices.speed)
        self.host.let_drive(hosted, drivers)
        return drivers

    def visits_to(self, id: str, profile: str, per_day: float, begins_at: Instant) -> Iterator[Visit]:
        """Who comes to a station, whatever becomes of it there: the same for the same seed and beginning."""
        chances = stream(self.choices.seed, "visits", id)
        seed = int(chances.integers(2**31))
        mix = [(model, 1.0) for model in self._vehicles]
        return comings(profile, per_day, begins_at, self.model, mix, seed, chances.random)

    def _new_id(self) -> str:
        return f"{self._made_at:x}-{next(self._ids):x}"

    def _tls(self, profile: int, notary: StationNotary) -> ssl.SSLContext | None:
        """What secures a station's line. Who asks for more than its URL gives is refused by its line."""
        if profile < 2 and not self.choices.csms.startswith("wss://"):
            return None
        if self._shared_tls is not None and profile < 3:
            return self._shared_tls
        own = notary.tls(max(2, profile))
        return self._with_ca(own) if own is not None and self.choices.ca is not None else own

    def _with_ca(self, context: ssl.SSLContext) -> ssl.SSLContext:
        try:
            context.load_verify_locations(self.choices.ca)
        except OSError as error:
            allowed = "a file with certificates in PEM"
            raise InvalidInput("ca", f"cannot be read: {error}", found=str(self.choices.ca), allowed=allowed) from error
        return context

    def _address(self, station: Station, notary: StationNotary) -> Address:
        keys = station.configuration
        key, profile = keys.text("AuthorizationKey"), keys.whole("SecurityProfile")
        headers = {}
        if key and profile < 3:
            pair = base64.b64encode(f"{station.id}:{key}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        url = f"{self.choices.csms.rstrip('/')}/{quote(station.id, safe='')}"
        return Address(url, "ocpp1.6", headers, self._tls(profile, notary), float(keys.whole("WebSocketPingInterval")))


def _is_address(url: str) -> bool:
    """Whether a URL leads to a CSMS. A port that is none shows only when it is asked for."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def require_name(field: str, name: str, longest: int) -> None:
    """Raise InvalidInput for what cannot be an id of a station, or an id tag."""
    if not 1 <= len(name) <= longest or not name.isprintable():
        raise InvalidInput(field, "is no name", found=name, allowed=f"1 to {longest} letters, digits and signs")


def keys_of(settings: list[str]) -> dict[str, str]:
    """Configuration keys as they are written on the command line: `Key=Value`. Raises InvalidInput."""
    keys = {}
    for setting in settings:
        name, mark, value = setting.partition("=")
        key = BY_NAME.get(name.lower())
        if not mark or key is None:
            raise InvalidInput("key", "is no configuration key of OCPP 1.6", found=setting, allowed="KEY=VALUE")
        if not key.is_allowed(value):
            raise InvalidInput(key.name, "cannot be set to that", found=value)
        keys[key.name] = value
    return keys


def tags_of(id: str, chosen: Sequence[str], number: int) -> Iterator[str]:
    """The id tags of those who come to a station: each has his own, or the chosen ones go round."""
    if chosen:
        return islice(cycle(chosen), number % len(chosen), None)
    return (f"{id}-{driver}"[-LONGEST_TAG:] for driver in count(1))


def first_connection(started_at: Instant, number: int, per_second: float, speed: float) -> Instant:
    """When a station of a fleet first connects: so many a second on the wall."""
    return started_at + round(number / per_second * speed * MS_PER_SECOND)
