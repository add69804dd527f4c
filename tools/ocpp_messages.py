"""`make ocpp-messages`: write the structs of all OCPP messages from the JSON schemas in the PyPI package `ocpp`.

Only facts are taken over: names, types, bounds, values of enumerations. Which side sends what, and what the
specification calls the types that the schemas of 1.6 leave nameless, is told in `VERSIONS`; another version is another
row there. `tests/golden/test_ocpp_messages.py` compares the files with what `modules()` gives.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

Schema = Mapping[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- what the schemas do not say ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """A version of OCPP, and what its schemas leave open.

    `names` are the specification's for types that a schema writes out where they are used, by owner and member.
    `same` are pairs of members (message, member) of one type that two schemas bound differently: both take what either
    takes. What `from_station` and `from_both` do not name is called by the CSMS.
    """

    number: str
    package: str
    title: str
    request_suffix: str
    response_suffix: str
    from_station: frozenset[str]
    from_both: frozenset[str]
    names: Mapping[str, str] = field(default_factory=dict)
    same: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = ()


V16 = Version(
    number="1.6",
    package="v16",
    title="OCPP 1.6 and its security whitepaper",
    request_suffix=".req",
    response_suffix=".conf",
    from_station=_words(
        """Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
        LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification
        StartTransaction StatusNotification StopTransaction"""
    ),
    from_both=frozenset({"DataTransfer"}),
    names={  # OCPP 1.6 edition 2, chapter 7
        "BootNotificationResponse.status": "RegistrationStatus",
        "CancelReservationResponse.status": "CancelReservationStatus",
        "ChangeAvailability.type": "AvailabilityType",
        "ChangeAvailabilityResponse.status": "AvailabilityStatus",
        "ChangeConfigurationResponse.status": "ConfigurationStatus",
        "ChargingProfile.chargingProfileKind": "ChargingProfileKindType",
        "ChargingProfile.chargingProfilePurpose": "ChargingProfilePurposeType",
        "ChargingProfile.recurrencyKind": "RecurrencyKindType",
        "ChargingSchedule.chargingRateUnit": "ChargingRateUnitType",
        "ClearCacheResponse.status": "ClearCacheStatus",
        "ClearChargingProfile.chargingProfilePurpose": "ChargingProfilePurposeType",
        "ClearChargingProfileResponse.status": "ClearChargingProfileStatus",
        "DataTransferResponse.status": "DataTransferStatus",
        "DiagnosticsStatusNotification.status": "DiagnosticsStatus",
        "FirmwareStatusNotification.status": "FirmwareStatus",
        "GetCompositeSchedule.chargingRateUnit": "ChargingRateUnitType",
        "GetCompositeScheduleResponse.status": "GetCompositeScheduleStatus",
        "GetConfigurationResponse.configurationKey": "KeyValue",
        "IdTagInfo.status": "AuthorizationStatus",
        "RemoteStartTransactionResponse.status": "RemoteStartStopStatus",
        "RemoteStopTransactionResponse.status": "RemoteStartStopStatus",
        "ReserveNowResponse.status": "ReservationStatus",
        "Reset.type": "ResetType",
        "ResetResponse.status": "ResetStatus",
        "SampledValue.context": "ReadingContext",
        "SampledValue.format": "ValueFormat",
        "SampledValue.unit": "UnitOfMeasure",
        "SendLocalList.localAuthorizationList": "AuthorizationData",
        "SendLocalList.updateType": "UpdateType",
        "SendLocalListResponse.status": "UpdateStatus",
        "SetChargingProfile.csChargingProfiles": "ChargingProfile",
        "SetChargingProfileResponse.status": "ChargingProfileStatus",
        "StatusNotification.errorCode": "ChargePointErrorCode",
        "StatusNotification.status": "ChargePointStatus",
        "StopTransaction.transactionData": "MeterValue",
        "TriggerMessage.requestedMessage": "MessageTrigger",
        "TriggerMessageResponse.status": "TriggerMessageStatus",
        "UnlockConnectorResponse.status": "UnlockStatus",
    },
    # Hertz is missing in StopTransaction, and an empty sampledValue is refused in MeterValues only.
    same=((("MeterValues", "meterValue"), ("StopTransaction", "transactionData")),),
)
V201 = Version(
    number="2.0.1",
    package="v201",
    title="OCPP 2.0.1",
    request_suffix="Request",
    response_suffix="Response",
    from_station=_words(
        """Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate
        GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation
        NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport
        NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
        SecurityEventNotification SignCertificate StatusNotification TransactionEvent"""
    ),
    from_both=frozenset({"DataTransfer"}),
)
VERSIONS = (V16, V201)

# --- the schemas ----------------------------------------------------------------------------------------------------

UNDERSTOOD = _words(
    """$schema $id $ref type enum format maxLength minItems maxItems minimum maximum items properties required
    additionalProperties definitions"""
)
PASSED_OVER = _words("title description comment javaType default additionalItems multipleOf")
"""Words, and two that bind nobody: `additionalItems` beside a single `items` means nothing, `multipleOf: 0.1` refuses
what real stations send (7.2 is no multiple of 0.1 in binary)."""


def schemas_of(version: Version) -> dict[str, Any]:
    """The schemas of a version by the names of their files."""
    folder = files("ocpp") / version.package / "schemas"
    found = {
        file.name.removesuffix(".json"): json.loads(file.read_bytes().decode("utf-8-sig")) for file in folder.iterdir()
    }
    for (message, member), (other_message, other_member) in version.same:
        one, other = found[message]["properties"][member], found[other_message]["properties"][other_member]
        one["items"] = other["items"] = _either(one["items"], other["items"])
    return found


def _either(one: Schema, other: Schema) -> dict[str, Any]:
    """A schema of what one or the other takes."""
    merged = dict(one)
    if "enum" in one:
        merged["enum"] = list(dict.fromkeys([*one["enum"], *other["enum"]]))
    if "properties" in one:
        merged["properties"] = {
            name: _either(one["properties"][name], other["properties"][name]) for name in one["properties"]
        }
    if "items" in one:
        merged["items"] = _either(one["items"], other["items"])
        if "minItems" not in other:
            merged.pop("minItems", None)
    return merged


# --- what is made of them -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """A member of an object: its name on the wire and its Python type."""

    name: str
    type: str
    is_required: bool

    def line(self) -> str:
        """Its line in a struct."""
        attribute = snake(self.name)
        name = "" if camel(attribute) == self.name else f'name="{self.name}"'
        if self.is_required:
            return f"    {attribute}: {self.type}" + (f" = field({name})" if name else "")
        default = f"field(default=UNSET, {name})" if name else "UNSET"
        return f"    {attribute}: {self.type} | UnsetType = {default}"


PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


class Types:
    """The types of a version as they are found, each once by its name."""

    def __init__(self, version: Version, actions: Iterable[str]) -> None:
        self._names = version.names
        self._actions = frozenset(actions)
        self.enums: dict[str, tuple[str, ...]] = {}
        self.objects: dict[str, tuple[Member, ...]] = {}
        self.titles: dict[str, str] = {}
        self.users: dict[str, set[str]] = {}
        self.lengths: set[int] = set()

    def members(self, owner: str, schema: Schema, definitions: Schema) -> tuple[Member, ...]:
        """The members of an object, in the schema's order."""
        if schema["type"] != "object" or schema.get("additionalProperties") is not False:
            raise ValueError(f"{owner} is no closed object")
        required = frozenset(schema.get("required", ()))
        members = schema.get("properties", {})
        if required - members.keys():
            raise ValueError(f"{owner} requires members that it does not describe: {required - members.keys()}")
        return tuple(
            Member(name, self._type(owner, name, member, definitions), name in required)
            for name, member in members.items()
        )

    def _type(self, owner: str, member: str, schema: Schema, definitions: Schema) -> str:
        if strange := schema.keys() - UNDERSTOOD - PASSED_OVER:
            raise ValueError(f"{owner}.{member}: {strange} is not understood")
        title = self._names.get(f"{owner}.{member}", member[0].upper() + member[1:])
        if "$ref" in schema:
            title = schema["$ref"].removeprefix("#/definitions/")
            schema = definitions[title]
        if "enum" in schema or schema.get("type") == "object":
            return self._named(owner, title, schema, definitions)
        if schema.get("type") == "array":
            items = self._type(owner, member, schema["items"], definitions)
            return _bounded(f"tuple[{items}, ...]", schema, min_length="minItems", max_length="maxItems")
        return self._plain(schema)

    def _named(self, owner: str, title: str, schema: Schema, definitions: Schema) -> str:
        short = title.removesuffix("Type") if title in definitions else title
        name = title if short in self._actions else short
        self.users.setdefault(name, set()).add(owner)
        self.titles[name] = title
        if "enum" in schema:
            _put(self.enums, name, tuple(schema["enum"]))
        elif name == "CustomData":
            _check_custom_data(schema)
        else:
            _put(self.objects, name, self.members(name, schema, definitions))
        return name

    def _plain(self, schema: Schema) -> str:
        match schema:
            case {"type": "string", "format": "date-time"}:
                return "Timestamp"
            case {"type": "string", "maxLength": length}:
                self.lengths.add(length)
                return f"String{length}"
            case {"type": kind}:
                return _bounded(PLAIN[kind], schema, ge="minimum", le="maximum")
            case _:
                return "Any"


