"""What follows from what a station is asked, and answers."""

from __future__ import annotations

import json

import pytest

from tests.csms16 import NOON, NOON_TEXT, Talk, a_profile
from voltbench.errors import InvalidInput, NotFound
from voltbench.ocpp.v16.csms.records import Command, InstalledProfile, NamedProfile, Note, Reservation, Token
from voltbench.ocpp.v16.csms.secrets_kept import is_password
from voltbench.quantities import MS_PER_DAY, rfc3339

ACCEPTED = {"status": "Accepted"}
RESERVATION = {"connectorId": 1, "expiryDate": "2026-09-21T16:00:00Z", "idTag": "ADA", "reservationId": 5}


# --- what becomes of a command --------------------------------------------------------------------------------------


def test_a_command_is_answered():
    command = Talk().is_asked_and_answers("Reset", ACCEPTED, type="Soft")
    assert (command.state, command.answer, command.ended_at) == ("answered", '{"status":"Accepted"}', NOON)
    assert json.loads(command.payload) == {"type": "Soft"}


def test_a_command_is_refused_with_the_stations_words():
    talk = Talk()
    id = talk.is_asked("ClearCache")
    talk.sends([4, id, "NotSupported", "no cache", {"more": 1}])
    refusal = talk.command(id).refusal
    assert refusal is not None
    assert json.loads(refusal) == {"code": "NotSupported", "description": "no cache", "details": {"more": 1}}


def test_a_command_is_overdue_and_the_next_has_its_turn():
    talk = Talk()
    first, second = talk.is_asked("ClearCache"), talk.is_asked("GetLocalListVersion")
    assert [frame[1] for frame in talk.heard()] == [first]
    due = talk.visit.next_wakeup()
    assert due == NOON + 30_000
    (overdue,) = talk.visit.wake(due)
    assert isinstance(overdue, Command)
    assert (overdue.id, overdue.state) == (first, "overdue")
    assert [frame[1] for frame in talk.heard()] == [second]


def test_a_command_is_lost_with_the_connection():
    talk = Talk()
    ids = {talk.is_asked("ClearCache"), talk.is_asked("GetLocalListVersion")}
    lost = [one for one in talk.visit.end(NOON) if isinstance(one, Command)]
    assert {(one.id, one.state) for one in lost} == {(id, "lost") for id in ids}


def test_an_answer_that_is_none_is_a_refusal():
    talk = Talk()
    id = talk.is_asked("ClearCache")
    talk.sends([3, id, {"status": "Perhaps"}])
    assert talk.command(id).state == "refused"


@pytest.mark.parametrize(
    ("action", "payload", "field"),
    [
        ("Reset", {}, "type"),
        ("Reset", {"type": "Gentle"}, "type"),
        ("Reset", {"type": "Soft", "how": 1}, "how"),
        ("CancelReservation", {"reservationId": 2**64}, "reservationId"),
        ("ChangeConfiguration", {"key": "A\0", "value": "1"}, "key"),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {}}, "csChargingProfiles.chargingProfileId"),
        ("SetChargingProfile", {"connectorId": "one", "csChargingProfiles": a_profile()}, "connectorId"),
    ],
)
def test_a_payload_that_is_none_is_refused_where_it_is_wrong(action, payload, field):
    with pytest.raises(InvalidInput) as refusal:
        Talk().is_asked(action, **payload)
    assert refusal.value.field == field


def test_what_a_csms_does_not_send_is_no_command():
    with pytest.raises(NotFound):
        Talk().is_asked("Heartbeat")


# --- configuration --------------------------------------------------------------------------------------------------


def test_configuration_is_known_when_a_station_has_told_it():
    talk = Talk()
    told = [{"key": "A", "readonly": True, "value": "1"}, {"key": "AuthorizationKey", "readonly": False, "value": "s"}]
    talk.is_asked_and_answers("GetConfiguration", {"configurationKey": told, "unknownKey": ["B"]})
    found = {one.key: (one.setting, one.readonly) for one in talk.dossier.settings()}
    assert found == {"A": ("1", True), "AuthorizationKey": (None, False)}


