"""The transactions of all stations: each start and each stop counts once, however often it comes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeGuard

from msgspec import UNSET, Struct
from msgspec.structs import replace

from voltbench.charging.authorization import token_name
from voltbench.errors import Conflict, NotFound
from voltbench.ocpp.v16.csms.records import Transaction
from voltbench.ocpp.v16.messages import AuthorizationStatus, MeterValues, StartTransaction, StopTransaction
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

RECENT = 16
"""Closed transactions of a station that are remembered: a start or stop that was answered in vain comes again.

What is older is looked up where it is kept: see `is_in_doubt`."""

Key: TypeAlias = tuple[str, int, str, Instant, int]

OfTransaction: TypeAlias = StartTransaction | StopTransaction | MeterValues
"""What a station tells of a transaction."""


class Transactions:
    """Open transactions, and the last closed ones of each station. `last_id` is the highest id ever given.

    `last_closed` says of each station when the latest of those began that are closed, remembered or not.
    """

    def __init__(
        self,
        known: Iterable[Transaction] = (),
        last_id: int = 0,
        last_closed: Mapping[str, Instant] | None = None,
    ) -> None:
        self._last_id = last_id
        self._forgotten_until = dict(last_closed or {})
        self._known: dict[int, Transaction] = {}
        self._by_key: dict[Key, int] = {}
        self._open_of: defaultdict[str, set[int]] = defaultdict(set)
        self._closed_of: defaultdict[str, deque[int]] = defaultdict(deque)
        for transaction in known:
            self._put(transaction)

    # --- what stations tell -----------------------------------------------------------------------------------------

    def of_start(self, station_id: str, request: StartTransaction) -> Transaction | None:
        """The transaction that such a start began already."""
        id = self._by_key.get(_key_of(station_id, request))
        return self._known[id] if id is not None else None

    def is_in_doubt(self, request: Struct, station_id: str) -> TypeGuard[OfTransaction]:
        """Whether this may be of a transaction that is remembered no more."""
        match request:
            case StartTransaction():
                return self._may_have_begun(station_id, request)
            case StopTransaction():
                return self._may_be_forgotten(request.transaction_id)
            case MeterValues():
                named = request.transaction_id
                return named is not UNSET and self._may_be_forgotten(named)
        return False

    def _may_have_begun(self, station_id: str, request: StartTransaction) -> bool:
        until = self._forgotten_until.get(station_id)
        return until is not None and instant(request.timestamp) <= until and self.of_start(station_id, request) is None

    def _may_be_forgotten(self, id: int) -> bool:
        return 0 < id <= self._last_id and id not in self._known

    def recall(self, forgotten: Transaction) -> None:
        """A transaction that was remembered no more is asked for again."""
        if forgotten.id not in self._known:
            self._put(forgotten)

    def start(self, station_id: str, request: StartTransaction, authorization: AuthorizationStatus) -> Transaction:
        """Begin a transaction."""
        self._last_id += 1
        reservation_id = request.reservation_id
        started = Transaction(
            id=self._last_id,
            station_id=station_id,
            connector_id=request.connector_id,
            id_token=request.id_tag,
            started_at=instant(request.timestamp),
            meter_start_wh=request.meter_start,
            authorization=authorization,
            reservation_id=None if reservation_id is UNSET else reservation_id,
        )
        return self._put(started)

    def stop(self, station_id: str, request: StopTransaction) -> Transaction | None:
        """Close a transaction; what the station says first counts. None where the station has no such transaction."""
        known = self._known.get(request.transaction_id)
        if known is None or known.station_id != station_id:
            return None
        if known.closed_by == "station":
            return known
        stopped = replace(
            known,
            stopped_at=instant(request.timestamp),
            meter_stop_wh=request.meter_stop,
            reason="Local" if request.reason is UNSET else request.reason,
            stop_id_token=None if request.id_tag is UNSET else request.id_tag,
            closed_by="station",
        )
        return self._put(stopped)

    # --- what operators do ------------------------------------------------------------------------------------------

    def closed(self, now: Instant, id: int) -> Transaction:
        """A transaction as an operator closes it, to be kept before it is. Raises NotFound, or Conflict."""
        known = self._known.get(id)
        if known is None:
            raise NotFound("open transaction", str(id))
        if known.closed_by is not None:
            raise Conflict("transaction", str(id), "is closed already")
        return replace(known, stopped_at=now, closed_by="operator")

    def close(self, closed: Transaction) -> None:
        """An operator has closed a transaction; what its station has said meanwhile counts more."""
        known = self._known.get(closed.id)
        if known is not None and known.closed_by is None:
            self._put(closed)

    # --- what is known ----------------------------------------------------------------------------------------------

    def get(self, id: int) -> Transaction | None:
        """A transaction that is open, or was closed lately."""
        return self._known.get(id)

    def open_of(self, station_id: str) -> list[Transaction]:
        """The open transactions of a station, the oldest first."""
        ids = (id for ids in self._open_of.values() for id in ids)
        return [self._known[id] for id in sorted(ids) if self._known[id].station_id == station_id]

    def running(self, id_token: str, station_id: str, connector_id: int) -> int:
        """How many transactions a token has elsewhere; what is open on this connector is over, as another begins."""
        here = (station_id, connector_id)
        others = (self._known[id] for id in self._open_of.get(token_name(id_token), ()))
        return sum((one.station_id, one.connector_id) != here for one in others)

    # --- memory -----------------------------------------------------------------------------------------------------

    def _put(self, transaction: Transaction) -> Transaction:
        before = self._known.get(transaction.id)
        self._known[transaction.id] = transaction
        self._by_key[_key(transaction)] = transaction.id
        open_of_token = self._open_of[token_name(transaction.id_token)]
        if transaction.closed_by is None:
            open_of_token.add(transaction.id)
        else:
            open_of_token.discard(transaction.id)
            if not open_of_token:
                del self._open_of[token_name(transaction.id_token)]
            if before is None or before.closed_by is None:
                self._remember_closed(transaction)
        return transaction

    def _remember_closed(self, transaction: Transaction) -> None:
        closed = self._closed_of[transaction.station_id]
        closed.append(transaction.id)
        if len(closed) > RECENT:
            self._forget(self._known.pop(closed.popleft()))

    def _forget(self, transaction: Transaction) -> None:
        self._by_key.pop(_key(transaction), None)
        station, began_at = transaction.station_id, transaction.started_at
        self._forgotten_until[station] = max(began_at, self._forgotten_until.get(station, began_at))


def _key(transaction: Transaction) -> Key:
    known = transaction
    return known.station_id, known.connector_id, known.id_token, known.started_at, known.meter_start_wh


def _key_of(station_id: str, request: StartTransaction) -> Key:
    return station_id, request.connector_id, request.id_tag, instant(request.timestamp), request.meter_start
