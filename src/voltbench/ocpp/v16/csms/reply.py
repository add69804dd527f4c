"""What comes of a call of a station."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct

from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.records import Record
from voltbench.quantities import Instant


@dataclass(frozen=True, slots=True)
class Reply:
    """What to keep, what to answer once it is kept, and what to ask the station after that."""

    response: Struct
    records: tuple[Record, ...] = ()
    requests: tuple[Struct, ...] = ()


Handler: TypeAlias = Callable[[Central, Instant, Dossier, Any], Reply]

_encoder = msgspec.json.Encoder()


def json_of(content: Any) -> str:
    """Content as JSON text."""
    return _encoder.encode(content).decode()


def given(member: Any) -> Any:
    """A member of a message, or None where it was left out."""
    return None if member is UNSET else member
