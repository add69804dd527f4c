"""OCPP-J without a network: calls, answers and errors, one outstanding call a direction, and when an answer is overdue.

A `Peer` is one end of a connection, station or CSMS. It is handed the frames that arrive and says which to send; what
has happened it tells as `Called`, `Answered`, `Refused`, `Overdue` or `Ignored`. No frame, however broken, raises.
Parsing is validation: a payload is a message struct when it comes out, or its sender is told why it is none.

OCPP 1.6 JSON specification, sections 4.1 to 4.2; OCPP 2.0.1 Part 4, section 4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from voltbench.errors import Conflict, LocalProtocolError
from voltbench.ocpp.dialect import Dialect, Fault, Side
from voltbench.ocpp.frames import answer_of, anything_of, fault_of, id_at_head, kind_of, parts_of, text_of
from voltbench.ocpp.wire_types import read
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant

LONGEST_ID = 36
LONGEST_READABLE_ID = 255
"""A call with a longer id than is allowed is refused under that very id, but for one as long as a story."""

LONGEST_DESCRIPTION = 255
UNREADABLE_ID = "-1"
"""What OCPP 2.x answers a call with whose own id cannot be read (Part 4, section 4.2.3)."""

# --- what happens ---------------------------------------------------------------------------------------------------


class Call(Struct, frozen=True, gc=False):
    """A call of ours: its id, when it was handed over, and what it asks."""

    id: str
    action: str
    request: Struct


class Called(Struct, frozen=True, gc=False):
    """The other side calls; answer it with `Peer.answer` or `Peer.refuse`."""

    id: str
    action: str
    request: Struct


class Answered(Struct, frozen=True, gc=False):
    """A call of ours is answered."""

    call: Call
    response: Struct


class Refused(Struct, frozen=True, gc=False):
    """A call of ours is answered with an error: the other side's code and words, or what was wrong with its answer."""

    call: Call
    code: str
    description: str
    details: Any = None


class Overdue(Struct, frozen=True, gc=False):
    """A call of ours was not answered in time; an answer that still comes is ignored."""

    call: Call


class Ignored(Struct, frozen=True, gc=False):
    """A frame that means nothing to us, and why. It belongs into a log."""

    why: str


Happening: TypeAlias = Called | Answered | Refused | Overdue | Ignored


class _Bad(Exception):
    """A frame is no good: what to tell its sender."""

    def __init__(self, fault: Fault, description: str) -> None:
        super().__init__(description)
        self.fault, self.description = fault, description