def _put(found: dict[str, Any], name: str, fact: object) -> None:
    if found.setdefault(name, fact) != fact:
        raise ValueError(f"two types are called {name}: name one of them in VERSIONS")


def _bounded(plain: str, schema: Schema, **bounds: str) -> str:
    given = [f"{bound}={schema[word]:g}" for bound, word in bounds.items() if word in schema]
    return f"Annotated[{plain}, Meta({', '.join(given)})]" if given else plain


def _check_custom_data(schema: Schema) -> None:
    """`wire_types.CustomData` is written by hand: it is as this schema."""
    vendor = {"type": "string", "maxLength": 255}
    found = {name: {word: member[word] for word in vendor} for name, member in schema["properties"].items()}
    if found != {"vendorId": vendor} or schema["required"] != ["vendorId"] or "additionalProperties" in schema:
        raise ValueError("CustomDataType is not what it was")


def snake(name: str) -> str:
    """A member's attribute: `responderURL` becomes `responder_url`, `bulkSoC` becomes `bulk_soc`."""
    name = name.replace("SoC", "Soc")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel(attribute: str) -> str:
    """What msgspec makes of an attribute on the wire."""
    first, *others = attribute.split("_")
    return first + "".join(other.title() for other in others)


# --- the module -----------------------------------------------------------------------------------------------------

