"""What all OCPP messages are made of: closed JSON objects, a vendor's own data, timestamps; and how they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from voltbench.quantities import Instant, instant_of

_DATE = (
    r"(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"

Timestamp: TypeAlias = Annotated[str, Meta(pattern=rf"\A{_DATE}[Tt ]{_TIME}{_OFFSET}\Z")]
"""A moment as RFC 3339 text, on a day that exists. The offset may be missing or lack its colon: real stations do that.

The 60th second of a leap second is refused. `instant` reads every other one.
"""

CustomData: TypeAlias = dict[str, Any]
"""A vendor's own members of a message of OCPP 2.x, beside its `vendorId`, which `Extensible` asks for."""


class WireObject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", gc=False):
    """A JSON object on the wire: these members, in this order, and no others; what is UNSET is left out.

    None is ever part of a cycle, so that the collector need not look after the thousands that a fleet has.
    """


class Extensible(WireObject, frozen=True, kw_only=True):
    """A JSON object on the wire that may also carry a vendor's own data (OCPP 2.0.1 Part 2, CustomDataType)."""

    if TYPE_CHECKING:  # each object declares it where its schema has it, so that the order stays
        custom_data: CustomData | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.custom_data is not UNSET:
            _check_vendor(self.custom_data)


class _Vendor(Struct, rename="camel"):
    vendor_id: Annotated[str, Meta(max_length=255)]


def _check_vendor(custom_data: CustomData) -> None:
    try:
        msgspec.convert(custom_data, _Vendor)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error} of customData") from None


T = TypeVar("T", bound=Struct)


def read(message: type[T], payload: bytes | str | Raw) -> T:
    """The message that a payload is; raises msgspec.DecodeError, or its ValidationError, where it is none.

    A whole number may be written as `7.0` where an integer is asked for, as JSON schema has it.
    """
    try:
        found: T = decoder(message).decode(payload)
    except msgspec.ValidationError as error:
        if "Expected `int`, got `float`" in str(error):
            return _read_whole(message, payload)
        raise _in_words(error) from None
    return found


def _read_whole(message: type[T], payload: bytes | str | Raw) -> T:
    try:
        return msgspec.convert(_whole(msgspec.json.decode(payload)), message)
    except msgspec.ValidationError as error:
        raise _in_words(error) from None


def _in_words(error: msgspec.ValidationError) -> msgspec.ValidationError:
    problem = str(error)
    if "matching regex" not in problem:
        return error
    return msgspec.ValidationError(f"Expected an RFC 3339 timestamp{problem[problem.rfind(' - at ') :]}")


@cache
def decoder(message: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a message; made when it is first needed."""
    return msgspec.json.Decoder(message)


def _whole(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _whole(member) for name, member in found.items()}
    if isinstance(found, list):
        return [_whole(member) for member in found]
    return int(found) if isinstance(found, float) and found.is_integer() else found


def instant(timestamp: str) -> Instant:
    """When a `Timestamp` is, to the millisecond below; in UTC where it has no offset."""
    moment = datetime.fromisoformat(timestamp.upper())
    return instant_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
