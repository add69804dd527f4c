"""What a CSMS makes of what stations of OCPP 1.6 tell it."""

from __future__ import annotations

import json

import pytest

from tests.csms16 import NOON, NOON_TEXT, Talk, a_central
from voltbench.errors import Conflict
from voltbench.ocpp.v16.csms.central import Memory
from voltbench.ocpp.v16.csms.records import ConnectorState, Event, MetersRead, StopReadings, Token, Transaction
from voltbench.ocpp.v16.csms.transactions import RECENT
from voltbench.ocpp.v16.csms.visit import HANDLERS
from voltbench.ocpp.v16.messages import FROM_STATION

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}
VALUES = [{"timestamp": NOON_TEXT, "sampledValue": [{"value": "7"}]}]


def a_talk_with_ada(**token: object) -> Talk:
    talk = Talk()
    talk.central.put_token(Token(id_token="ADA", **token))  # type: ignore[arg-type]
    return talk


def test_whatever_a_station_may_call_is_handled():
    assert HANDLERS.keys() == FROM_STATION


# --- who may take part ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "interval"), [("Accepted", 300), ("Pending", 30), ("Rejected", 30)])
def test_a_stranger_is_met_as_the_policy_says(status, interval):
    talk = Talk(a_central(unknown_stations=status))
    assert talk.says("BootNotification", **BOOT) == {
        "status": status,
        "currentTime": "2026-09-21T14:13:20.000Z",
        "interval": interval,
    }
    assert talk.dossier.station.boot == json.dumps(BOOT, separators=(",", ":"))


def test_who_is_pending_begins_nothing_and_ends_what_has_begun():
    talk = Talk()
    id = talk.starts()["transactionId"]
    talk.central.known_as(talk.central.wanted(NOON, "CP1", "Pending", None))
    assert talk.starts(at="2026-09-21T15:00:00Z") == "SecurityError"
    assert talk.says("Authorize", idTag="ADA") == "SecurityError"
    assert talk.says("Heartbeat") == {"currentTime": "2026-09-21T14:13:20.000Z"}
    assert talk.stops(id) == {}
    with pytest.raises(Conflict, match="pending"):
        talk.is_asked("RemoteStartTransaction", idTag="ADA")
    with pytest.raises(Conflict, match="pending"):
        talk.is_asked("RemoteStopTransaction", transactionId=id)
    talk.is_asked("GetConfiguration")


def test_who_is_rejected_may_only_boot():
    talk = Talk(a_central(unknown_stations="Rejected"))
    assert talk.says("Heartbeat") == "SecurityError"
    with pytest.raises(Conflict, match="rejected"):
        talk.is_asked("GetConfiguration")


def test_a_status_that_comes_late_hides_nothing_newer():
    talk = Talk()
    for status, at in (("Charging", "2026-09-21T14:13:20Z"), ("Preparing", "2026-09-21T14:13:10Z")):
        talk.says("StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=at)
    assert talk.dossier.connectors[1].status == "Charging"
    assert [one.kind for one in talk.kept if isinstance(one, Event)] == ["StatusNotification"] * 2


def test_a_station_whose_clock_is_behind_is_believed_all_the_same():
    talk = Talk()
    for status, more in (
        ("Available", {}),
        ("Preparing", {"timestamp": "2026-09-21T14:08:00Z"}),
        ("Charging", {"timestamp": "2026-09-21T14:08:01Z"}),
        ("Preparing", {"timestamp": "2026-09-21T14:08:00Z"}),  # late
    ):
        talk.says("StatusNotification", connectorId=1, errorCode="NoError", status=status, **more)
    assert talk.dossier.connectors[1].status == "Charging"


def statuses(talk: Talk, *told: tuple[str, str]) -> str | None:
    """The status that is known after these were told, each with its timestamp."""
    for status, at in told:
        talk.says("StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=at)
    return talk.dossier.connectors[1].status


def test_a_station_whose_clock_is_ahead_is_believed_all_the_same():
    talk = Talk()
    late = ("Preparing", "2026-09-21T15:03:20Z")
    assert statuses(talk, ("Charging", "2026-09-21T15:13:20Z"), late) == "Charging"
    assert talk.dossier.connectors[1].at == NOON, "what is shown is not later than now"


def test_a_clock_that_was_ahead_may_be_set_right():
    talk = Talk()
    assert statuses(talk, ("Charging", "2026-09-21T15:13:20Z")) == "Charging"
    talk.now += 1_000
    assert statuses(talk, ("Finishing", "2026-09-21T14:13:21Z")) == "Finishing"


# --- who may charge -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ({}, "Accepted"),
        ({"status": "Blocked"}, "Blocked"),
        ({"status": "Expired"}, "Expired"),
        ({"expires_at": NOON}, "Expired"),
        ({"expires_at": NOON + 1}, "Accepted"),
    ],
)
def test_a_token_may_charge_or_not(token, status):
    assert a_talk_with_ada(**token).says("Authorize", idTag="ada")["idTagInfo"]["status"] == status