HEAD = """\
# Generated by tools/ocpp_messages.py from the JSON schemas in the PyPI package ocpp: change it there.
"""
IMPORTED = {
    "typing": ("Annotated", "Any", "Literal", "TypeAlias"),
    "msgspec": ("UNSET", "Meta", "Struct", "UnsetType", "field"),
    "voltbench.ocpp.wire_types": ("CustomData", "Extensible", "Timestamp", "WireObject"),
}


def module(version: Version) -> str:
    """The module of a version's messages, not yet formatted."""
    schemas = schemas_of(version)
    requests = {stem.removesuffix("Request"): stem for stem in sorted(schemas) if not stem.endswith("Response")}
    responses = {stem.removesuffix("Response"): stem for stem in sorted(schemas) if stem.endswith("Response")}
    called = version.from_station | version.from_both
    if strange := (called | responses.keys()) - requests.keys():
        raise ValueError(f"OCPP {version.number} has no {', '.join(sorted(strange))}")
    types = Types(version, requests)
    parts = []
    for action, stem in requests.items():
        parts.append(_message(version, types, action, action, schemas[stem]))
        if action in responses:
            parts.append(_message(version, types, action, responses[action], schemas[responses[action]]))
    body = "\n".join(
        [
            *_section("texts, by their longest length", _lengths(types)),
            *_section("enumerations", _enums(types)),
            *_section("parts of messages", _objects(version, types)),
            *_section("messages", parts),
            *_section("tables", _tables(version, requests, responses)),
        ]
    )
    return "\n".join([HEAD + f'"""The messages of {version.title}."""', *_imports(body), body])


