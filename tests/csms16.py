"""A CSMS of OCPP 1.6 without a network, and a station that talks to it in plain JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from voltbench.adapters.ocpp_csms.payloads import request_of
from voltbench.ocpp.v16.csms.central import Central, Memory, Policy
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.effects import password_in
from voltbench.ocpp.v16.csms.records import Command, Record, Transaction
from voltbench.ocpp.v16.csms.transactions import OfTransaction
from voltbench.ocpp.v16.csms.visit import Turn, Visit
from voltbench.ocpp.v16.messages import StartTransaction
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

NOON = 1_790_000_000_000
NOON_TEXT = "2026-09-21T14:13:20.000Z"


def a_central(memory: Memory | None = None, authority: Any = None, **policy: Any) -> Central:
    return Central(Policy(**policy), lambda: "salt", memory, authority)


class Talk:
    """A station that is connected to a CSMS: what it says, hears and is asked. `kept` is every record, in order."""

    def __init__(self, central: Central | None = None, id: str = "CP1") -> None:
        self.central = central if central is not None else a_central()
        self.now: Instant = NOON
        self.dossier: Dossier
        self.dossier, records = self.central.welcome(self.now, id, "ocpp1.6")
        self.kept: list[Record] = list(records)
        self.new_id: Callable[[], str] = (f"{id}-{number}" for number in count(1)).__next__
        self.visit = Visit(self.central, self.dossier, self.new_id)

    def says(self, action: str, **payload: Any) -> Any:
        """The answer to a call: its payload, or the code of the error."""
        (frame,) = self.sends([2, self.new_id(), action, payload])
        return frame[2]

    def sends(self, message: Any, *, kept: bool = True) -> list[Any]:
        """The frames that come of a message. Where its records cannot be kept, the line is lost and found again."""
        turn = self.receives(message)
        if not kept:
            self.visit = Visit(self.central, self.dossier, self.new_id)
            return []
        self.visit.settle(self.now, turn)
        return self.heard()

    def receives(self, message: Any) -> Turn:
        """What is to be kept before anything is answered."""
        frame = message if isinstance(message, bytes | str) else json.dumps(message)
        turn = self.visit.receive(self.now, frame)
        if turn.in_doubt is not None:
            turn = self.visit.recall(self.now, turn, self.transaction_of(turn.in_doubt))
        self.kept += turn.records
        return turn

    def transaction_of(self, told: OfTransaction) -> Transaction | None:
        """The transaction that something is told of, of those that this station has kept here."""
        found = [one for one in reversed(self.kept) if isinstance(one, Transaction)]
        if not isinstance(told, StartTransaction):
            return next((one for one in found if one.id == told.transaction_id), None)
        wanted = (told.id_tag, told.meter_start, instant(told.timestamp))
        return next((one for one in found if (one.id_token, one.meter_start_wh, one.started_at) == wanted), None)

    def heard(self) -> list[Any]:
        return [json.loads(frame) for frame in self.visit.frames()]

    def is_asked(self, action: str, **payload: Any) -> str:
        """The id of a command that goes out at once."""
        request = request_of(action, payload, self.central.named_profiles)
        command, password = self.visit.propose(self.now, request), password_in(request)
        self.kept.append(command)
        if password is not None:
            expecting = self.central.expecting(self.dossier, password)
            self.kept.append(expecting)
            self.central.known_as(expecting)
        self.visit.ask(self.now, command, request)
        return command.id

    def is_asked_and_answers(self, action: str, answer: dict[str, Any], **payload: Any) -> Command:
        """What became of a command that the station answers."""
        id = self.is_asked(action, **payload)
        assert [frame[:3] for frame in self.heard()] == [[2, id, action]]
        self.sends([3, id, answer])
        return self.command(id)

    def command(self, id: str) -> Command:
        return next(one for one in reversed(self.kept) if isinstance(one, Command) and one.id == id)

    def starts(
        self, id_tag: str = "ADA", connector: int = 1, meter: int = 1_000, at: str = NOON_TEXT, **more: Any
    ) -> Any:
        return self.says(
            "StartTransaction", connectorId=connector, idTag=id_tag, meterStart=meter, timestamp=at, **more
        )

    def stops(self, id: int, meter: int = 5_000, at: str = NOON_TEXT, **more: Any) -> Any:
        return self.says("StopTransaction", transactionId=id, meterStop=meter, timestamp=at, **more)


def a_profile(id: int = 1, **other: Any) -> dict[str, Any]:
    """A charging profile of 16 A, as OCPP has it."""
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
    return {
        "chargingProfileId": id,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    } | other
