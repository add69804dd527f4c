"""What all stations share: who is known, which tokens, which transactions, and by which rules strangers are met."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from voltbench.errors import NotFound
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.records import (
    ConnectorState,
    InstalledProfile,
    KnownStation,
    LocalList,
    MetersRead,
    NamedProfile,
    Note,
    Record,
    Reservation,
    Setting,
    Token,
    Transaction,
)
from voltbench.ocpp.v16.csms.secrets_kept import hashed, once_shown, with_another, without
from voltbench.ocpp.v16.csms.tokens import Tokens
from voltbench.ocpp.v16.csms.transactions import Transactions
from voltbench.ocpp.v16.messages import AuthorizationStatus, RegistrationStatus
from voltbench.quantities import Instant

MOST_STATIONS = 20_000


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules: strangers among stations and tokens, intervals in seconds, vendors whose data we take.

    Once `most_stations` are known, strangers are turned away.
    """

    unknown_stations: RegistrationStatus = "Accepted"
    most_stations: int = MOST_STATIONS
    unknown_tokens: AuthorizationStatus = "Invalid"
    heartbeat_s: int = 300
    retry_boot_s: int = 30
    vendors: frozenset[str] = frozenset()


class Authority(Protocol):
    """Whoever signs the certificates of stations."""

    def sign(self, now: Instant, station_id: str, request: str) -> str | None:
        """A chain of certificates (PEM) for a request (CSR, PEM) of this station, or None where that is no good."""


@dataclass(slots=True)
class Memory:
    """What was kept, for a CSMS that goes on: the newest record of each key, and the last ids that were given.

    `last_closed` says of each station when the latest of its closed transactions began; `readings` are in their order.
    """

    stations: list[KnownStation] = field(default_factory=list)
    belongings: list[ConnectorState | Setting | Reservation | InstalledProfile | Note | LocalList] = field(
        default_factory=list
    )
    tokens: list[Token] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    named_profiles: list[NamedProfile] = field(default_factory=list)
    last_transaction_id: int = 0
    last_closed: dict[str, Instant] = field(default_factory=dict)
    readings: list[MetersRead] = field(default_factory=list)
    last_reading_id: int = 0


class Central:
    """The knowledge of a CSMS. `new_salt` gives chance for the hashes of passwords."""

    def __init__(
        self,
        policy: Policy,
        new_salt: Callable[[], str],
        memory: Memory | None = None,
        authority: Authority | None = None,
    ) -> None:
        memory = memory or Memory()
        self.policy = policy
        self.authority = authority
        self._new_salt = new_salt
        self.tokens = Tokens(policy.unknown_tokens, memory.tokens)
        self.transactions = Transactions(memory.transactions, memory.last_transaction_id, memory.last_closed)
        self.named_profiles = {profile.name: profile for profile in memory.named_profiles}
        self._dossiers = {station.id: Dossier(station) for station in memory.stations}
        self._last_reading_id = memory.last_reading_id
        for record in memory.belongings:
            if record.station_id in self._dossiers:
                self._dossiers[record.station_id].put(record)
        for reading in memory.readings:
            if reading.station_id in self._dossiers:
                self._dossiers[reading.station_id].latest[reading.connector_id] = reading

    # --- stations ---------------------------------------------------------------------------------------------------

    def known(self, station_id: str) -> Dossier | None:
        """A station that is known."""
        return self._dossiers.get(station_id)

    def dossier(self, station_id: str) -> Dossier:
        """A station. Raises NotFound where it is not known."""
        found = self._dossiers.get(station_id)
        if found is None:
            raise NotFound("station", station_id)
        return found

    def dossiers(self) -> Iterable[Dossier]:
        """Every station, by its id."""
        return [self._dossiers[id] for id in sorted(self._dossiers)]

    @property
    def is_full(self) -> bool:
        """Whether strangers are turned away."""
        return len(self._dossiers) >= self.policy.most_stations

    def strangers(self, before: Instant) -> list[str]:
        """Stations of which nothing was heard since, that never took part, and of which no operator has said anything.

        They would be met the same way if they came for the first time.
        """
        return [id for id, one in self._dossiers.items() if one.seen_at < before and self._is_stranger(one)]

    def _is_stranger(self, dossier: Dossier) -> bool:
        station = dossier.station
        has_come_by_itself = station.subprotocol != "" and station.secret is None
        never_took_part = station.booted_at is None and not dossier.connectors
        is_met_as_all_are = station.registration == self.policy.unknown_stations
        return has_come_by_itself and is_met_as_all_are and (never_took_part or station.registration != "Accepted")

    def forget(self, station_id: str) -> Dossier:
        """A station is not known any more; return what was known of it."""
        return self._dossiers.pop(station_id)

    def remember(self, dossier: Dossier) -> None:
        """A station could not be forgotten; it may have come back meanwhile."""
        self._dossiers.setdefault(dossier.id, dossier)

    def new_reading_id(self) -> int:
        """The id of what meters have read now."""
        self._last_reading_id += 1
        return self._last_reading_id

    def welcome(self, now: Instant, station_id: str, subprotocol: str) -> tuple[Dossier, list[Record]]:
        """A station connects; who was not known is from now on, and may do what the policy says."""
        known = self._dossiers.get(station_id)
        if known is None:
            stranger = self.wanted(now, station_id, self.policy.unknown_stations, None)
            stranger = replace(stranger, subprotocol=subprotocol)
            return self.known_as(stranger), [stranger]
        known.seen_at = now
        if known.station.subprotocol != subprotocol:
            return known, [known.put(replace(known.station, subprotocol=subprotocol))]
        return known, []

    def wanted(
        self, now: Instant, station_id: str, registration: RegistrationStatus | None, secret: str | None
    ) -> KnownStation:
        """A station as an operator wants it: to be kept before it is `known_as` that. What is None stays."""
        known = self._dossiers.get(station_id)
        station = (
            known.station
            if known is not None
            else KnownStation(id=station_id, registration="Accepted", subprotocol="", first_seen_at=now, seen_at=now)
        )
        return replace(station, registration=registration or station.registration, secret=secret or station.secret)

    def known_as(self, station: KnownStation) -> Dossier:
        """A station is known so from now on; it hears of it when it boots next."""
        dossier = self._dossiers.setdefault(station.id, Dossier(station))
        dossier.put(station)
        return dossier

    def secret_of(self, password: str) -> str:
        """What is kept of a password."""
        return hashed(password, self._new_salt())

    def expecting(self, dossier: Dossier, password: str) -> KnownStation:
        """A station that may show this password too: to be kept, and `known_as` that, before it is asked to take it."""
        secret = with_another(dossier.station.secret, hashed(password, self._new_salt()))
        return replace(dossier.station, secret=secret)

    def expect_no_more(self, dossier: Dossier, password: str) -> KnownStation:
        """A station has refused to take a password."""
        return dossier.put(replace(dossier.station, secret=without(dossier.station.secret, password)))

    def password_shown(self, dossier: Dossier, password: bytes) -> list[Record]:
        """A station has shown a password: those before it count no more."""
        secret = dossier.station.secret
        left = once_shown(secret, password) if secret is not None else None
        return [dossier.put(replace(dossier.station, secret=left))] if left != secret else []

    # --- tokens and profiles ----------------------------------------------------------------------------------------

    def put_token(self, token: Token) -> Token:
        """A token is known, or known otherwise."""
        self.tokens.put(token)
        return token

    def put_named_profile(self, profile: NamedProfile) -> NamedProfile:
        """Store a charging profile under its name."""
        self.named_profiles[profile.name] = profile
        return profile