@pytest.mark.parametrize(
    ("status", "known"),
    [("Accepted", ("60", False)), ("RebootRequired", ("60", True)), ("Rejected", None), ("NotSupported", None)],
)
def test_a_key_is_changed_if_the_station_says_so(status, known):
    talk = Talk()
    talk.is_asked_and_answers("ChangeConfiguration", {"status": status}, key="HeartbeatInterval", value="60")
    found = talk.dossier.setting("HeartbeatInterval")
    assert (None if found is None else (found.setting, found.needs_reboot)) == known
    talk.says("BootNotification", chargePointVendor="Acme", chargePointModel="One")
    assert not any(one.needs_reboot for one in talk.dossier.settings())


@pytest.mark.parametrize("name", ["AuthorizationKey", "authorizationkey", "AUTHORIZATIONKEY"])
def test_a_new_key_is_the_stations_password_and_nobody_reads_it(name):
    talk = Talk()
    key = "00112233445566778899aabbccddeeff00112233"
    command = talk.is_asked_and_answers("ChangeConfiguration", ACCEPTED, key=name, value=key)
    secret = talk.dossier.station.secret
    assert secret is not None
    assert is_password(key, secret)
    assert is_password(bytes.fromhex(key), secret)
    assert not is_password("another", secret)
    assert key not in f"{command} {talk.kept}"


def may_show(talk: Talk) -> list[str]:
    """Which of three passwords lets a station in."""
    secret = talk.dossier.station.secret
    assert secret is not None
    return [one for one in ("old-password", "new-password", "last-password") if is_password(one, secret)]


@pytest.mark.parametrize("becomes", [ACCEPTED, {"status": "RebootRequired"}, "overdue", "lost"])
def test_the_old_password_and_the_new_one_count_until_the_new_one_was_shown(becomes):
    talk = Talk()
    talk.central.known_as(talk.central.wanted(NOON, "CP1", None, talk.central.secret_of("old-password")))
    id = talk.is_asked("ChangeConfiguration", key="AuthorizationKey", value="new-password")
    assert talk.kept[-1] == talk.dossier.station, "it is kept before the station is asked"
    if becomes == "overdue":
        talk.visit.wake(NOON + 30_000)
    elif becomes == "lost":
        talk.visit.end(NOON)
    else:
        talk.sends([3, id, becomes])
    assert talk.central.password_shown(talk.dossier, b"old-password") == []
    assert may_show(talk) == ["old-password", "new-password"]
    assert talk.central.password_shown(talk.dossier, b"new-password") == [talk.dossier.station]
    assert may_show(talk) == ["new-password"]


def test_a_password_that_a_station_does_not_take_counts_for_nothing():
    talk = Talk()
    asked = {"key": "AuthorizationKey", "value": "new-password"}
    talk.is_asked_and_answers("ChangeConfiguration", {"status": "Rejected"}, **asked)
    assert talk.dossier.station.secret is None
    talk.central.known_as(talk.central.wanted(NOON, "CP1", None, talk.central.secret_of("old-password")))
    talk.is_asked_and_answers("ChangeConfiguration", {"status": "NotSupported"}, **asked)
    assert may_show(talk) == ["old-password"]
    for word in ("new-password", "last-password", *(f"password-{number}" for number in range(6))):
        talk.is_asked("ChangeConfiguration", key="AuthorizationKey", value=word)
    assert may_show(talk) == ["old-password", "last-password"]


def test_a_key_in_other_letters_is_the_same_key():
    talk = Talk()
    for name, setting in (("HeartbeatInterval", "60"), ("heartbeatinterval", "90")):
        talk.is_asked_and_answers("ChangeConfiguration", ACCEPTED, key=name, value=setting)
    told = [{"key": "HEARTBEATINTERVAL", "readonly": False, "value": "95"}]
    talk.is_asked_and_answers("GetConfiguration", {"configurationKey": told})
    assert [(one.key, one.setting) for one in talk.dossier.settings()] == [("HeartbeatInterval", "95")]


