"""What a hosted site is told from outside. Powers in W, energies in Wh. They are journalled as they are here."""

from __future__ import annotations

from math import inf
from typing import TypeAlias

import msgspec

from voltbench.errors import InvalidInput
from voltbench.running.formats import stamped, unstamped


class StartSession(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was plugged in, and could take so much."""

    session: str
    charger: str
    connector: str
    vehicle_max_w: float

    def validate(self) -> None:
        """InvalidInput when a value cannot be used."""
        if not 0.0 < self.vehicle_max_w < inf:
            raise InvalidInput("vehicle_max_w", "is no power", found=self.vehicle_max_w, allowed="more than 0 W")


class UpdatePower(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was measured to draw so much, and could take so much."""

    session: str
    consumed_w: float
    vehicle_max_w: float

    def validate(self) -> None:
        """InvalidInput when a value cannot be used."""
        _require_amount("consumed_w", self.consumed_w, "W")
        _require_amount("vehicle_max_w", self.vehicle_max_w, "W")


class StopSession(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was unplugged; its energy and the length of the session may have been metered."""

    session: str
    consumed_wh: float | None = None
    duration_s: float | None = None

    def validate(self) -> None:
        """InvalidInput when a value cannot be used."""
        _require_amount("consumed_wh", self.consumed_wh, "Wh")
        _require_amount("duration_s", self.duration_s, "s")


class SetLimit(msgspec.Struct, frozen=True, tag=True):
    """A source limits a node of the site to a power from now on, or (None) no longer does."""

    node: str
    source: str
    power_w: float | None

    def validate(self) -> None:
        """InvalidInput when a value cannot be used."""
        if not self.source:
            raise InvalidInput("source", "is missing", allowed="who sets this limit")
        _require_amount("power_w", self.power_w, "W")


class Recompute(msgspec.Struct, frozen=True, tag=True):
    """Look at everything again and act."""

    def validate(self) -> None:
        """Nothing can be wrong."""


Input: TypeAlias = StartSession | UpdatePower | StopSession | SetLimit | Recompute

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Input] = msgspec.msgpack.Decoder(Input)


def encoded(input: Input) -> bytes:
    """An input as the journal keeps it (MessagePack, after the number of its format)."""
    return stamped(_encoder.encode(input))


def decoded(journalled: bytes) -> Input:
    """An input as it was given. InvalidInput when it is kept in a format of another version."""
    return _decoder.decode(unstamped(journalled))


def _require_amount(field: str, amount: float | None, unit: str) -> None:
    if amount is not None and not 0.0 <= amount < inf:
        raise InvalidInput(field, "is out of range", found=amount, allowed=f"0 {unit} or more")
