"""What a CSMS keeps. A record is the newest state of one thing, or something that happened; both are frozen.

A record with a key replaces the one before it; an `Event` is added. So everything but events may be kept again without
harm, and memory is what was put last of each key.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voltbench.ocpp.v16.messages import AuthorizationStatus, RegistrationStatus
from voltbench.quantities import Instant

Json: TypeAlias = str
"""A JSON text."""

CommandState: TypeAlias = Literal["pending", "answered", "refused", "overdue", "lost"]
ReservationState: TypeAlias = Literal[
    "Active", "Used", "Cancelled", "Expired", "Faulted", "Occupied", "Rejected", "Unavailable"
]


class KnownStation(Struct, frozen=True, kw_only=True):
    """A station: whether it may take part, and what it told of itself when it booted.

    `secret` are the salted hashes of the passwords that it may show (see `secrets_kept`). `seen_at` is when it was
    heard last before it was gone.
    """

    id: str
    registration: RegistrationStatus
    subprotocol: str
    first_seen_at: Instant
    seen_at: Instant
    booted_at: Instant | None = None
    boot: Json | None = None
    secret: str | None = None


class ConnectorState(Struct, frozen=True, kw_only=True):
    """What a connector (0: the station) told of itself last, and whether it was set out of operation.

    `at` is when that was; `told_at` is that by the station's own clock, where it has said so.
    """

    station_id: str
    connector_id: int
    status: str | None = None
    error_code: str | None = None
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None
    at: Instant | None = None
    availability: Literal["Operative", "Inoperative"] = "Operative"
    is_scheduled: bool = False
    told_at: Instant | None = None


class Token(Struct, frozen=True, kw_only=True):
    """An id token. Unless `concurrent_transactions` allows more, it may have one transaction at a time."""

    id_token: str
    status: AuthorizationStatus = "Accepted"
    group: str | None = None
    expires_at: Instant | None = None
    concurrent_transactions: int = 1


class Transaction(Struct, frozen=True, kw_only=True):
    """A transaction, open until somebody closes it: the station, or an operator who knows that it is stale.

    It is the same transaction if station, connector, token, start and meter are. Meters in Wh.
    """

    id: int
    station_id: str
    connector_id: int
    id_token: str
    started_at: Instant
    meter_start_wh: int
    authorization: AuthorizationStatus
    reservation_id: int | None = None
    stopped_at: Instant | None = None
    meter_stop_wh: int | None = None
    reason: str | None = None
    stop_id_token: str | None = None
    closed_by: Literal["station", "operator"] | None = None


class StopReadings(Struct, frozen=True, kw_only=True):
    """The meter values that the stop of a transaction brought along."""

    transaction_id: int
    payload: Json


class MetersRead(Struct, frozen=True, kw_only=True):
    """A message with meter values, as it came. Its id says when: later ones have higher ids."""

    id: int
    station_id: str
    connector_id: int
    transaction_id: int | None
    at: Instant
    payload: Json


class Reservation(Struct, frozen=True, kw_only=True):
    """A connector (0: any of them) that is reserved for a token, or for its group."""

    station_id: str
    reservation_id: int
    connector_id: int
    id_token: str
    group: str | None
    expires_at: Instant
    state: ReservationState
    changed_at: Instant
    transaction_id: int | None = None


class InstalledProfile(Struct, frozen=True, kw_only=True):
    """A charging profile that a station has accepted, until it is cleared."""

    station_id: str
    profile_id: int
    connector_id: int
    purpose: str
    stack_level: int
    transaction_id: int | None
    profile: Json
    installed_at: Instant
    cleared_at: Instant | None = None


class NamedProfile(Struct, frozen=True, kw_only=True):
    """A charging profile that is stored under a name, to be sent to stations by it."""

    name: str
    profile: Json
    at: Instant


class LocalList(Struct, frozen=True, kw_only=True):
    """The local authorization list of a station: a JSON object of tokens and what is known of them."""

    station_id: str
    version: int
    entries: Json
    at: Instant


class Setting(Struct, frozen=True, kw_only=True):
    """A configuration key of a station, as far as it is known. What needs a reboot is not in force yet."""

    station_id: str
    key: str
    setting: str | None
    readonly: bool
    needs_reboot: bool
    at: Instant


class Command(Struct, frozen=True, kw_only=True):
    """Something that a station is asked to do, and what came of it. `refusal` is a JSON object: code, description."""

    id: str
    station_id: str
    action: str
    payload: Json
    asked_at: Instant
    state: CommandState = "pending"
    answer: Json | None = None
    refusal: Json | None = None
    ended_at: Instant | None = None


class Note(Struct, frozen=True, kw_only=True):
    """The newest that is known of a station on a topic, such as `firmware`."""

    station_id: str
    topic: str
    content: Json
    at: Instant


class Event(Struct, frozen=True, kw_only=True):
    """Something that a station told, by the name of its message."""

    station_id: str
    kind: str
    content: Json
    at: Instant


Record: TypeAlias = (
    KnownStation
    | ConnectorState
    | Token
    | Transaction
    | StopReadings
    | MetersRead
    | Reservation
    | InstalledProfile
    | NamedProfile
    | LocalList
    | Setting
    | Command
    | Note
    | Event
)