@pytest.mark.parametrize(("status", "is_scheduled"), [("Accepted", False), ("Scheduled", True)])
def test_availability_holds_for_a_connector_or_for_all(status, is_scheduled):
    talk = Talk()
    for id in (1, 2):
        talk.says("StatusNotification", connectorId=id, errorCode="NoError", status="Available")
    talk.is_asked_and_answers("ChangeAvailability", {"status": status}, connectorId=0, type="Inoperative")
    found = {id: (one.availability, one.is_scheduled) for id, one in talk.dossier.connectors.items()}
    assert found == dict.fromkeys((0, 1, 2), ("Inoperative", is_scheduled))
    talk.says("StatusNotification", connectorId=1, errorCode="NoError", status="Unavailable")
    assert not talk.dossier.connectors[1].is_scheduled
    talk.is_asked_and_answers("ChangeAvailability", {"status": "Rejected"}, connectorId=1, type="Operative")
    assert talk.dossier.connectors[1].availability == "Inoperative"


# --- reservations ---------------------------------------------------------------------------------------------------


def a_reserved_talk() -> Talk:
    talk = Talk()
    talk.is_asked_and_answers("ReserveNow", ACCEPTED, **RESERVATION, parentIdTag="FAMILY")
    return talk


def reservation(talk: Talk) -> Reservation:
    """What was kept last of the reservation."""
    return [one for one in talk.kept if isinstance(one, Reservation)][-1]


def state(talk: Talk) -> str:
    return reservation(talk).state


