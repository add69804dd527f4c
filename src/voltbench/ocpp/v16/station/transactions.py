"""Transactions as the CSMS hears of them: what the station's life tells becomes messages that are not lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import UNSET, Struct

from voltbench.charging.authorization import TokenInfo, TokenStatus, token_name
from voltbench.charging.evse import Transaction
from voltbench.charging.feed import Reading
from voltbench.charging.happenings import (
    Sampled,
    StatusChanged,
    TokenPresented,
    TransactionEnded,
    TransactionStarted,
)
from voltbench.charging.profile import Profile, Purpose
from voltbench.charging.status import Status, StopReason
from voltbench.ocpp.v16.messages import (
    ChargePointErrorCode,
    MeterValue,
    MeterValues,
    ReadingContext,
    RemoteStartTransaction,
    RemoteStartTransactionResponse,
    RemoteStopTransaction,
    RemoteStopTransactionResponse,
    StartTransaction,
    StartTransactionResponse,
    StatusNotification,
    StopTransaction,
    StopTransactionResponse,
)
from voltbench.ocpp.v16.station.authorizing import Authorizing, info_of
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.meters import meter_value, whole_wh
from voltbench.ocpp.v16.station.outbox import Entry, Outbox
from voltbench.ocpp.v16.station.profiles import is_acceptable, profile_of
from voltbench.ocpp.v16.vendor import VENDOR
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

MOST_READINGS = 500
"""Readings of one transaction that its stop carries; then every other one is left out."""


_MEANT_FROM_AFAR = {Status.PREPARING: 0, Status.RESERVED: 1, Status.AVAILABLE: 2, Status.FINISHING: 3}
"""Which EVSE a remote start most likely means that says none: a car that has charged already may be a stranger's."""


class KeptTransaction(msgspec.Struct):
    """A transaction that goes on, as it is kept: with what the meter read last."""

    transaction: Transaction
    last_at: Instant
    register_wh: float
    readings: list[MeterValue] = []