def test_a_token_tells_its_group_and_when_it_expires():
    info = a_talk_with_ada(group="FAMILY", expires_at=NOON + 1_000).says("Authorize", idTag="ADA")["idTagInfo"]
    assert info == {"expiryDate": "2026-09-21T14:13:21.000Z", "parentIdTag": "FAMILY", "status": "Accepted"}


@pytest.mark.parametrize("status", ["Invalid", "Accepted"])
def test_an_unknown_token_is_met_as_the_policy_says(status):
    talk = Talk(a_central(unknown_tokens=status))
    assert talk.says("Authorize", idTag="BOB") == {"idTagInfo": {"status": status}}


def test_a_token_charges_once_at_a_time_unless_it_may_more_often():
    talk = a_talk_with_ada()
    assert talk.starts()["idTagInfo"]["status"] == "Accepted"
    assert talk.says("Authorize", idTag="ADA")["idTagInfo"]["status"] == "Accepted"
    assert talk.starts(connector=2)["idTagInfo"]["status"] == "ConcurrentTx"
    talk.central.put_token(Token(id_token="ADA", concurrent_transactions=3))
    assert talk.starts(connector=3)["idTagInfo"]["status"] == "Accepted"


def test_a_new_transaction_on_a_connector_shows_that_the_one_before_is_over():
    talk = a_talk_with_ada()
    talk.starts()
    assert talk.starts(at="2026-09-22T14:00:00Z")["idTagInfo"]["status"] == "Accepted"


# --- exactly once ---------------------------------------------------------------------------------------------------


def test_a_start_that_comes_again_is_the_same_transaction():
    talk = a_talk_with_ada()
    first = talk.starts()
    assert talk.starts() == first
    assert talk.starts(at=NOON_TEXT.replace("Z", "+00:00")) == first
    assert talk.starts(meter=1_001)["transactionId"] != first["transactionId"]
    assert len({one.id for one in talk.kept if isinstance(one, Transaction)}) == 2


def test_a_start_is_not_answered_before_it_is_kept():
    talk = a_talk_with_ada()
    start = {"connectorId": 1, "idTag": "ADA", "meterStart": 0, "timestamp": NOON_TEXT}
    turn = talk.receives([2, "a", "StartTransaction", start])
    assert [type(record) for record in turn.records] == [Transaction]
    assert talk.heard() == []
    talk.visit.settle(NOON, turn)
    assert talk.heard() == [[3, "a", {"idTagInfo": {"status": "Accepted"}, "transactionId": 1}]]


def test_a_start_that_could_not_be_kept_is_kept_when_it_comes_again():
    talk = a_talk_with_ada()
    start = {"connectorId": 1, "idTag": "ADA", "meterStart": 0, "timestamp": NOON_TEXT}
    assert talk.sends([2, "a", "StartTransaction", start], kept=False) == [], "it is not refused"
    turn = talk.receives([2, "a", "StartTransaction", start])
    assert [type(record) for record in turn.records] == [Transaction]
    talk.visit.settle(NOON, turn)
    assert talk.heard()[0][2]["transactionId"] == 1


def test_a_stop_counts_once_and_with_all_that_it_brings():
    talk = a_talk_with_ada()
    id = talk.starts()["transactionId"]
    for meter in (5_000, 9_000):
        assert talk.stops(id, meter, idTag="ADA", reason="Remote", transactionData=VALUES) == {
            "idTagInfo": {"status": "Accepted"}
        }
    (*_, stopped) = [one for one in talk.kept if isinstance(one, Transaction)]
    assert (stopped.meter_stop_wh, stopped.reason, stopped.closed_by) == (5_000, "Remote", "station")
    assert {one.transaction_id for one in talk.kept if isinstance(one, StopReadings)} == {id}
    assert talk.central.transactions.open_of("CP1") == []


def test_a_stop_of_another_stations_transaction_is_kept_as_it_came():
    talk = a_talk_with_ada()
    id = talk.starts()["transactionId"]
    other = Talk(talk.central, "CP2")
    assert other.stops(id) == {}
    assert other.stops(99) == {}
    assert [one.kind for one in other.kept if isinstance(one, Event)] == ["StopTransaction"] * 2
    assert len(talk.central.transactions.open_of("CP1")) == 1


