"""The messages about transactions that still have to be told: in order, each until it is answered, whatever happens.

OCPP 1.6 edition 2, sections 3.7.1 and 4.1; a resend keeps its message id. What is in here survives the station.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, Struct

from voltbench.ocpp.v16.messages import MeterValues, StartTransaction, StopTransaction
from voltbench.ocpp.wire_types import read
from voltbench.quantities import DurationMs, Instant

NO_ID = -1
"""The transaction id of a transaction whose start no CSMS has ever confirmed."""

MOST_IDLE = 200
"""Readings outside of transactions that wait, at most: what nobody pays for need not fill a station that is offline."""

_KINDS: dict[str, type[Struct]] = {kind.__name__: kind for kind in (StartTransaction, MeterValues, StopTransaction)}


class Entry(msgspec.Struct):
    """A message about a transaction (by the station's own number; 0 for none): how often it was refused, or the line
    lost over it, and when it may be tried again.
    """

    sequence: int
    id: str
    number: int
    request: Struct
    attempts: int = 0
    losses: int = 0
    not_before: Instant = 0


class Kept(msgspec.Struct, array_like=True):
    """An entry as it is kept."""

    id: str
    number: int
    action: str
    request: Raw
    attempts: int


class Outbox:
    """The messages about transactions, first come first served, and after them the readings outside of transactions.

    `keep` is told what must not be lost, if anything.
    """

    __slots__ = ("_idle", "_ids", "_keep", "_last", "_waiting")

    def __init__(self, keep: Callable[[str, bytes | None], None] | None) -> None:
        self._keep = keep
        self._waiting: deque[Entry] = deque()
        self._idle: deque[Entry] = deque()
        self._ids: dict[int, int] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._idle)

    @property
    def about_transactions(self) -> int:
        """How many of them are about transactions."""
        return len(self._waiting)

    # --- transaction ids --------------------------------------------------------------------------------------------

    def transaction_id(self, number: int) -> int | None:
        """What the CSMS calls a transaction, once it has said so."""
        return self._ids.get(number)

    def number(self, transaction_id: int) -> int | None:
        """Our own number of what the CSMS calls so."""
        known = (number for number, id in self._ids.items() if id == transaction_id != NO_ID)
        return next(known, None)

    def call_it(self, number: int, transaction_id: int) -> None:
        """The CSMS has said what it calls a transaction."""
        self._ids[number] = transaction_id
        if self._keep is not None:
            self._keep(f"transaction/{number}", str(transaction_id).encode())

    # --- messages ---------------------------------------------------------------------------------------------------

    def put(self, id: str, number: int, request: StartTransaction | MeterValues | StopTransaction) -> None:
        """One more to be told."""
        self._last += 1
        entry = Entry(self._last, id, number, request)
        if number:
            self._waiting.append(entry)
        else:
            self._put_idle(entry)
        if self._keep is not None:
            self._write(entry)

    def _put_idle(self, entry: Entry) -> None:
        self._idle.append(entry)
        if len(self._idle) > MOST_IDLE:
            forgotten = self._idle.popleft()
            if self._keep is not None:
                self._keep(_key(forgotten.sequence), None)

    def next(self, now: Instant) -> Entry | None:
        """The message whose turn it is, under the transaction id that it has by now; None where it has to wait."""
        waiting = self._waiting
        if not waiting and not self._idle:
            return None
        queue = waiting if waiting and waiting[0].not_before <= now else self._idle
        if not queue or queue[0].not_before > now:
            return None
        entry = queue[0]
        request, known = entry.request, self._ids.get(entry.number)
        if (
            known is not None
            and isinstance(request, (MeterValues, StopTransaction))
            and request.transaction_id != known
        ):
            entry.request = msgspec.structs.replace(request, transaction_id=known)
        return entry

    def next_wakeup(self) -> Instant | None:
        """When a message may be tried again."""
        if not self._waiting and not self._idle:
            return None
        first = [queue[0] for queue in (self._waiting, self._idle) if queue]
        return min((entry.not_before for entry in first if entry.not_before), default=None)

    def told(self, entry: Entry) -> None:
        """The first message of its queue was answered, or is given up."""
        if entry.number:
            self._waiting.popleft()
        elif self._idle and self._idle[0] is entry:  # it may have had to make room meanwhile
            self._idle.popleft()
        is_over = isinstance(entry.request, StopTransaction)
        if is_over:
            self._ids.pop(entry.number, None)
        if self._keep is not None:
            self._keep(_key(entry.sequence), None)
            if is_over:
                self._keep(f"transaction/{entry.number}", None)

    def put_off(self, entry: Entry, until: Instant) -> None:
        """Nothing was heard of a message: the CSMS is as good as not there until then."""
        entry.not_before = until

    def lost(self, entry: Entry, most: int) -> None:
        """The line was lost over a message. Where that happens again and again, a stop leaves out its readings: a frame
        that somebody on the way finds too long would hold up all the others for ever.
        """
        entry.losses += 1
        if entry.losses >= most and isinstance(entry.request, StopTransaction) and entry.request.transaction_data:
            entry.request = msgspec.structs.replace(entry.request, transaction_data=UNSET)
            self._write(entry)

    def refused(self, now: Instant, entry: Entry, most_attempts: int, retry_ms: DurationMs) -> None:
        """The CSMS could not process a message: try it again later, or give it up after so many attempts."""
        if not (entry.number or (self._idle and self._idle[0] is entry)):
            return  # it had to make room meanwhile
        entry.attempts += 1
        if entry.attempts >= most_attempts:
            if isinstance(entry.request, StartTransaction):
                self.call_it(entry.number, NO_ID)
            self.told(entry)
            return
        entry.not_before = now + retry_ms * entry.attempts
        self._write(entry)

    # --- what is kept -----------------------------------------------------------------------------------------------

    def restore(self, key: str, kept: bytes) -> None:
        """Take up what was kept under a key; in the order of the keys."""
        room, _, rest = key.partition("/")
        if room == "transaction":
            self._ids[int(rest)] = int(kept)
            return
        entry = msgspec.json.decode(kept, type=Kept)
        request = read(_KINDS[entry.action], entry.request)
        waiting = Entry(int(rest), entry.id, entry.number, request, entry.attempts)
        (self._waiting if waiting.number else self._idle).append(waiting)
        self._last = int(rest)

    def _write(self, entry: Entry) -> None:
        if self._keep is not None:
            kept = (entry.id, entry.number, type(entry.request).__name__, entry.request, entry.attempts)
            self._keep(_key(entry.sequence), msgspec.json.encode(kept))


def _key(sequence: int) -> str:
    return f"queue/{sequence:012}"
