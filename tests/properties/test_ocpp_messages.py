"""Every OCPP message is taken and refused exactly as jsonschema-rs does with the schemas in the package `ocpp`.

Where we differ, on purpose:

* `multipleOf` refuses nobody, and a `uri` may be any text;
* a timestamp may lack its offset or the colon in it, and may have a space for its `T`; leap seconds and the year 0 are
  refused (`test_timestamps_are_those_of_rfc_3339`);
* 7.0 is an integer, as in every draft but 4, which the core schemas of 1.6 are written in;
* 1.6 has one type MeterValue, which its two schemas bound differently: both messages take what either takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, TypeAlias

import jsonschema_rs
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from voltbench.ocpp.v16 import messages as v16
from voltbench.ocpp.v201 import messages as v201
from voltbench.ocpp.wire_types import Timestamp, decoder, instant, read

Schema: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]

FOLDERS = {package: files("ocpp") / package / "schemas" for package in ("v16", "v201")}
MESSAGES = sorted(
    (package, file.name.removesuffix(".json")) for package in FOLDERS for file in FOLDERS[package].iterdir()
)

every_message = pytest.mark.parametrize(("package", "file"), MESSAGES)
some_examples = settings(max_examples=settings().max_examples // 10)

# --- the schemas ----------------------------------------------------------------------------------------------------


@cache
def schema_of(package: str, file: str) -> Schema:
    """A schema without what we do not follow, with its references in place."""
    text = (FOLDERS[package] / f"{file}.json").read_bytes().decode("utf-8-sig")
    schema: Schema = json.loads(text)
    schema = resolved(schema, schema.pop("definitions", {}))
    if (package, file) == ("v16", "MeterValues"):
        del schema["properties"]["meterValue"]["items"]["properties"]["sampledValue"]["minItems"]
    if (package, file) == ("v16", "StopTransaction"):
        meter_value = schema["properties"]["transactionData"]["items"]
        meter_value["properties"]["sampledValue"]["items"]["properties"]["unit"]["enum"].append("Hertz")
    schema["$schema"] = "http://json-schema.org/draft-06/schema#"
    return schema


def resolved(found: Any, definitions: Schema) -> Any:
    if isinstance(found, list):
        return [resolved(member, definitions) for member in found]
    if not isinstance(found, dict):
        return found
    if "$ref" in found:
        return resolved(definitions[found["$ref"].removeprefix("#/definitions/")], definitions)
    return {
        name: resolved(member, definitions)
        for name, member in found.items()
        if name != "multipleOf" and (name, member) != ("format", "uri")
    }


@cache
def validator_of(package: str, file: str) -> Any:
    return jsonschema_rs.validator_for(schema_of(package, file), validate_formats=True)


@cache
def struct_of(package: str, file: str) -> type[Struct]:
    messages = import_module(f"voltbench.ocpp.{package}.messages")
    found: type[Struct]
    if file.endswith("Response"):
        found = messages.RESPONSES[file.removesuffix("Response")]
    else:
        found = messages.REQUESTS[file.removesuffix("Request")]
    return found


# --- good messages --------------------------------------------------------------------------------------------------

MOMENTS = [
    "2026-11-21T04:05:06Z",
    "2024-02-29T23:59:59.999Z",
    "1970-01-01T00:00:00.123456789+14:00",
    "2026-01-01t00:00:00z",
]
TEXTS = st.text(max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@cache
def good(package: str, file: str) -> st.SearchStrategy[Any]:
    return like(schema_of(package, file))


def like(schema: Schema) -> st.SearchStrategy[Any]:
    """What a schema takes; members in any order."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return LIKE[schema.get("type")](schema)


def texts(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.sampled_from(MOMENTS)
    if "maxLength" not in schema:
        return TEXTS
    length = schema["maxLength"]
    return TEXTS.map(lambda text: text[:length]) | st.sampled_from(["", "x" * length, "😀" * length])


def arrays(schema: Schema) -> st.SearchStrategy[list[Any]]:
    fewest = schema.get("minItems", 0)
    return st.lists(like(schema["items"]), min_size=fewest, max_size=min(fewest + 2, schema.get("maxItems", 9)))


def numbers(schema: Schema) -> st.SearchStrategy[Any]:
    fewest, most = schema.get("minimum", -1e15), schema.get("maximum", 1e15)
    return st.integers(int(fewest), int(most)) | st.floats(fewest, most) | st.sampled_from([7.2, 11.1])


def objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: like(member) for name, member in schema.get("properties", {}).items()}
    required = {name: members.pop(name) for name in schema.get("required", ())}
    found = st.fixed_dictionaries(required, optional=members)
    if schema.get("additionalProperties") is False:
        return found
    return st.tuples(st.dictionaries(TEXTS, ANYTHING, max_size=2), found).map(lambda parts: parts[0] | parts[1])