@pytest.mark.parametrize("status", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_a_reservation_that_is_not_granted_says_why(status):
    talk = Talk()
    talk.is_asked_and_answers("ReserveNow", {"status": status}, **RESERVATION)
    assert state(talk) == status


def test_a_reservation_that_cannot_be_changed_still_stands():
    talk = a_reserved_talk()
    talk.is_asked_and_answers("ReserveNow", {"status": "Occupied"}, **RESERVATION)
    assert state(talk) == "Active"


@pytest.mark.parametrize(("status", "after"), [("Accepted", "Cancelled"), ("Rejected", "Expired")])
def test_a_reservation_is_cancelled(status, after):
    talk = a_reserved_talk()
    talk.is_asked_and_answers("CancelReservation", {"status": status}, reservationId=5)
    assert state(talk) == after


@pytest.mark.parametrize(("id_tag", "after"), [("ADA", "Used"), ("EVE", "Used"), ("MALLORY", "Active")])
def test_a_reservation_is_used_by_its_token_or_its_group(id_tag, after):
    talk = a_reserved_talk()
    talk.central.put_token(Token(id_token="EVE", group="FAMILY"))
    id = talk.starts(id_tag, reservationId=5)["transactionId"]
    assert state(talk) == after
    assert reservation(talk).transaction_id == (id if after == "Used" else None)


def test_a_reservation_that_is_over_is_known_by_the_store_alone():
    talk = a_reserved_talk()
    assert [*talk.dossier.reservations] == [5]
    id = talk.is_asked("CancelReservation", reservationId=5)
    talk.heard()
    talk.sends([3, id, ACCEPTED], kept=False)
    assert [*talk.dossier.reservations] == [5], "nobody would know what became of it"
    talk.is_asked_and_answers("ReserveNow", ACCEPTED, **RESERVATION)
    talk.is_asked_and_answers("CancelReservation", ACCEPTED, reservationId=5)
    talk.is_asked_and_answers("ReserveNow", {"status": "Occupied"}, **RESERVATION | {"reservationId": 6})
    assert not talk.dossier.reservations


def test_a_reservation_that_has_expired_is_remembered_while_its_use_may_be_told_of():
    talk = a_reserved_talk()
    for days, known in ((29, [5, 6]), (32, [6, 7])):
        talk.now = NOON + days * MS_PER_DAY
        another = {"reservationId": known[-1], "expiryDate": rfc3339(talk.now)}
        talk.is_asked_and_answers("ReserveNow", ACCEPTED, **RESERVATION | another)
        assert [*talk.dossier.reservations] == known


# --- charging profiles ----------------------------------------------------------------------------------------------


def installed(talk: Talk) -> set[int]:
    return {*talk.dossier.profiles}


def with_profiles(*ids: int) -> Talk:
    talk = Talk()
    for id in ids:
        profile = a_profile(id, stackLevel=id)
        talk.is_asked_and_answers("SetChargingProfile", ACCEPTED, connectorId=id % 2, csChargingProfiles=profile)
    return talk


def test_a_profile_is_installed_if_it_is_accepted():
    talk = Talk()
    for id, status in ((1, "Accepted"), (2, "Rejected"), (3, "NotSupported")):
        profile = a_profile(id, stackLevel=id)
        talk.is_asked_and_answers("SetChargingProfile", {"status": status}, connectorId=1, csChargingProfiles=profile)
    assert installed(talk) == {1}


def test_a_profile_takes_the_place_of_the_one_at_its_place():
    talk = with_profiles(1, 2)
    talk.is_asked_and_answers(
        "SetChargingProfile", ACCEPTED, connectorId=1, csChargingProfiles=a_profile(9, stackLevel=1)
    )
    assert installed(talk) == {2, 9}


@pytest.mark.parametrize(
    ("criteria", "left"),
    [({}, set()), ({"id": 2}, {1, 3}), ({"connectorId": 1}, {2}), ({"connectorId": 1, "stackLevel": 3}, {1, 2})],
)
def test_profiles_are_cleared_by_criteria(criteria, left):
    talk = with_profiles(1, 2, 3)
    talk.is_asked_and_answers("ClearChargingProfile", ACCEPTED, **criteria)
    assert installed(talk) == left


def test_a_stations_word_that_it_has_no_such_profile_counts():
    talk = with_profiles(1, 2)
    talk.is_asked_and_answers("ClearChargingProfile", {"status": "Unknown"}, id=1)
    talk.is_asked_and_answers("ClearChargingProfile", {"status": "Unknown"}, stackLevel=7)
    assert installed(talk) == {2}


def test_a_transactions_profile_ends_with_it():
    talk = Talk()
    profile = a_profile(4, chargingProfilePurpose="TxProfile", chargingProfileKind="Relative")
    talk.is_asked_and_answers("RemoteStartTransaction", ACCEPTED, connectorId=1, idTag="ADA", chargingProfile=profile)
    assert installed(talk) == {4}
    talk.stops(talk.starts()["transactionId"])
    assert installed(talk) == set()


def test_a_stop_that_is_told_once_more_does_not_end_the_profile_of_the_next_transaction():
    talk = Talk()
    first = talk.starts()["transactionId"]
    talk.stops(first)
    second = talk.starts(at="2026-09-21T15:00:00Z")["transactionId"]
    for id, more in ((4, {"transactionId": second}), (5, {})):
        profile = a_profile(id, chargingProfilePurpose="TxProfile", stackLevel=id, **more)
        talk.is_asked_and_answers("SetChargingProfile", ACCEPTED, connectorId=1, csChargingProfiles=profile)
    talk.stops(first)
    assert installed(talk) == {4, 5}
    talk.stops(second)
    assert installed(talk) == set()


def test_a_stop_leaves_the_profile_of_another_transaction_at_its_connector():
    talk = Talk()
    stale = talk.starts()["transactionId"]
    running = talk.starts(at="2026-09-21T15:00:00Z")["transactionId"]
    profile = a_profile(4, chargingProfilePurpose="TxProfile", transactionId=running)
    talk.is_asked_and_answers("SetChargingProfile", ACCEPTED, connectorId=1, csChargingProfiles=profile)
    talk.stops(stale)
    assert installed(talk) == {4}


def test_the_end_of_a_transactions_profile_is_kept_however_often_that_takes():
    talk = Talk()
    id = talk.starts()["transactionId"]
    profile = a_profile(4, chargingProfilePurpose="TxProfile", transactionId=id)
    talk.is_asked_and_answers("SetChargingProfile", ACCEPTED, connectorId=1, csChargingProfiles=profile)
    stop = [2, "a", "StopTransaction", {"transactionId": id, "meterStop": 2_000, "timestamp": NOON_TEXT}]
    talk.sends(stop, kept=False)
    first = talk.kept[-1]
    assert isinstance(first, InstalledProfile)
    talk.now += 60_000
    talk.sends(stop)
    assert talk.kept[-1] == first
    assert installed(talk) == set()


def test_a_profile_may_be_sent_by_its_name():
    talk = Talk()
    talk.central.put_named_profile(NamedProfile(name="night", profile=json.dumps(a_profile(6)), at=NOON))
    talk.is_asked_and_answers("SetChargingProfile", ACCEPTED, connectorId=1, csChargingProfiles="night")
    assert installed(talk) == {6}
    with pytest.raises(NotFound):
        talk.is_asked("SetChargingProfile", connectorId=1, csChargingProfiles="day")


# --- local lists ----------------------------------------------------------------------------------------------------


def entries(talk: Talk) -> tuple[int, set[str]]:
    found = talk.dossier.local_list
    assert found is not None
    return found.version, set(json.loads(found.entries))


def test_a_local_list_is_replaced_and_changed():
    talk = Talk()
    full = [{"idTag": tag, "idTagInfo": ACCEPTED} for tag in ("ADA", "BOB")]
    change = [{"idTag": "bob"}, {"idTag": "EVE", "idTagInfo": ACCEPTED}]
    talk.is_asked_and_answers("SendLocalList", ACCEPTED, listVersion=1, updateType="Full", localAuthorizationList=full)
    assert entries(talk) == (1, {"ADA", "BOB"})
    for status, after in (("VersionMismatch", (1, {"ADA", "BOB"})), ("Accepted", (2, {"ADA", "EVE"}))):
        talk.is_asked_and_answers(
            "SendLocalList",
            {"status": status},
            listVersion=2,
            updateType="Differential",
            localAuthorizationList=change,
        )
        assert entries(talk) == after
    talk.is_asked_and_answers("GetLocalListVersion", {"listVersion": 2})
    assert entries(talk) == (2, {"ADA", "EVE"})
    talk.is_asked_and_answers("GetLocalListVersion", {"listVersion": 7})
    assert entries(talk) == (7, set())


# --- notes ----------------------------------------------------------------------------------------------------------

HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}


