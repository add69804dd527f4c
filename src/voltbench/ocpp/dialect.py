"""A version of OCPP on the wire: its messages, who may call what, and what it calls each fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct

Side: TypeAlias = Literal["station", "csms"]


class Fault(StrEnum):
    """Why a call is refused, whatever the version calls it."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL = "InternalError"
    PROTOCOL = "ProtocolError"
    SECURITY = "SecurityError"
    FORMAT = "FormatViolation"
    PROPERTY = "PropertyConstraintViolation"
    OCCURRENCE = "OccurrenceConstraintViolation"
    TYPE = "TypeConstraintViolation"
    GENERIC = "GenericError"
    RPC_FRAMEWORK = "RpcFrameworkError"
    MESSAGE_TYPE = "MessageTypeNotSupported"


CODES_16 = {fault: fault.value for fault in Fault} | {
    Fault.FORMAT: "FormationViolation",
    Fault.OCCURRENCE: "OccurenceConstraintViolation",  # spelt so in table 7 of OCPP-J 1.6
    Fault.RPC_FRAMEWORK: "FormationViolation",
}
CODES_2 = {fault: fault.value for fault in Fault}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A version of OCPP on the wire: its sub-protocol, its messages, who may call what, and its names for faults.

    With `tells_of_unreadable_ids` (2.x) a frame whose id cannot be read is answered all the same; 1.6 drops it.
    """

    subprotocol: str
    requests: Mapping[str, type[Struct]]
    responses: Mapping[str, type[Struct]]
    from_station: frozenset[str]
    from_csms: frozenset[str]
    codes: Mapping[Fault, str]
    tells_of_unreadable_ids: bool

    def calls_of(self, side: Side) -> frozenset[str]:
        """What a side may call."""
        return self.from_station if side == "station" else self.from_csms
