"""Who charges, and how much: authorization, transactions, meter values."""

from __future__ import annotations

from msgspec.structs import replace

from voltbench.charging.authorization import is_same_token
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.records import MetersRead, Record, Reservation, StopReadings, Transaction
from voltbench.ocpp.v16.csms.reply import Reply, given, json_of
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
    if is_same_token(reservation.id_token, id_token):
        return True
    token = central.tokens.get(id_token)
    return token is not None and is_same_token(token.group, reservation.group)


def stop(central: Central, now: Instant, dossier: Dossier, request: m.StopTransaction) -> Reply:
    """A transaction is over, or that is told once more. A stop of what nobody knows is kept as it came."""
    info = m.StopTransactionResponse()
    if request.id_tag:
        info = m.StopTransactionResponse(id_tag_info=central.tokens.info(now, request.id_tag))
    known = central.transactions.get(request.transaction_id)
    is_news = known is not None and known.closed_by != "station"
    stopped = central.transactions.stop(dossier.id, request)
    if stopped is None:
        return Reply(info, (dossier.event(now, "StopTransaction", json_of(request)),))
    records: list[Record] = [stopped]
    if request.transaction_data and stopped.stopped_at == instant(request.timestamp):
        records.append(StopReadings(transaction_id=stopped.id, payload=json_of(request.transaction_data)))
    return Reply(info, (*records, *_ended_profiles(now, dossier, stopped, is_news=is_news)))


def _ended_profiles(now: Instant, dossier: Dossier, stopped: Transaction, *, is_news: bool) -> list[Record]:
    """A profile of a transaction ends with it (section 3.13.1). One that has, and is known still, is not durable yet.

    One that names none is that of whatever goes on at its connector: after a stop that is told once more, another's.
    """
    here = (None, stopped.connector_id) if is_news else None
    return [
        dossier.put(replace(profile, cleared_at=profile.cleared_at or now))
        for profile in list(dossier.profiles.values())
        if profile.purpose == "TxProfile"
        and (profile.transaction_id == stopped.id or (profile.transaction_id, profile.connector_id) == here)
    ]


def meter_values(central: Central, now: Instant, dossier: Dossier, request: m.MeterValues) -> Reply:
    """Meters were read, or that is told once more: what says the same as the last of its connector is the same.

    What is said to be read in a transaction that is not the station's is kept, but not as that transaction's.
    """
    payload = json_of(request)
    named = given(request.transaction_id)
    owner = central.transactions.get(named) if named is not None else None
    is_its_own = owner is not None and owner.station_id == dossier.id
    read = dossier.latest.get(request.connector_id)
    if read is None or read.payload != payload:
        read = dossier.latest[request.connector_id] = MetersRead(
            id=central.new_reading_id(),
            station_id=dossier.id,
            connector_id=request.connector_id,
            transaction_id=named if is_its_own else None,
            at=now,
            payload=payload,
        )
    if named is None or is_its_own:
        return Reply(m.MeterValuesResponse(), (read,))
    stray = json_of({"connectorId": request.connector_id, "transactionId": named})
    return Reply(m.MeterValuesResponse(), (read, dossier.event(now, "MeterValues", stray)))