@pytest.mark.parametrize(
    ("action", "payload", "answer", "topic"),
    [
        ("ClearCache", {}, ACCEPTED, "cache-cleared"),
        ("Reset", {"type": "Hard"}, ACCEPTED, "reset"),
        ("GetDiagnostics", {"location": "http://x/"}, {"fileName": "d.log"}, "diagnostics-asked"),
        (
            "GetLog",
            {"log": {"remoteLocation": "http://x/"}, "logType": "SecurityLog", "requestId": 1},
            {"status": "Accepted", "filename": "s.log"},
            "log-asked",
        ),
        ("UpdateFirmware", {"location": "http://x/f", "retrieveDate": "2026-09-21T16:00:00Z"}, {}, "firmware-asked"),
        ("GetCompositeSchedule", {"connectorId": 2, "duration": 60}, ACCEPTED, "composite-schedule/2"),
        ("InstallCertificate", {"certificateType": "ManufacturerRootCertificate", "certificate": "x"}, ACCEPTED,
         "certificate-installed"),
        ("DeleteCertificate", {"certificateHashData": HASHES}, ACCEPTED, "certificate-deleted"),
        ("GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"},
         {"status": "Accepted", "certificateHashData": [HASHES]}, "certificates/ManufacturerRootCertificate"),
    ],
)  # fmt: skip
def test_what_a_station_was_asked_for_is_noted(action, payload, answer, topic):
    talk = Talk()
    talk.is_asked_and_answers(action, answer, **payload)
    assert topic in talk.dossier.notes
    assert topic in [one.topic for one in talk.kept if isinstance(one, Note)]
