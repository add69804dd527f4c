"""Who charges, and how much: authorization, transactions, meter values."""

from __future__ import annotations

from msgspec.structs import replace

from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.records import MetersRead, Record, Reservation, StopReadings, Transaction
from voltbench.ocpp.v16.csms.reply import Reply, given, json_of
from voltbench.ocpp.v16.csms.tokens import same
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant


def authorize(central: Central, now: Instant, _dossier: Dossier, request: m.Authorize) -> Reply:
    """Whether a token may charge. That it charges already is only said when it begins once more (section 7.2)."""
    return Reply(m.AuthorizeResponse(id_tag_info=central.tokens.info(now, request.id_tag)))


def start(central: Central, now: Instant, dossier: Dossier, request: m.StartTransaction) -> Reply:
    """A transaction has begun, or it is told once more. It is kept even where its token may not charge."""
    transactions = central.transactions
    known = transactions.of_start(dossier.id, request)
    running = transactions.running(request.id_tag, dossier.id, request.connector_id)
    info = central.tokens.info(now, request.id_tag, running)
    if known is None:
        known = transactions.start(dossier.id, request, info.status)
    info = replace(info, status=known.authorization)
    used = _used(central, now, dossier, known)
    return Reply(m.StartTransactionResponse(id_tag_info=info, transaction_id=known.id), (known, *used))


def _used(central: Central, now: Instant, dossier: Dossier, transaction: Transaction) -> list[Reservation]:
    """The reservation that a transaction has used up."""
    found = dossier.reservations.get(transaction.reservation_id) if transaction.reservation_id is not None else None
    if found is None or found.transaction_id not in (None, transaction.id):
        return []
    if found.state != "Active" or not _is_for(central, found, transaction.id_token):
        return [found] if found.transaction_id == transaction.id else []
    return [dossier.put(replace(found, state="Used", transaction_id=transaction.id, changed_at=now))]


def _is_for(central: Central, reservation: Reservation, id_token: str) -> bool:
    if same(reservation.id_token) == same(id_token):
        return True
    token = central.tokens.get(id_token)
    group = token.group if token is not None else None
    return group is not None and reservation.group is not None and same(group) == same(reservation.group)


def stop(central: Central, now: Instant, dossier: Dossier, request: m.StopTransaction) -> Reply:
    """A transaction is over, or that is told once more. A stop of what nobody knows is kept as it came."""
    info = m.StopTransactionResponse()
    if request.id_tag:
        info = m.StopTransactionResponse(id_tag_info=central.tokens.info(now, request.id_tag))
    stopped = central.transactions.stop(dossier.id, request)
    if stopped is None:
        return Reply(info, (dossier.event(now, "StopTransaction", json_of(request)),))
    records: list[Record] = [stopped]
    if request.transaction_data and stopped.stopped_at == instant(request.timestamp):
        records.append(StopReadings(transaction_id=stopped.id, payload=json_of(request.transaction_data)))
    return Reply(info, (*records, *_ended_profiles(now, dossier, stopped)))


def _ended_profiles(now: Instant, dossier: Dossier, stopped: Transaction) -> list[Record]:
    """A profile of a transaction ends with it (section 3.13.1)."""
    return [
        dossier.put(replace(profile, cleared_at=now))
        for profile in list(dossier.profiles.values())
        if profile.cleared_at is None
        and profile.purpose == "TxProfile"
        and (profile.transaction_id == stopped.id or profile.connector_id == stopped.connector_id)
    ]


def meter_values(central: Central, now: Instant, dossier: Dossier, request: m.MeterValues) -> Reply:
    """Meters were read, or that is told once more: what says the same as the last of its connector is the same."""
    payload = json_of(request)
    read = dossier.latest.get(request.connector_id)
    if read is None or read.payload != payload:
        read = dossier.latest[request.connector_id] = MetersRead(
            id=central.new_reading_id(),
            station_id=dossier.id,
            connector_id=request.connector_id,
            transaction_id=given(request.transaction_id),
            at=now,
            payload=payload,
        )
    return Reply(m.MeterValuesResponse(), (read,))