def _message(version: Version, types: Types, action: str, name: str, schema: Schema) -> str:
    members = types.members(name, schema, schema.get("definitions", {}))
    asks = name == action
    title = action + (version.request_suffix if asks else version.response_suffix)
    by_station = (action in version.from_station) is asks
    sender = "either side" if action in version.from_both else "the charging station" if by_station else "the CSMS"
    return _struct(name, f"{title} of OCPP {version.number}, sent by {sender}.", members)


def _struct(name: str, words: str, members: Iterable[Member]) -> str:
    lines = [member.line() for member in members]
    kind = "Extensible" if any(line.startswith("    custom_data:") for line in lines) else "WireObject"
    text = [f"class {name}({kind}, frozen=True, kw_only=True):", f'    """{words}"""', *([""] if lines else []), *lines]
    return "\n".join(text) + "\n\n"


def _objects(version: Version, types: Types) -> list[str]:
    return [
        _struct(name, f"{types.titles[name]} of OCPP {version.number}, part of {_users(types, name)}.", members)
        for name, members in sorted(types.objects.items())
    ]


def _users(types: Types, name: str) -> str:
    users = sorted(types.users[name])
    return " and ".join(users) if len(users) <= 2 else f"{len(users)} others"


def _enums(types: Types) -> list[str]:
    return [f"{name}: TypeAlias = Literal[{_texts(values)}]" for name, values in sorted(types.enums.items())]


def _lengths(types: Types) -> list[str]:
    return [
        f"String{length}: TypeAlias = Annotated[str, Meta(max_length={length})]" for length in sorted(types.lengths)
    ]


def _tables(version: Version, requests: Iterable[str], responses: Mapping[str, str]) -> list[str]:
    from_station = version.from_station | version.from_both
    from_csms = (frozenset(requests) - version.from_station) | version.from_both
    return [
        "REQUESTS: dict[str, type[Struct]] = {" + "".join(f'"{action}": {action}, ' for action in requests) + "}",
        "RESPONSES: dict[str, type[Struct]] = {"
        + "".join(f'"{action}": {name}, ' for action, name in responses.items())
        + "}",
        f"FROM_STATION: frozenset[str] = frozenset({{{_texts(sorted(from_station))}}})",
        f"FROM_CSMS: frozenset[str] = frozenset({{{_texts(sorted(from_csms))}}})",
    ]


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"# --- {title} ---\n", *lines, ""] if lines else []


def _imports(body: str) -> list[str]:
    words = frozenset(re.findall(r"\w+", body))
    lines = ["", "from __future__ import annotations", ""]
    for source, names in IMPORTED.items():
        if used := [name for name in names if name in words]:
            lines += [f"from {source} import {', '.join(used)}", ""]
    return lines


# --- files ----------------------------------------------------------------------------------------------------------


def modules() -> dict[Path, str]:
    """Every generated module by its file, formatted."""
    return {file: _formatted(module(version), file) for version in VERSIONS for file in [file_of(version)]}


def file_of(version: Version) -> Path:
    """Where the module of a version lives."""
    return ROOT / "src" / "voltbench" / "ocpp" / version.package / "messages.py"


def _formatted(text: str, file: Path) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(file), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> None:
    """Write every module."""
    for file, text in modules().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
