"""Two ends of OCPP-J: one call at a time, the right error for every bad frame, and no frame that kills."""

from __future__ import annotations

import json
from itertools import count
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from voltbench.errors import Conflict, LocalProtocolError
from voltbench.ocpp.dialect import CODES_2, CODES_16, Dialect, Fault, Side
from voltbench.ocpp.rpc import Answered, Called, Ignored, Overdue, Peer, Refused
from voltbench.ocpp.versions import DIALECTS
from voltbench.ocpp.wire_types import read


class Greet(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A call of the station."""

    name: Annotated[str, Meta(max_length=5)]
    tone: Literal["warm", "cold"] | UnsetType = UNSET
    times: Annotated[list[int], Meta(min_length=1)] | UnsetType = UNSET


class GreetResponse(Struct, forbid_unknown_fields=True):
    """Its answer."""

    count: int


class Stop(Struct, forbid_unknown_fields=True):
    """A call of the CSMS."""


def dialect(is_16: bool = True) -> Dialect:
    return Dialect(
        subprotocol="ocpp1.6" if is_16 else "ocpp2.0.1",
        requests={"Greet": Greet, "Stop": Stop},
        responses={"Greet": GreetResponse, "Stop": Stop},
        from_station=frozenset({"Greet"}),
        from_csms=frozenset({"Stop"}),
        codes=CODES_16 if is_16 else CODES_2,
        tells_of_unreadable_ids=not is_16,
    )


def a_peer(side: Side = "csms", is_16: bool = True) -> Peer:
    numbers = count(1)
    return Peer(dialect(is_16), side, lambda: f"id-{next(numbers)}", timeout_ms=30_000)


def said(peer: Peer) -> list[list[object]]:
    return [json.loads(frame) for frame in peer.frames()]


def test_a_call_is_answered() -> None:
    station, csms = a_peer("station"), a_peer("csms")
    call = station.call(0, Greet(name="Ada"))
    (frame,) = station.frames()
    assert csms.receive(0, frame) == [Called("id-1", "Greet", Greet(name="Ada"))]
    csms.answer("id-1", GreetResponse(3))
    (frame,) = csms.frames()
    assert station.receive(5, frame) == [Answered(call, GreetResponse(3))]
    assert station.is_idle
    assert station.due is None


def test_a_call_waits_for_the_answer_to_the_one_before() -> None:
    station = a_peer("station")
    station.call(0, Greet(name="Ada"))
    station.call(0, Greet(name="Bob"))
    assert len(said(station)) == 1
    station.receive(9, b'[3,"id-1",{"count":1}]')
    assert said(station) == [[2, "id-2", "Greet", {"name": "Bob"}]]
    assert station.due == 30_009


def test_an_overdue_call_makes_room_for_the_next_and_its_answer_is_ignored() -> None:
    station = a_peer("station")
    call = station.call(0, Greet(name="Ada"))
    station.call(0, Greet(name="Bob"))
    assert station.wake(29_999) == []
    assert station.wake(30_000) == [Overdue(call)]
    assert [type(h) for h in station.receive(30_001, '[3,"id-1",{"count":1}]')] == [Ignored]
    assert not station.is_idle


def test_a_lost_connection_gives_back_what_was_not_answered_and_a_resend_keeps_its_id() -> None:
    station = a_peer("station")
    calls = [station.call(0, Greet(name=name)) for name in ("Ada", "Bob")]
    assert station.lose() == calls
    assert (station.is_idle, station.due, station.frames()) == (True, None, [])
    station.call(60_000, calls[0].request, calls[0].id)
    assert said(station) == [[2, "id-1", "Greet", {"name": "Ada"}]]


def test_an_error_is_told_with_its_code_and_words() -> None:
    station = a_peer("station")
    call = station.call(0, Greet(name="Ada"))
    assert station.receive(0, '[4,"id-1","InternalError","oops",{"a":1}]') == [
        Refused(call, "InternalError", "oops", {"a": 1})
    ]


def test_a_bad_answer_is_never_answered() -> None:
    station = a_peer("station")
    station.call(0, Greet(name="Ada"))
    station.frames()
    (refused,) = station.receive(0, '[3,"id-1",{"count":"three"}]')
    assert isinstance(refused, Refused)
    assert "count" in refused.description
    assert station.frames() == []


def test_nobody_calls_what_the_other_side_calls_or_answers_twice() -> None:
    csms = a_peer("csms")
    with pytest.raises(LocalProtocolError, match="Greet"):
        csms.call(0, Greet(name="Ada"))
    csms.receive(0, '[2,"x","Greet",{"name":"Ada"}]')
    csms.refuse("x", Fault.SECURITY, "no")
    assert said(csms) == [[4, "x", "SecurityError", "no", {}]]
    with pytest.raises(Conflict):
        csms.answer("x", GreetResponse(1))


BAD_CALLS = [
    ('[2,"x","Sing",{}]', "NotImplemented", "NotImplemented"),
    ('[2,"x","Stop",{}]', "NotSupported", "NotSupported"),
    ('[2,"x","Greet",{}]', "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ('[2,"x","Greet",{"name":"Ada","times":[]}]', "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ('[2,"x","Greet",{"name":12}]', "TypeConstraintViolation", "TypeConstraintViolation"),
    ('[2,"x","Greet",{"name":null}]', "TypeConstraintViolation", "TypeConstraintViolation"),
    ('[2,"x","Greet",{"name":"Adalbert"}]', "PropertyConstraintViolation", "PropertyConstraintViolation"),
    ('[2,"x","Greet",{"name":"Ada","tone":"blue"}]', "PropertyConstraintViolation", "PropertyConstraintViolation"),
    ('[2,"x","Greet",{"name":"Ada","age":1}]', "FormationViolation", "FormatViolation"),
    ('[2,"x","Greet"]', "FormationViolation", "RpcFrameworkError"),
    ('[2,"x",5,{}]', "FormationViolation", "RpcFrameworkError"),
    ('[2,"x","Greet",[]]', "TypeConstraintViolation", "TypeConstraintViolation"),
    ('[2,"x","Greet",{"name":"Ada","missing required field":1}]', "FormationViolation", "FormatViolation"),
    ('[2,"x","Greet",{"name":"Ada","tone":", got `"}]', "PropertyConstraintViolation", "PropertyConstraintViolation"),
    ('[2,"x","Greet",{"name":"\\ud800"}]', "FormationViolation", "FormatViolation"),
    ('[2,"x","Greet",' + '{"a":' * 5_000, "FormationViolation", "FormatViolation"),
    (' [ 2 , "x" , "Greet", {"name": ', "FormationViolation", "FormatViolation"),
]


@pytest.mark.parametrize(("frame", "code_16", "code_2"), BAD_CALLS)
def test_a_bad_call_is_refused_with_the_code_of_its_version(frame: str, code_16: str, code_2: str) -> None:
    for is_16, code in ((True, code_16), (False, code_2)):
        csms = a_peer("csms", is_16)
        assert [type(h) for h in csms.receive(0, frame)] == [Ignored]
        assert [message[:3] for message in said(csms)] == [[4, "x", code]]


def test_a_call_under_too_long_an_id_is_refused_under_it() -> None:
    csms = a_peer("csms")
    csms.receive(0, f'[2,"{"x" * 37}","Greet",{{"name":"Ada"}}]')
    assert [message[:3] for message in said(csms)] == [[4, "x" * 37, "FormationViolation"]]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "{}",
        "[2]",
        '[2,5,"Greet",{}]',
        '[2,"","Greet",{}]',
        "null",
        "[2,",
        f'[2,"{"x" * 256}","Greet",{{"name":"Ada"}}]',
    ],
)
def test_a_call_whose_id_cannot_be_read_is_dropped_in_1_6_and_answered_in_2_x(frame: str) -> None:
    old, new = a_peer("csms"), a_peer("csms", is_16=False)
    old.receive(0, frame)
    new.receive(0, frame)
    assert said(old) == []
    assert [message[:3] for message in said(new)] == [[4, "-1", "RpcFrameworkError"]]


def test_an_unknown_message_type_is_told_in_2_x_alone() -> None:
    old, new = a_peer("csms"), a_peer("csms", is_16=False)
    for peer in (old, new):
        assert [type(h) for h in peer.receive(0, '[7,"x",{}]')] == [Ignored]
    assert said(old) == []
    assert said(new)[0][2] == "MessageTypeNotSupported"


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)
frames = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60),
    json_texts,
    st.tuples(st.sampled_from(["2", "3", "4", "5", '"2"']), json_texts, json_texts, json_texts).map(
        lambda parts: f"[{','.join(parts)}]"
    ),
    st.just("[" * 100_000),
    st.just('[2,"x","Greet",' + '{"a":' * 50_000),
)


@given(st.lists(frames, max_size=8), st.booleans(), st.sampled_from(["station", "csms"]))
def test_no_frame_raises_and_a_good_call_is_answered_after_any(
    noise: list[bytes | str], is_16: bool, side: Side
) -> None:
    peer = a_peer(side, is_16)
    for frame in noise:
        peer.receive(0, frame)
    for frame in peer.frames():
        assert msgspec.json.decode(frame)[0] == 4
    good = '[2,"fine","Greet",{"name":"Ada"}]' if side == "csms" else '[2,"fine","Stop",{}]'
    assert [type(h) for h in peer.receive(0, good)] == [Called]


@pytest.mark.parametrize("subprotocol", DIALECTS)
def test_every_version_boots(subprotocol: str) -> None:
    station, csms = (Peer(DIALECTS[subprotocol], side, lambda: "id-1") for side in ("station", "csms"))
    asked = '{"chargePointVendor":"V","chargePointModel":"M"}'
    if subprotocol != "ocpp1.6":
        asked = '{"chargingStation":{"model":"M","vendorName":"V"},"reason":"PowerUp"}'
    answer = '{"status":"Accepted","currentTime":"2026-03-02T00:00:00Z","interval":300}'
    messages = DIALECTS[subprotocol].requests["BootNotification"], DIALECTS[subprotocol].responses["BootNotification"]
    call = station.call(0, read(messages[0], asked))
    assert [frame.decode() for frame in station.frames()] == [f'[2,"id-1","BootNotification",{asked}]']
    assert csms.receive(0, f'[2,"id-1","BootNotification",{asked}]') == [
        Called("id-1", "BootNotification", call.request)
    ]
    csms.answer("id-1", read(messages[1], answer))
    (frame,) = csms.frames()
    (answered,) = station.receive(0, frame)
    assert answered == Answered(call, read(messages[1], answer))