def in_order(schema: Schema, found: Any) -> Any:
    """The members of closed objects in the schema's order, as pairs."""
    if isinstance(found, list):
        return [in_order(schema.get("items", {}), member) for member in found]
    if not isinstance(found, dict):
        return found
    members = schema.get("properties", {}) if schema.get("additionalProperties") is False else {}
    names = [name for name in members if name in found] or list(found)
    return {"members": [(name, in_order(members.get(name, {}), found[name])) for name in names]}


def integers(schema: Schema) -> st.SearchStrategy[Any]:
    return numbers(schema).map(int) | st.sampled_from([0, 7.0, schema.get("maximum", 2**70)])


LIKE: dict[str | None, Callable[[Schema], st.SearchStrategy[Any]]] = {
    "object": objects,
    "array": arrays,
    "string": texts,
    "integer": integers,
    "number": numbers,
    "boolean": lambda schema: st.booleans(),
    None: lambda schema: ANYTHING,
}


@every_message
@some_examples
@given(data=st.data())
def test_a_good_message_comes_out_as_it_came_in(package: str, file: str, data: st.DataObject) -> None:
    sent = data.draw(good(package, file))
    assert validator_of(package, file).is_valid(sent)
    encoded = msgspec.json.encode(read(struct_of(package, file), json.dumps(sent)))
    assert in_order({}, json.loads(encoded)) == in_order(schema_of(package, file), sent)


# --- bad ones -------------------------------------------------------------------------------------------------------

OF_OTHER_TYPES: list[Any] = [None, True, 1, 7.0, 1.5, "text", "1", [], [1], {}, {"vendorId": "x"}]


def nodes(schema: Schema, found: Any, path: Path = ()) -> Iterator[tuple[Path, Schema, Any]]:
    """Everything in a message with the schema it is under."""
    yield path, schema, found
    if isinstance(found, dict):
        for name, member in schema.get("properties", {}).items():
            if name in found:
                yield from nodes(member, found[name], (*path, name))
    if isinstance(found, list) and "items" in schema:
        for place, member in enumerate(found):
            yield from nodes(schema["items"], member, (*path, place))


def instead_of(schema: Schema, found: Any) -> Iterator[Any]:
    """What may stand in a place instead: what is just good, what is just bad, and things of other types."""
    yield from OF_OTHER_TYPES
    match schema:
        case {"type": "object"}:
            yield from ({name: found[name] for name in found if name != lost} for lost in found)
            yield from ({**found, name: "x"} for name in ("unheardOf", "vendor_id", ""))
        case {"type": "array"} if found:
            yield from (found[:1] * count for count in (schema.get("maxItems", 4), schema.get("maxItems", 4) + 1))
        case {"enum": names}:
            yield from [*names, "Unheard", "", names[0].lower(), names[0] + " "]
        case {"format": "date-time"}:
            yield from [
                "",
                "now",
                "2026-02-29T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01",
                "2026-01-01T00:00:00Z\n",
            ]
        case {"maxLength": length}:
            yield from ["", "x" * length, "x" * (length + 1), "😀" * length, "😀" * (length + 1), "e\u0301" * length]
        case {"type": "integer" | "number"}:
            fewest, most = schema.get("minimum", 0), schema.get("maximum", 0)
            yield from [fewest, fewest - 1, most, most + 1, -0.0, 7.2, 1e300, 2**64]


def replaced(message: Any, path: Path, instead: Any) -> Any:
    """A message with something else in a place."""
    if not path:
        return instead
    step, *further = path
    copied = message.copy()
    copied[step] = replaced(message[step], tuple(further), instead)
    return copied


def takes(package: str, file: str, message: Any) -> bool:
    try:
        read(struct_of(package, file), json.dumps(message))
    except msgspec.ValidationError:
        return False
    return True


@every_message
@some_examples
@given(data=st.data())
def test_a_damaged_message_is_refused_as_the_schema_refuses_it(package: str, file: str, data: st.DataObject) -> None:
    message = data.draw(good(package, file))
    path, part, found = data.draw(st.sampled_from(list(nodes(schema_of(package, file), message))))
    damaged = replaced(message, path, data.draw(st.sampled_from(list(instead_of(part, found)))))
    assert takes(package, file, damaged) == validator_of(package, file).is_valid(damaged)


@every_message
def test_every_place_is_bounded_as_the_schema_bounds_it(package: str, file: str) -> None:
    message, is_valid = complete(schema_of(package, file)), validator_of(package, file).is_valid
    assert takes(package, file, message)
    for path, part, found in nodes(schema_of(package, file), message):
        for instead in instead_of(part, found):
            changed = replaced(message, path, instead)
            assert takes(package, file, changed) == is_valid(changed), (path, instead)


def complete(schema: Schema) -> Any:
    """A good message with every member there is."""
    match schema:
        case {"enum": [name, *_]}:
            return name
        case {"type": "object"}:
            return {name: complete(member) for name, member in schema.get("properties", {}).items()}
        case {"type": "array"}:
            return [complete(schema["items"])]
        case {"type": "string"}:
            return MOMENTS[0] if "format" in schema else "x"
    return schema.get("type") == "boolean" or 1


BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STARTED = {
    "eventType": "Started",
    "timestamp": "2026-11-21T04:05:06Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t"},
}


@pytest.mark.parametrize(
    ("message", "payload", "problem"),
    [
        (v16.BootNotification, {"chargePointVendor": "V"}, "missing required field `chargePointModel`"),
        (v16.BootNotification, BOOT | {"unheardOf": 1}, "unknown field `unheardOf`"),
        (v16.BootNotification, BOOT | {"iccid": None}, "Expected `str`, got `null` - at `$.iccid`"),
        (v16.BootNotification, BOOT | {"iccid": "😀" * 21}, "length <= 20 - at `$.iccid`"),
        (v16.MeterValues, {"connectorId": 1, "meterValue": []}, "`array` of length >= 1 - at `$.meterValue`"),
        (v16.Reset, {"type": "Firm"}, "Invalid enum value 'Firm' - at `$.type`"),
        (v201.TransactionEvent, STARTED | {"seqNo": "0"}, "Expected `int`, got `str` - at `$.seqNo`"),
        (v201.TransactionEvent, STARTED | {"seqNo": 0.5}, "Expected `int`, got `float` - at `$.seqNo`"),
        (v201.TransactionEvent, STARTED | {"timestamp": "now"}, "Expected an RFC 3339 timestamp - at `$.timestamp`"),
        (v201.TransactionEvent, STARTED | {"customData": {}}, "missing required field `vendorId`"),
    ],
)
def test_what_is_wrong_is_told(message: type[Struct], payload: Any, problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape(problem)):
        read(message, json.dumps(payload))


def test_a_vendors_own_data_stays() -> None:
    text = b'{"customData":{"vendorId":"V","power":{"limits":[7.2,null]}},"reason":"PowerUp",'
    text += b'"chargingStation":{"model":"M","vendorName":"V"}}'
    boot = read(v201.BootNotification, text)
    assert boot.custom_data == {"vendorId": "V", "power": {"limits": [7.2, None]}}
    assert json.loads(msgspec.json.encode(boot)) == json.loads(text)


# --- timestamps -----------------------------------------------------------------------------------------------------

PIECES = (
    ["0001", "1900", "2000", "2023", "2024", "9999", "0000", "24", "٢٠٢٤"],
    ["-"],
    ["01", "02", "04", "11", "12", "00", "13"],
    ["-"],
    ["01", "28", "29", "30", "31", "00", "32"],
    ["T", "t", " ", "_", ""],
    ["00", "19", "23", "24"],
    [":"],
    ["00", "59", "60"],
    [":"],
    ["00", "59", "60", "61"],
    ["", ".1", ".123456789", ".", ",5"],
    ["Z", "z", "", "+01:00", "-23:59", "+0100", "-00:00", "+24:00", "+23:60", "+01", "Z\n", " Z"],
)


def texts_like_timestamps() -> st.SearchStrategy[str]:
    """Mostly good: a piece is more often one of the first two it may be."""
    pieces = [st.sampled_from(choices[:2]) | st.sampled_from(choices) for choices in PIECES]
    return st.tuples(*pieces).map("".join)


def in_full(text: str) -> str:
    """A timestamp with what we forgive put right: its `T`, its offset and the colon in that."""
    text = re.sub(r"^(.{10}) ", r"\1T", text)
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text) if len(text) > 19 else text
    return text if re.search(r"([zZ]|[+-]\d\d:\d\d)\s*$", text) else text + "Z"


RFC_3339 = jsonschema_rs.validator_for(
    {"$schema": "http://json-schema.org/draft-06/schema#", "type": "string", "format": "date-time"},
    validate_formats=True,
)


@settings(max_examples=5 * settings().max_examples)
@given(text=texts_like_timestamps())
@example("2026-11-21T04:05:06")
@example("2026-11-21 04:05:06.7+0100")
@example("2016-12-31T23:59:60Z")
def test_timestamps_are_those_of_rfc_3339(text: str) -> None:
    ours = msgspec.json.Decoder(Timestamp)
    is_never_ours = ":60" in text[14:] or text.startswith("0000")
    try:
        ours.decode(json.dumps(text))
    except msgspec.ValidationError:
        assert is_never_ours or not RFC_3339.is_valid(in_full(text))
    else:
        assert not is_never_ours
        assert RFC_3339.is_valid(in_full(text))
        assert instant(text) == instant(in_full(text))


def test_a_timestamp_without_an_offset_is_in_utc() -> None:
    assert instant("1970-01-01T00:00:01.5") == instant("1970-01-01T01:00:01.500+01:00") == 1_500


def test_a_decoder_is_made_once() -> None:
    assert decoder(v16.Heartbeat) is decoder(v16.Heartbeat)
