"""What the routes of the CSMS answer. Instants in ms since the epoch, energy in Wh; messages in OCPP's own words."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from voltbench.adapters.ocpp_csms.csms import Csms
from voltbench.adapters.ocpp_csms.files import StoredFile
from voltbench.adapters.ocpp_csms.wire_log import Frame
from voltbench.apps.api.csms.addressing import raw
from voltbench.ocpp.v16.csms import records
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.quantities import Instant


class StationSummary(Struct, frozen=True):
    """A station: whether it may take part, and whether it is there."""

    id: str
    registration: str
    is_connected: bool
    subprotocol: str
    first_seen_at: Instant
    seen_at: Instant
    booted_at: Instant | None


class Stations(Struct, frozen=True):
    """Every station."""

    stations: list[StationSummary]


class NoteView(Struct, frozen=True):
    """The newest that is known on a topic."""

    at: Instant
    content: Raw


class KnownConnector(Struct, frozen=True):
    """What a connector (0: the station) told of itself last, and what it measured last."""

    connector_id: int
    status: str | None
    error_code: str | None
    info: str | None
    vendor_id: str | None
    vendor_error_code: str | None
    at: Instant | None
    availability: str
    is_scheduled: bool
    meter_values: Raw | None


class LocalListView(Struct, frozen=True):
    """The local authorization list of a station, as far as it was sent from here."""

    version: int
    at: Instant
    entries: Raw


class SettingView(Struct, frozen=True):
    """A configuration key of a station."""

    key: str
    setting: str | None
    readonly: bool
    needs_reboot: bool
    at: Instant


class StationView(Struct, frozen=True):
    """A station, as it is known."""

    id: str
    registration: str
    is_connected: bool
    subprotocol: str
    first_seen_at: Instant
    seen_at: Instant
    booted_at: Instant | None
    has_password: bool
    boot: Raw | None
    connectors: list[KnownConnector]
    configuration: list[SettingView]
    local_list: LocalListView | None
    notes: dict[str, NoteView]


class EventView(Struct, frozen=True):
    """Something that a station told."""

    at: Instant
    kind: str
    content: Raw


class Events(Struct, frozen=True):
    """What a station told last, the newest first."""

    events: list[EventView]


class CommandView(Struct, frozen=True):
    """Something that a station is asked to do. `answer` is its answer, `refusal` its error: code and description.

    `state` is pending, answered, refused, overdue (no answer in time) or lost (the connection went before it).
    """

    id: str
    station_id: str
    action: str
    payload: Raw
    asked_at: Instant
    state: str
    answer: Raw | None
    refusal: Raw | None
    ended_at: Instant | None


class Commands(Struct, frozen=True):
    """The last commands to a station, the newest first."""

    commands: list[CommandView]


class CommandSent(Struct, frozen=True):
    """Where the answer to a command will be found."""

    id: str


class TransactionView(Struct, frozen=True):
    """A transaction. It is open until `closed_by` says who closed it: the station, or an operator."""

    id: int
    station_id: str
    connector_id: int
    id_token: str
    authorization: str
    reservation_id: int | None
    started_at: Instant
    meter_start_wh: int
    stopped_at: Instant | None
    meter_stop_wh: int | None
    energy_wh: int | None
    reason: str | None
    stop_id_token: str | None
    closed_by: str | None


class Transactions(Struct, frozen=True):
    """Transactions, the newest first. `next` is the id to go on before, where there are more."""

    transactions: list[TransactionView]
    next: int | None


class ReadingView(Struct, frozen=True):
    """A message with meter values, and when it came."""

    at: Instant
    connector_id: int
    message: Raw


class TransactionDetails(Struct, frozen=True):
    """A transaction with its meter values, and those that its stop brought along."""

    transaction: TransactionView
    readings: list[ReadingView]
    stop_readings: Raw | None


class Reservations(Struct, frozen=True):
    """The last reservations: Active, Used, Cancelled, Expired, or why one was not granted."""

    reservations: list[records.Reservation]


class Tokens(Struct, frozen=True):
    """Every token that is known."""

    tokens: list[records.Token]


class InstalledView(Struct, frozen=True):
    """A charging profile that a station has accepted."""

    station_id: str
    profile_id: int
    connector_id: int
    purpose: str
    stack_level: int
    transaction_id: int | None
    profile: Raw
    installed_at: Instant


class NamedView(Struct, frozen=True):
    """A charging profile that is stored under a name."""

    name: str
    profile: Raw
    at: Instant


class Profiles(Struct, frozen=True):
    """The charging profiles that are stored by name, and those that stations have."""

    stored: list[NamedView]
    installed: list[InstalledView]


class StoredFiles(Struct, frozen=True):
    """Every file."""

    files: list[StoredFile]


class Wire(Struct, frozen=True):
    """The last frames of a station, the oldest first."""

    frames: list[Frame]


# --- from what is known ---------------------------------------------------------------------------------------------


def summary(csms: Csms, dossier: Dossier) -> StationSummary:
    """A station in short."""
    known = dossier.station
    return StationSummary(
        known.id,
        known.registration,
        csms.is_connected(known.id),
        known.subprotocol,
        known.first_seen_at,
        max(dossier.seen_at, known.seen_at),
        known.booted_at,
    )


def station(csms: Csms, dossier: Dossier) -> StationView:
    """A station with all that is known of it."""
    known, short = dossier.station, summary(csms, dossier)
    return StationView(
        **msgspec.structs.asdict(short),
        has_password=known.secret is not None,
        boot=raw(known.boot),
        connectors=[_connector(dossier, id) for id in sorted({*dossier.connectors, *dossier.latest})],
        configuration=[_setting(known) for known in dossier.settings()],
        local_list=_local_list(dossier.local_list) if dossier.local_list else None,
        notes={topic: NoteView(note.at, Raw(note.content.encode())) for topic, note in dossier.notes.items()},
    )


def _connector(dossier: Dossier, id: int) -> KnownConnector:
    state = msgspec.structs.asdict(dossier.connector(id))
    latest = dossier.latest.get(id)
    del state["station_id"], state["told_at"]
    return KnownConnector(**state, meter_values=_told.decode(latest.payload).meter_value if latest else None)


class _Told(Struct, rename="camel"):
    """Of a message with meter values, these."""

    meter_value: Raw


_told = msgspec.json.Decoder(_Told)


def _local_list(sent: records.LocalList) -> LocalListView:
    return LocalListView(sent.version, sent.at, Raw(sent.entries.encode()))


def _setting(setting: records.Setting) -> SettingView:
    return SettingView(setting.key, setting.setting, setting.readonly, setting.needs_reboot, setting.at)


def event(found: records.Event) -> EventView:
    """Something that a station told."""
    return EventView(found.at, found.kind, Raw(found.content.encode()))


def command(found: records.Command) -> CommandView:
    """A command."""
    known = msgspec.structs.asdict(found)
    return CommandView(**known | {name: raw(known[name]) for name in ("payload", "answer", "refusal")})


def transaction(found: records.Transaction) -> TransactionView:
    """A transaction, with the energy that went into the vehicle."""
    energy_wh = found.meter_stop_wh - found.meter_start_wh if found.meter_stop_wh is not None else None
    return TransactionView(**msgspec.structs.asdict(found), energy_wh=energy_wh)


def reservation(now: Instant, found: records.Reservation) -> records.Reservation:
    """A reservation, which may be over by now."""
    is_over = found.state == "Active" and found.expires_at <= now
    return msgspec.structs.replace(found, state="Expired") if is_over else found


def installed(found: records.InstalledProfile) -> InstalledView:
    """A charging profile that a station has."""
    known = msgspec.structs.asdict(found)
    del known["cleared_at"]
    return InstalledView(**known | {"profile": Raw(found.profile.encode())})


def reading(found: records.MetersRead) -> ReadingView:
    """A message with meter values."""
    return ReadingView(found.at, found.connector_id, Raw(found.payload.encode()))