def test_what_an_operator_has_closed_the_station_may_still_stop():
    talk = a_talk_with_ada()
    id = talk.starts()["transactionId"]
    closed = talk.central.transactions.closed(NOON + 5, id)
    assert closed.closed_by == "operator"
    talk.central.transactions.close(closed)
    with pytest.raises(Conflict, match="closed already"):
        talk.central.transactions.closed(NOON, id)
    talk.stops(id, 7_000)
    talk.central.transactions.close(closed)
    known = talk.central.transactions.get(id)
    assert known is not None
    assert (known.closed_by, known.meter_stop_wh) == ("station", 7_000)


def test_what_was_closed_long_ago_the_station_may_still_stop():
    """An operator closes a transaction as stale, so many others come and go, and only then is its stop told."""
    talk = a_talk_with_ada()
    id = talk.starts()["transactionId"]
    closed = talk.central.transactions.closed(NOON + 5, id)
    talk.central.transactions.close(closed)
    talk.kept.append(closed)
    for number in range(RECENT + 1):
        at = f"2026-09-22T14:{number:02}:00Z"
        talk.stops(talk.starts(at=at)["transactionId"], at=at)
    assert talk.central.transactions.get(id) is None
    assert talk.says("MeterValues", connectorId=1, transactionId=id, meterValue=VALUES) == {}
    assert talk.stops(id, 7_000) == {}
    told = [one for one in talk.kept if isinstance(one, Transaction | MetersRead)][-2:]
    assert isinstance(told[0], MetersRead)
    assert told[0].transaction_id == id
    assert isinstance(told[1], Transaction)
    assert (told[1].id, told[1].closed_by, told[1].meter_stop_wh) == (id, "station", 7_000)
    assert not [one for one in talk.kept if isinstance(one, Event)]


def test_a_stop_that_is_told_again_brings_no_other_readings():
    talk = a_talk_with_ada()
    id = talk.starts()["transactionId"]
    talk.stops(id, transactionData=VALUES)
    talk.stops(id, at="2026-09-21T15:00:00Z", transactionData=[])
    others = [{"timestamp": NOON_TEXT, "sampledValue": [{"value": "8"}]}]
    talk.stops(id, at="2026-09-21T15:00:00Z", transactionData=others)
    (brought,) = [one for one in talk.kept if isinstance(one, StopReadings)]
    assert json.loads(brought.payload) == VALUES


def test_a_csms_that_goes_on_knows_what_it_has_answered():
    talk = a_talk_with_ada()
    first = talk.starts()
    talk.stops(first["transactionId"])
    second = talk.starts(at="2026-09-22T14:00:00Z")
    known = [talk.central.transactions.get(id) for id in (1, 2)]
    memory = Memory([talk.dossier.station], [], [Token(id_token="ADA")], [one for one in known if one], [], 2)
    again = Talk(a_central(memory))
    assert again.starts() == first
    assert again.starts(at="2026-09-22T14:00:00Z") == second
    assert again.starts(at="2026-09-23T14:00:00Z")["transactionId"] == 3


# --- meters, files, security, data ----------------------------------------------------------------------------------


def test_what_belongs_to_a_station_that_is_not_kept_does_no_harm():
    memory = Memory(belongings=[ConnectorState(station_id="CP1", connector_id=1)])
    talk = Talk(a_central(memory))
    assert talk.says("Heartbeat")["currentTime"] == NOON_TEXT
    assert talk.dossier.connectors == {}


def test_meter_values_are_kept_as_they_come():
    talk = Talk()
    id = talk.starts()["transactionId"]
    assert talk.says("MeterValues", connectorId=1, transactionId=id, meterValue=VALUES) == {}
    (*_, read) = talk.kept
    assert isinstance(read, MetersRead)
    assert (read.connector_id, read.transaction_id) == (1, id)
    assert json.loads(read.payload) == {"connectorId": 1, "transactionId": id, "meterValue": VALUES}


@pytest.mark.parametrize("stray", [1, 99], ids=["another station's", "nobody's"])
def test_meter_values_do_not_enter_a_transaction_that_is_not_the_stations(stray):
    talk = Talk()
    assert talk.starts()["transactionId"] == 1
    other = Talk(talk.central, "CP2")
    assert other.says("MeterValues", connectorId=1, transactionId=stray, meterValue=VALUES) == {}
    read, event = other.kept[-2:]
    assert isinstance(read, MetersRead)
    assert isinstance(event, Event)
    assert (read.station_id, read.transaction_id) == ("CP2", None)
    assert (event.kind, json.loads(event.content)) == ("MeterValues", {"connectorId": 1, "transactionId": stray})


