"""No frame of a station kills its visit, and whatever it makes us keep, every database keeps."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.csms16 import NOON_TEXT, Talk
from voltbench.ocpp.v16.messages import FROM_STATION, REQUESTS

TEXTS = st.sampled_from(
    ["ADA", "Available", "NoError", "Accepted", "", "\0", "é" * 30, NOON_TEXT, "0001-01-01T00:00:00+14:00"]
)
WHOLES = st.sampled_from([-1, 0, 1, 2, 2**31, 2**63, -(2**63) - 1, 10**30])
MEMBERS = st.sampled_from(sorted({name for request in REQUESTS.values() for name in request.__struct_encode_fields__}))
ANYTHING = st.recursive(
    TEXTS | WHOLES | st.none() | st.booleans() | st.floats(), lambda inside: st.lists(inside, max_size=3)
)
LIKELY: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "StartTransaction": {"connectorId": WHOLES, "idTag": TEXTS, "meterStart": WHOLES, "timestamp": TEXTS},
    "StopTransaction": {"transactionId": WHOLES, "meterStop": WHOLES, "timestamp": TEXTS},
    "StatusNotification": {"connectorId": WHOLES, "errorCode": TEXTS, "status": TEXTS, "timestamp": TEXTS},
    "Authorize": {"idTag": TEXTS},
    "DataTransfer": {"vendorId": TEXTS, "data": TEXTS},
    "LogStatusNotification": {"status": st.just("Uploaded"), "requestId": WHOLES},
}


@st.composite
def calls(draw: st.DrawFn) -> list[Any]:
    action = draw(st.sampled_from(sorted(FROM_STATION)))
    payload = draw(st.fixed_dictionaries(LIKELY.get(action, {})))
    return [2, draw(TEXTS), action, payload | draw(st.dictionaries(MEMBERS, ANYTHING, max_size=1))]


@given(st.lists(calls() | ANYTHING, max_size=8))
def test_no_frame_does_harm(messages):
    talk = Talk()
    for message in messages:
        talk.sends(json.dumps(message))
    for record in talk.kept:
        members = [getattr(record, name) for name in record.__struct_fields__]
        assert all(-(2**63) <= one < 2**63 for one in members if isinstance(one, int))
        assert not any("\0" in one for one in members if isinstance(one, str))
    assert "currentTime" in talk.says("Heartbeat")