class Peer:
    """One end of an OCPP-J connection. Calls that wait for their turn are sent in the order they were handed over.

    It `is_idle` while no call of ours is outstanding; else that is overdue at `due`.
    """

    def __init__(
        self,
        dialect: Dialect,
        side: Side,
        new_id: Callable[[], str],
        timeout_ms: DurationMs = 30 * MS_PER_SECOND,
    ) -> None:
        self.dialect = dialect
        self._mine = {dialect.requests[action]: action for action in dialect.calls_of(side)}
        self._theirs = dialect.calls_of("csms" if side == "station" else "station")
        self._new_id = new_id
        self._timeout_ms = timeout_ms
        self._waiting: deque[Call] = deque()
        self._outstanding: Call | None = None
        self._called_by = b""
        self.is_idle = True
        self.due: Instant | None = None
        self._unanswered: set[str] = set()
        self._frames: list[bytes] = []

    # --- what it is told --------------------------------------------------------------------------------------------

    def call(self, now: Instant, request: Struct, id: str | None = None) -> Call:
        """Call the other side, as soon as our call before is answered; a call that is sent again keeps its id."""
        action = self._mine.get(type(request))
        if action is None:
            raise LocalProtocolError(f"{type(request).__name__} is not ours to call")
        call = Call(self._new_id() if id is None else id, action, request)
        if self.is_idle:
            self._send(now, call)
        else:
            self._waiting.append(call)
        return call

    def answer(self, id: str, response: Struct) -> None:
        """Answer a call of the other side. Raises Conflict where it is answered already."""
        self._settle(id)
        self._frames.append(msgspec.json.encode((3, id, response)))

    def refuse(self, id: str, fault: Fault, description: str = "", details: Mapping[str, Any] | None = None) -> None:
        """Answer a call of the other side with an error. Raises Conflict where it is answered already."""
        self._settle(id)
        self._tell(id, fault, description, details)

    def receive(self, now: Instant, frame: bytes | str) -> list[Happening]:
        """A frame has arrived."""
        kind = kind_of(frame)
        if kind == "2":
            return self._called(frame)
        if kind == "3":
            return self._answered(now, frame)
        if kind == "4":
            return self._refused(now, frame)
        return self._unknown(frame)

    def wake(self, now: Instant) -> list[Happening]:
        """The outstanding call is overdue: give it up and go on with the next."""
        if self.due is None or now < self.due:
            return []
        call = self._close(now)
        return [Overdue(call)]

    def take_back(self) -> list[Call]:
        """Say nothing of what has not left yet: return the calls that are not made, in order."""
        taken = list(self._waiting)
        self._waiting.clear()
        if self._outstanding is not None and self._called_by in self._frames:
            self._frames.remove(self._called_by)
            taken.insert(0, self._outstanding)
            self._outstanding, self.due, self.is_idle = None, None, True
        return taken

    def lose(self) -> list[Call]:
        """The connection is lost: return the calls that were not answered, the outstanding one first."""
        lost = ([self._outstanding] if self._outstanding is not None else []) + list(self._waiting)
        self._outstanding, self.due, self.is_idle = None, None, True
        self._waiting.clear()
        self._unanswered.clear()
        self._frames.clear()
        return lost

    def frames(self) -> list[bytes]:
        """The frames to send now, in order; each is told once."""
        frames, self._frames = self._frames, []
        return frames

    # --- calls of the other side ------------------------------------------------------------------------------------

    def _called(self, frame: bytes | str) -> list[Happening]:
        parts = parts_of(frame)
        id = id_at_head(frame) if parts is None else text_of(parts[1]) if len(parts) > 1 else None
        if id is None or not 0 < len(id) <= LONGEST_READABLE_ID:
            return self._without_id("a call whose id cannot be read")
        if id in self._unanswered:
            return [Ignored(f"call {id!r} once more, before it is answered")]
        try:
            action, request = self._request(id, parts)
        except _Bad as bad:
            self._tell(id, bad.fault, bad.description)
            return [Ignored(f"call {id!r}: {bad.description}")]
        self._unanswered.add(id)
        return [Called(id, action, request)]

    def _request(self, id: str, parts: list[Raw] | None) -> tuple[str, Struct]:
        if parts is None:
            raise _Bad(Fault.FORMAT, "the frame is no JSON array")
        if len(id) > LONGEST_ID:
            raise _Bad(Fault.FORMAT, f"the id has more than {LONGEST_ID} characters")
        if len(parts) != 4:
            raise _Bad(Fault.RPC_FRAMEWORK, f"a call has 4 parts, not {len(parts)}")
        action = text_of(parts[2])
        if action is None:
            raise _Bad(Fault.RPC_FRAMEWORK, "the action is no text")
        if action not in self.dialect.requests:
            raise _Bad(Fault.NOT_IMPLEMENTED, f"{action[:50]} is no action of {self.dialect.subprotocol}")
        if action not in self._theirs:
            raise _Bad(Fault.NOT_SUPPORTED, f"{action} is not called in this direction")
        return action, self._message(self.dialect.requests[action], parts[3])

    def _message(self, message: type[Struct], payload: Raw) -> Struct:
        try:
            return read(message, payload)
        except msgspec.ValidationError as error:
            raise _Bad(fault_of(str(error)), str(error)) from None
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise _Bad(Fault.FORMAT, str(error)) from None

    def _settle(self, id: str) -> None:
        if id not in self._unanswered:
            raise Conflict("call", id, "is not waiting for an answer")
        self._unanswered.remove(id)

    def _tell(self, id: str, fault: Fault, description: str, details: Mapping[str, Any] | None = None) -> None:
        code = self.dialect.codes[fault]
        self._frames.append(msgspec.json.encode((4, id, code, description[:LONGEST_DESCRIPTION], details or {})))

    # --- answers to us ----------------------------------------------------------------------------------------------

    def _answered(self, now: Instant, frame: bytes | str) -> list[Happening]:
        plain = answer_of(frame)
        if plain is not None and self._outstanding is not None and plain[0] == self._outstanding.id:
            return [self._read_answer(self._close(now), plain[1])]
        parts = parts_of(frame)
        if not self._is_answer(parts):
            return [Ignored("an answer to no call of ours")]
        assert parts is not None
        problem = f"the answer is no good: an answer has 3 parts, not {len(parts)}"
        return [Refused(self._close(now), self.dialect.codes[Fault.RPC_FRAMEWORK], problem)]

    def _read_answer(self, call: Call, payload: Raw) -> Answered | Refused:
        try:
            return Answered(call, self._message(self.dialect.responses[call.action], payload))
        except _Bad as bad:
            return Refused(call, self.dialect.codes[bad.fault], f"the answer is no good: {bad.description}")

    def _refused(self, now: Instant, frame: bytes | str) -> list[Happening]:
        parts = parts_of(frame)
        if not self._is_answer(parts):
            return [Ignored("an error for no call of ours")]
        assert parts is not None
        code, description = ([text_of(part) or "" for part in parts[2:4]] + ["", ""])[:2]
        return [Refused(self._close(now), code, description, anything_of(parts[4]) if len(parts) > 4 else None)]

    def _is_answer(self, parts: list[Raw] | None) -> bool:
        if parts is None or len(parts) < 2 or self._outstanding is None:
            return False
        return text_of(parts[1]) == self._outstanding.id

    def _close(self, now: Instant) -> Call:
        assert self._outstanding is not None
        call, self._outstanding, self.due, self.is_idle = self._outstanding, None, None, True
        if self._waiting:
            self._send(now, self._waiting.popleft())
        return call

    def _send(self, now: Instant, call: Call) -> None:
        self._outstanding, self.due, self.is_idle = call, now + self._timeout_ms, False
        self._called_by = msgspec.json.encode((2, call.id, call.action, call.request))
        self._frames.append(self._called_by)

    # --- frames of no kind ------------------------------------------------------------------------------------------

    def _unknown(self, frame: bytes | str) -> list[Happening]:
        parts = parts_of(frame)
        if parts is None or len(parts) < 2:
            return self._without_id("a frame that is no message")
        id = text_of(parts[1])
        if id is None or not 0 < len(id) <= LONGEST_ID:
            return self._without_id("a message whose id cannot be read")
        why = f"message type {bytes(parts[0])[:20].decode(errors='replace')} is unknown"
        if self.dialect.tells_of_unreadable_ids:
            self._tell(id, Fault.MESSAGE_TYPE, why)
        return [Ignored(why)]

    def _without_id(self, why: str) -> list[Happening]:
        if self.dialect.tells_of_unreadable_ids:
            self._tell(UNREADABLE_ID, Fault.RPC_FRAMEWORK, why)
        return [Ignored(why)]