class Transactions:
    """The transactions of a station, towards the CSMS."""

    __slots__ = ("_asked_for", "_authorizing", "_desk", "_going_on", "_profiles", "outbox")

    def __init__(self, desk: Desk, authorizing: Authorizing) -> None:
        self._desk = desk
        self._authorizing = authorizing
        self._asked_for: set[tuple[int, str]] = set()
        self._going_on: dict[int, KeptTransaction] = {}
        self._profiles: dict[int, Profile] = {}
        self.outbox = Outbox(desk.keep if desk.keeps else None)

    # --- what the station's life tells ------------------------------------------------------------------------------

    def presented(self, now: Instant, fact: TokenPresented) -> None:
        """Somebody wants to charge, or to stop somebody of his group. Whoever is asked for need not tap again."""
        life, asked_for = self._desk.life, (fact.evse, token_name(fact.token))
        if asked_for in self._asked_for:
            return

        def decided(at: Instant, info: TokenInfo) -> None:
            self._asked_for.discard(asked_for)
            if not info.accepted:
                life.refuse(at, fact.evse, fact.token, info.status)
            elif life.grant(at, fact.evse, fact.token, info.group):
                self._profiles.pop(fact.evse, None)
            else:
                life.refuse(at, fact.evse, fact.token, life.evse(fact.evse).status())

        self._asked_for.add(asked_for)
        self._authorizing.decide(now, fact.token, decided)

    def started(self, now: Instant, fact: TransactionStarted) -> None:
        """A transaction has begun."""
        transaction, reading = fact.transaction, fact.reading
        self._desk.keep("last", str(transaction.number).encode())
        profile = self._profiles.pop(transaction.evse, None)
        if profile is not None:
            self._desk.life.profiles.install(now, transaction.evse, profile)
            self._desk.life.changed(now)
        going_on = KeptTransaction(transaction, now, reading.register_wh)
        self._going_on[transaction.number] = going_on
        self._note(going_on, reading, "Transaction.Begin")
        self._keep(going_on)
        request = StartTransaction(
            connector_id=transaction.evse,
            id_tag=transaction.token,
            meter_start=whole_wh(transaction.register_start_wh),
            reservation_id=UNSET if transaction.reservation is None else transaction.reservation,
            timestamp=rfc3339(transaction.started_at),
        )
        self.outbox.put(self._desk.new_id(), transaction.number, request)

    def sampled(self, _now: Instant, fact: Sampled) -> None:
        """A meter was read because it was time."""
        context: ReadingContext = "Sample.Clock" if fact.by_clock else "Sample.Periodic"
        key = "MeterValuesAlignedData" if fact.by_clock else "MeterValuesSampledData"
        transaction = fact.transaction
        going_on = self._going_on.get(transaction.number) if transaction is not None else None
        if going_on is not None:
            if self._note(going_on, fact.reading, context):
                self._keep(going_on)
            self._read(going_on, fact.reading)
        told = meter_value(fact.reading, self._desk.configuration.listed(key), context)
        if told is not None:
            number = transaction.number if transaction is not None else 0
            self.outbox.put(self._desk.new_id(), number, self._values(fact.evse, number, told))

    def read_now(self, now: Instant, evse: int, reading: Reading) -> None:
        """The CSMS wants a reading now, even of a station that it has not accepted yet (section 4.2)."""
        told = meter_value(reading, self._desk.configuration.listed("MeterValuesSampledData"), "Trigger")
        transaction = self._desk.life.evse(evse).transaction
        number = transaction.number if transaction is not None else 0
        if told is not None:
            if number in self._going_on:
                self._read(self._going_on[number], reading)
            request = self._values(evse, number, told)
            if self._desk.may_call:
                self.outbox.put(self._desk.new_id(), number, request)
            else:
                self._desk.call(now, request)

    def _read(self, going_on: KeptTransaction, reading: Reading) -> None:
        """A transaction that is killed ends with what its meter was last read to be."""
        going_on.last_at, going_on.register_wh = reading.at, reading.register_wh
        if self._desk.keeps:
            self._desk.keep(_meter(going_on), f"{reading.at} {reading.register_wh!r}".encode())

    def _values(self, evse: int, number: int, told: MeterValue) -> MeterValues:
        id = self.outbox.transaction_id(number)
        return MeterValues(connector_id=evse, transaction_id=UNSET if id is None else id, meter_value=(told,))

    def ended(self, _now: Instant, fact: TransactionEnded) -> None:
        """A transaction is over."""
        transaction, reading = fact.transaction, fact.reading
        going_on = self._going_on.pop(transaction.number, KeptTransaction(transaction, fact.at, reading.register_wh))
        self._note(going_on, reading, "Transaction.End")
        self._put_stop(going_on, fact.at, reading.register_wh, fact.reason, fact.token)

    def _put_stop(
        self, over: KeptTransaction, at: Instant, register_wh: float, reason: StopReason, token: str | None
    ) -> None:
        number = over.transaction.number
        id = self.outbox.transaction_id(number)
        request = StopTransaction(
            id_tag=UNSET if token is None else token,
            meter_stop=whole_wh(register_wh),
            timestamp=rfc3339(at),
            transaction_id=-1 if id is None else id,
            reason=reason.value,
            transaction_data=tuple(over.readings) or UNSET,
        )
        self.outbox.put(self._desk.new_id(), number, request)
        self._desk.keep(f"register/{over.transaction.evse}", repr(register_wh).encode())
        self._desk.keep(f"running/{number:09}", None)
        self._desk.keep(_meter(over), None)

    # --- what belongs into a stop -----------------------------------------------------------------------------------

    def _note(self, going_on: KeptTransaction, reading: Reading, context: ReadingContext) -> bool:
        """Remember a reading for the transaction's stop, where that is to carry any; return whether it is."""
        by_clock = context == "Sample.Clock"
        measurands = self._desk.configuration.listed("StopTxnAlignedData" if by_clock else "StopTxnSampledData")
        told = meter_value(reading, measurands, context) if measurands else None
        if told is not None:
            going_on.readings.append(told)
            if len(going_on.readings) > MOST_READINGS:
                del going_on.readings[1:-1:2]
        return told is not None

    def _keep(self, going_on: KeptTransaction) -> None:
        self._desk.keep_struct(f"running/{going_on.transaction.number:09}", going_on)

    # --- what the CSMS wants ----------------------------------------------------------------------------------------

    def remote_start(self, now: Instant, request: RemoteStartTransaction) -> RemoteStartTransactionResponse:
        """Start a transaction as if the token had been shown. OCPP 1.6 edition 2, section 5.11.

        Nobody may start or stop one from afar while the station is not accepted (section 4.2).
        """
        if not self._desk.may_call:
            return RemoteStartTransactionResponse(status="Rejected")
        token, asks = request.id_tag, self._desk.configuration.is_on("AuthorizeRemoteTxRequests")
        group = self._authorizing.group_of(now, token)
        evse = self._evse_for(token, group, request.connector_id or None, may_learn=asks)
        profile = None if request.charging_profile is UNSET else profile_of(request.charging_profile)
        fits = profile is None or (profile.purpose is Purpose.TX and is_acceptable(self._desk, evse or 0, profile))
        if evse is None or not fits:
            return RemoteStartTransactionResponse(status="Rejected")
        chosen = evse

        def decided(at: Instant, info: TokenInfo) -> None:
            if info.accepted and self._desk.life.grant(at, chosen, token, info.group):
                self._profiles.pop(chosen, None)
                if profile is not None:
                    self._profiles[chosen] = profile

        def start(at: Instant) -> None:
            if asks:
                self._authorizing.decide(at, token, decided)
            else:
                decided(at, TokenInfo(TokenStatus.ACCEPTED, group=group))

        self._desk.afterwards.append(start)
        return RemoteStartTransactionResponse(status="Accepted")

    def _evse_for(self, token: str, group: str | None, wanted: int | None, *, may_learn: bool) -> int | None:
        """Where a token may begin to charge, if anywhere. A group that is to be learnt yet may be any of those for
        whom something is reserved: whether it is, is seen when it is known.
        """
        life = self._desk.life
        groups = [group]
        if group is None and may_learn:
            groups += [held.group for held in life.reservations.held.values() if held.group is not None]
        evses = [at for at in life.evses if wanted in (None, at.id) and at.grant is None]
        evses.sort(key=lambda at: _MEANT_FROM_AFAR.get(at.status(), len(_MEANT_FROM_AFAR)))
        return next((at.id for one in groups for at in evses if life.may_charge(at.id, token, one)), None)

    def remote_stop(self, _now: Instant, request: RemoteStopTransaction) -> RemoteStopTransactionResponse:
        """Stop a transaction. OCPP 1.6 edition 2, section 5.12."""
        number = self.outbox.number(request.transaction_id) if self._desk.may_call else None
        at = self._desk.life.transaction(number) if number is not None else None
        if at is None:
            return RemoteStopTransactionResponse(status="Rejected")
        evse = at.id
        self._desk.afterwards.append(lambda now: self._desk.life.stop(now, evse, StopReason.REMOTE))
        return RemoteStopTransactionResponse(status="Accepted")

    # --- telling ----------------------------------------------------------------------------------------------------

    def pump(self, now: Instant) -> None:
        """Tell the first message that waits and may be told; nothing else is being said."""
        entry = self.outbox.next(now)
        if entry is not None:
            self._desk.call(now, entry.request, self._told(entry), id=entry.id)

    def _told(self, entry: Entry) -> Callable[[Instant, Struct | None], None]:
        def answered(now: Instant, response: Struct | None) -> None:
            if response is None:
                self._not_told(now, entry)
                return
            if isinstance(response, StartTransactionResponse) and isinstance(entry.request, StartTransaction):
                self._started(now, entry.number, entry.request.id_tag, response)
            self.outbox.told(entry)
            if isinstance(response, StopTransactionResponse) and response.id_tag_info:
                request = entry.request
                if isinstance(request, StopTransaction) and request.id_tag:
                    self._authorizing.learn(request.id_tag, info_of(response.id_tag_info))

        return answered

    def _not_told(self, now: Instant, entry: Entry) -> None:
        """A message was refused; or nothing was heard of it, which is no refusal."""
        keys = self._desk.configuration
        attempts = keys.whole("TransactionMessageAttempts")
        retry_ms = self._desk.network_ms(keys.whole("TransactionMessageRetryInterval") * MS_PER_SECOND)
        if self._desk.peer is None:
            self.outbox.lost(entry, attempts)
        elif self._desk.is_overdue:
            self.outbox.put_off(entry, now + retry_ms)
        else:
            self.outbox.refused(now, entry, attempts, retry_ms)

    def _started(self, now: Instant, number: int, token: str, response: StartTransactionResponse) -> None:
        """The CSMS has taken a transaction up, under an id of its own, and may not like its token."""
        self.outbox.call_it(number, response.transaction_id)
        info = info_of(response.id_tag_info)
        self._authorizing.learn(token, info)
        going_on = self._going_on.get(number)
        if going_on is None:
            return
        going_on.transaction.group = info.group or going_on.transaction.group
        if not info.at(now).accepted:
            self._desk.life.bar(now, number)

    # --- after the station was killed -------------------------------------------------------------------------------

    def restore(self, kept: bytes, memory: Mapping[str, bytes]) -> KeptTransaction:
        """A transaction that went on when the station was killed: it ended there, with what its meter read last."""
        over = msgspec.json.decode(kept, type=KeptTransaction)
        at, _, register_wh = memory.get(_meter(over), b"").decode().partition(" ")
        if at and int(at) > over.last_at:
            over.last_at, over.register_wh = int(at), float(register_wh)
        self._put_stop(over, over.last_at, over.register_wh, StopReason.POWER_LOSS, None)
        return over


def _meter(going_on: KeptTransaction) -> str:
    return f"meter/{going_on.transaction.number}"


_ERRORS: frozenset[str] = frozenset(ChargePointErrorCode.__args__)  # type: ignore[attr-defined]


def status_notification(fact: StatusChanged) -> StatusNotification:
    """What the CSMS hears of a status. An error may bring a vendor's own code: `GroundFailure/E-17`.

    One that the protocol has no word for is another error, with its name, which is its vendor's code too.
    """
    name, _, code = (fact.error or "NoError").partition("/")
    known = name in _ERRORS
    code = code or ("" if known else name)
    return StatusNotification(
        connector_id=fact.evse,
        error_code=name if known else "OtherError",  # type: ignore[arg-type]
        info=UNSET if known else name[:50],
        status=fact.status.value,
        timestamp=rfc3339(fact.at),
        vendor_id=VENDOR if code else UNSET,
        vendor_error_code=code[:50] or UNSET,
    )
