"""What the CSMS knows of one station: the newest record of each thing that is not over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from voltbench.errors import LocalProtocolError
from voltbench.ocpp.v16.csms.keys import key_name
from voltbench.ocpp.v16.csms.records import (
    ConnectorState,
    Event,
    InstalledProfile,
    KnownStation,
    LocalList,
    MetersRead,
    Note,
    Record,
    Reservation,
    Setting,
)
from voltbench.quantities import MS_PER_DAY, Instant

R = TypeVar("R", bound=Record)

EXPIRED_FOR_MS = 30 * MS_PER_DAY
"""How long a reservation that has expired is remembered: a station that was offline may yet tell who used it."""


class Dossier:
    """One station, as it is known. `seen_at` is when it was heard last, `latest` what each connector measured last.

    Unless it `is_kept`, the store may lack it, and is to be given it with what it says next.
    """

    __slots__ = (
        "_settings",
        "connectors",
        "is_kept",
        "latest",
        "local_list",
        "notes",
        "profiles",
        "reservations",
        "seen_at",
        "station",
    )

    def __init__(self, station: KnownStation) -> None:
        self.station = station
        self.seen_at = station.seen_at
        self.is_kept = True
        self.connectors: dict[int, ConnectorState] = {}
        self._settings: dict[str, Setting] = {}
        self.reservations: dict[int, Reservation] = {}
        self.profiles: dict[int, InstalledProfile] = {}
        self.notes: dict[str, Note] = {}
        self.local_list: LocalList | None = None
        self.latest: dict[int, MetersRead] = {}

    @property
    def id(self) -> str:
        """The station's id."""
        return self.station.id

    def put(self, record: R) -> R:
        """Remember a record, and return it to be kept."""
        match record:
            case KnownStation():
                self.station = record
            case ConnectorState():
                self.connectors[record.connector_id] = record
            case Setting():
                self._settings[key_name(record.key)] = record
            case Reservation():
                self.reservations[record.reservation_id] = record
                self._forget_expired(record.changed_at - EXPIRED_FOR_MS)
            case InstalledProfile():
                self.profiles[record.profile_id] = record
            case Note():
                self.notes[record.topic] = record
            case LocalList():
                self.local_list = record
            case _:
                raise LocalProtocolError(f"a {type(record).__name__} does not belong to a station alone")
        return record

    def _forget_expired(self, before: Instant) -> None:
        for expired in [id for id, one in self.reservations.items() if one.expires_at < before]:
            del self.reservations[expired]

    def forget_over(self, durable: Iterable[Record]) -> None:
        """Of profiles that are cleared and reservations that are over only the store knows, once they are durable."""
        for record in durable:
            match record:
                case InstalledProfile():
                    if record.cleared_at is not None and self.profiles.get(record.profile_id) is record:
                        del self.profiles[record.profile_id]
                case Reservation():
                    if record.state != "Active" and self.reservations.get(record.reservation_id) is record:
                        del self.reservations[record.reservation_id]

    def connector(self, connector_id: int) -> ConnectorState:
        """A connector, even one that has not told anything yet."""
        return self.connectors.get(connector_id) or ConnectorState(station_id=self.id, connector_id=connector_id)

    def setting(self, key: str) -> Setting | None:
        """What is known of a configuration key."""
        return self._settings.get(key_name(key))

    def settings(self) -> list[Setting]:
        """What is known of its configuration, by the names of keys."""
        return sorted(self._settings.values(), key=lambda known: known.key)

    def note(self, now: Instant, topic: str, content: str) -> Note:
        """Remember the newest on a topic."""
        return self.put(Note(station_id=self.id, topic=topic, content=content, at=now))

    def event(self, now: Instant, kind: str, content: str) -> Event:
        """Something that the station told."""
        return Event(station_id=self.id, kind=kind, content=content, at=now)

    def leave(self) -> KnownStation:
        """The station is gone: when it was heard last is worth keeping."""
        return self.put(replace(self.station, seen_at=max(self.seen_at, self.station.seen_at)))