@pytest.mark.parametrize(
    ("action", "payload", "topic"),
    [
        ("FirmwareStatusNotification", {"status": "Installed"}, "firmware"),
        ("SignedFirmwareStatusNotification", {"status": "Installing", "requestId": 3}, "firmware"),
        ("DiagnosticsStatusNotification", {"status": "Uploaded"}, "diagnostics"),
        ("LogStatusNotification", {"status": "Uploading", "requestId": 7}, "log"),
        ("SecurityEventNotification", {"type": "TamperDetected", "timestamp": NOON_TEXT}, "security"),
        ("SignCertificate", {"csr": "a request"}, "certificate-request"),
    ],
)
def test_what_is_noteworthy_is_noted_and_told_of(action, payload, topic):
    talk = Talk()
    assert talk.says(action, **payload) == ({"status": "Accepted"} if action == "SignCertificate" else {})
    assert json.loads(talk.dossier.notes[topic].content) == payload
    assert [one.kind for one in talk.kept if isinstance(one, Event)] == [action]


class Signer:
    def sign(self, now: int, station_id: str, request: str) -> str | None:
        return f"{request}, signed for {station_id} at {now}" if request == "mine" else None


def test_a_certificate_is_signed_and_sent():
    talk = Talk(a_central(authority=Signer()))
    answer, asked = talk.sends([2, "a", "SignCertificate", {"csr": "mine"}])
    assert answer == [3, "a", {"status": "Accepted"}]
    assert asked[2:] == ["CertificateSigned", {"certificateChain": f"mine, signed for CP1 at {NOON}"}]
    talk.sends([3, asked[1], {"status": "Accepted"}])
    assert talk.command(asked[1]).state == "answered"
    assert talk.says("SignCertificate", csr="another's") == {"status": "Rejected"}


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ({"vendorId": "org.voltbench", "messageId": "Echo", "data": "x"}, {"status": "Accepted", "data": "x"}),
        ({"vendorId": "org.voltbench", "messageId": "Sing"}, {"status": "UnknownMessageId"}),
        ({"vendorId": "com.acme"}, {"status": "Accepted"}),
        ({"vendorId": "com.other"}, {"status": "UnknownVendorId"}),
    ],
)
def test_a_vendors_data_is_taken_from_those_we_know(payload, answer):
    talk = Talk(a_central(vendors=frozenset({"com.acme"})))
    assert talk.says("DataTransfer", **payload) == answer


# --- what does harm -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Authorize", {"idTag": "a\0b"}),
        ("StatusNotification", {"connectorId": -1, "errorCode": "NoError", "status": "Available"}),
        ("MeterValues", {"connectorId": 1, "transactionId": 2**70, "meterValue": VALUES}),
        ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 2**70, "timestamp": NOON_TEXT}),
        ("StopTransaction", {"transactionId": 1, "meterStop": -(2**70), "timestamp": NOON_TEXT}),
        ("StatusNotification", {"connectorId": 1e30, "errorCode": "NoError", "status": "Available"}),
    ],
)
def test_what_no_database_keeps_is_refused(action, payload):
    talk = Talk()
    kept = list(talk.kept)
    assert talk.says(action, **payload) == "PropertyConstraintViolation"
    assert talk.kept == kept


@pytest.mark.parametrize("data", ["C:\\u0000", "\\\\u0000", "\\"])
def test_a_backslash_is_a_character_like_any_other(data):
    talk = Talk()
    answer = talk.says("DataTransfer", vendorId="org.voltbench", messageId="Echo", data=data)
    assert answer == {"status": "Accepted", "data": data}


@pytest.mark.parametrize(("connector", "answer"), [(0, "PropertyConstraintViolation"), (1, {"status": "Accepted"})])
def test_a_station_as_a_whole_has_no_transaction(connector, answer):
    talk = Talk(a_central(unknown_tokens="Accepted"))
    start = {"connectorId": connector, "idTag": "ADA", "meterStart": 0, "timestamp": NOON_TEXT}
    told = talk.says("StartTransaction", **start)
    assert (told if isinstance(told, str) else told["idTagInfo"]) == answer
    assert talk.central.transactions.running("ADA", "CP1", 2) == connector


@pytest.mark.parametrize("frame", [b"", b"\xff\xfe", b"[2]", b"{}", b'[3,"x",{}]', b'[2,"",3]', b"[" * 5_000])
def test_a_bad_frame_does_no_harm(frame):
    talk = Talk()
    assert talk.sends(frame) == []
    assert talk.says("Heartbeat")
