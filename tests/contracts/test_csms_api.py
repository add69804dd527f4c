"""The CSMS's REST API: what an operator or a test harness does beside the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from ocpp.v16 import call, call_result

from tests.csms16 import NOON_TEXT, a_profile
from tests.csms_live import LiveCsms, a_csms, a_station, connected
from tests.databases import a_full_disk
from voltbench.apps.api.app import make_app
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.compose import Bench
from voltbench.ocpp.v16.csms.central import Policy


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[LiveCsms]:
    async with a_csms(tmp_path) as csms:
        yield csms


def problem(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


# --- commands -------------------------------------------------------------------------------------------------------


async def test_a_command_says_where_its_answer_will_be(csms: LiveCsms):
    async with connected(csms.url) as connection:
        sent = await csms.client.post("/csms/stations/CP1/commands/ClearCache")
        assert (sent.status_code, sent.headers["location"]) == (202, f"/csms/commands/{sent.json()['id']}")
        assert json.loads(await connection.recv()) == [2, sent.json()["id"], "ClearCache", {}]
        found = await csms.get(sent.headers["location"])
        assert (found["state"], found["answer"], found["refusal"]) == ("pending", None, None)


async def test_who_watches_hears_of_what_is_durable(csms: LiveCsms):
    heard: list[str] = []
    end = csms.service.csms.watch(lambda record: heard.append(type(record).__name__))
    async with a_station(csms.url) as station:
        start = call.StartTransaction(connector_id=1, id_tag="ADA", meter_start=1, timestamp=NOON_TEXT)
        await station.tells(start)
        end()
        await station.tells(call.FirmwareStatusNotification(status="Idle"))
    assert heard == ["KnownStation", "Transaction"]


async def test_a_command_is_overdue_when_the_station_is_silent(tmp_path: Path):
    async with a_csms(tmp_path, answer_within_s=0.1) as csms, connected(csms.url):
        assert (await csms.command("CP1", "ClearCache", {}))["state"] == "overdue"


async def test_a_command_is_lost_with_the_connection(csms: LiveCsms):
    async with connected(csms.url) as connection:
        sent = await csms.client.post("/csms/stations/CP1/commands/ClearCache")
        await connection.recv()
    await csms.gone()
    again = await csms.client.post("/csms/stations/CP1/commands/ClearCache")
    assert "is not connected" in problem(again, 409)["detail"]
    assert (await csms.get(f"{sent.headers['location']}?wait_s=60"))["state"] == "lost"


async def test_what_cannot_be_sent_is_refused_where_it_is_wrong(csms: LiveCsms):
    async with connected(csms.url):
        path = "/csms/stations/CP1/commands"
        wrong = problem(await csms.client.post(f"{path}/Reset", json={"type": "Gentle"}), 422)
        assert (wrong["field"], wrong["found"], wrong["allowed"]) == ("type", "Gentle", "Hard, Soft")
        assert problem(await csms.client.post(f"{path}/Reset", json=[1]), 422)["field"] == "body"
        problem(await csms.client.post(f"{path}/Reset", content=b"{"), 400)
        problem(await csms.client.post(f"{path}/Reset", content=b'{"type":"Soft","type":"Hard"}'), 400)
        problem(await csms.client.post(f"{path}/Reset", content=b'{"type":"\\ud800"}'), 422)
        problem(await csms.client.post(f"{path}/Heartbeat", json={}), 404)
        for large in (2**63, 1e30):
            asked = {"connectorId": large, "type": "Operative"}
            assert (
                problem(await csms.client.post(f"{path}/ChangeAvailability", json=asked), 422)["field"] == "connectorId"
            )
    problem(await csms.client.post("/csms/stations/CP2/commands/Reset", json={"type": "Soft"}), 404)
    for path in ("/csms/stations/CP2", "/csms/commands/x", "/csms/transactions/7", "/csms/tokens/x"):
        problem(await csms.client.get(path), 404)


# --- stations -------------------------------------------------------------------------------------------------------


async def test_a_station_that_is_held_is_let_in(tmp_path: Path):
    boot = call.BootNotification(charge_point_vendor="Acme", charge_point_model="One")
    async with a_csms(tmp_path, policy=Policy(unknown_stations="Pending")) as csms, a_station(csms.url) as station:
        assert (await station.tells(boot)).status == "Pending"
        (known,) = (await csms.get("/csms/stations"))["stations"]
        assert (known["id"], known["registration"], known["is_connected"]) == ("CP1", "Pending", True)
        await csms.put("/csms/stations/CP1", registration="Accepted")
        assert (await station.tells(boot)).status == "Accepted"


async def test_a_station_may_be_known_before_it_comes(csms: LiveCsms):
    await csms.put("/csms/stations/CP9", registration="Rejected")
    async with a_station(csms.url, "CP9") as station:
        booted = await station.tells(call.BootNotification(charge_point_vendor="Acme", charge_point_model="One"))
        assert booted.status == "Rejected"


# --- transactions and tokens ----------------------------------------------------------------------------------------


async def test_a_stale_transaction_is_closed(csms: LiveCsms):
    async with a_station(csms.url) as station:
        start = call.StartTransaction(connector_id=1, id_tag="ADA", meter_start=1, timestamp=NOON_TEXT)
        id = (await station.tells(start)).transaction_id
    assert [one["id"] for one in (await csms.get("/csms/transactions?state=open"))["transactions"]] == [id]
    closed = await csms.client.post(f"/csms/transactions/{id}/close")
    assert (closed.json()["closed_by"], closed.json()["energy_wh"]) == ("operator", None)
    problem(await csms.client.post(f"/csms/transactions/{id}/close"), 409)
    problem(await csms.client.post("/csms/transactions/99/close"), 404)
    assert (await csms.get("/csms/transactions?state=open"))["transactions"] == []
    assert len((await csms.get("/csms/transactions?state=closed"))["transactions"]) == 1


async def test_transactions_come_in_pages(csms: LiveCsms):
    async with a_station(csms.url) as station:
        for meter in range(5):
            await station.tells(
                call.StartTransaction(connector_id=1, id_tag="ADA", meter_start=meter, timestamp=NOON_TEXT)
            )
    seen, path = [], "/csms/transactions?limit=2"
    while path:
        page = await csms.get(path)
        seen += [one["id"] for one in page["transactions"]]
        path = f"/csms/transactions?limit=2&before={page['next']}" if page["next"] is not None else ""
    assert seen == [5, 4, 3, 2, 1]


async def test_tokens_are_known_as_they_were_put(csms: LiveCsms):
    await csms.put("/csms/tokens/ADA", status="Blocked", group="FAMILY", expires_at=5)
    await csms.put("/csms/tokens/ada", concurrent_transactions=2)
    assert (await csms.get("/csms/tokens"))["tokens"] == [
        {"id_token": "ADA", "status": "Accepted", "group": None, "expires_at": None, "concurrent_transactions": 2}
    ]
    wrong = await csms.client.put("/csms/tokens/ADA", json={"status": "Perhaps"})
    assert problem(wrong, 422)["field"] == "status"
    problem(await csms.client.put(f"/csms/tokens/{'A' * 21}", json={}), 422)


async def test_a_profile_is_stored_and_sent_by_its_name(csms: LiveCsms):
    stored = await csms.put("/csms/profiles/night", **a_profile(8))
    assert stored["profile"] == a_profile(8)
    wrong = await csms.client.put("/csms/profiles/night", json=a_profile() | {"stackLevel": "high"})
    assert problem(wrong, 422)["field"] == "stackLevel"
    async with a_station(csms.url) as station:
        station.answers["SetChargingProfile"] = call_result.SetChargingProfile("Accepted")
        await csms.command("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": "night"})
    found = await csms.get("/csms/profiles")
    assert [one["name"] for one in found["stored"]] == ["night"]
    assert [one["profile_id"] for one in found["installed"]] == [8]


# --- first it is kept, then it is so --------------------------------------------------------------------------------


async def test_what_could_not_be_kept_is_not_in_force(csms: LiveCsms, tmp_path: Path):
    await csms.put("/csms/tokens/ADA")
    await csms.put("/csms/stations/CP1", registration="Accepted", password="a long password")
    await csms.put("/csms/profiles/night", **a_profile(1))
    central = csms.service.csms.central
    places = ("/csms/tokens", "/csms/stations", "/csms/profiles")
    before = [await csms.get(place) for place in places], central.dossier("CP1").station
    with a_full_disk(tmp_path / "csms.db-wal"):
        for name in ("ADA", "EVE"):
            problem(await csms.client.put(f"/csms/tokens/{name}", json={"status": "Blocked"}), 503)
        for id in ("CP1", "CP2"):
            asked = {"registration": "Rejected", "password": "another password"}
            problem(await csms.client.put(f"/csms/stations/{id}", json=asked), 503)
        for name in ("night", "day"):
            problem(await csms.client.put(f"/csms/profiles/{name}", json=a_profile(2)), 503)
    assert ([await csms.get(place) for place in places], central.dossier("CP1").station) == before


async def test_what_an_operator_says_while_a_station_speaks_takes_nothing_from_it(tmp_path: Path):
    boot = call.BootNotification(charge_point_vendor="Acme", charge_point_model="One")
    async with a_csms(tmp_path) as csms, a_station(csms.url) as station:
        changing = [csms.put("/csms/stations/CP1", registration=known) for known in ("Rejected", "Pending")]
        await asyncio.gather(station.tells(boot), *changing, station.tells(boot))
    async with a_csms(tmp_path) as csms:
        found = await csms.get("/csms/stations/CP1")
        assert (found["registration"], found["boot"]["chargePointVendor"]) == ("Pending", "Acme")


# --- ids with a slash -----------------------------------------------------------------------------------------------


async def test_an_id_may_have_a_slash_in_it(csms: LiveCsms):
    async with a_station(csms.url, "a%2Fcommands") as station:
        station.answers["ClearCache"] = call_result.ClearCache("Accepted")
        command = await csms.command("a%2fcommands", "ClearCache", {})
        assert (command["station_id"], command["state"]) == ("a/commands", "answered")
        for below in ("", "/commands", "/events", "/wire"):
            await csms.get(f"/csms/stations/a%2Fcommands{below}")
    changed = await csms.put("/csms/stations/a%2Fcommands", registration="Pending")
    assert (changed["id"], changed["registration"]) == ("a/commands", "Pending")
    await csms.put("/csms/tokens/A%2FB%25")
    assert (await csms.get("/csms/tokens/a%2Fb%25"))["id_token"] == "A/B%"
    for path in ("stations/a/commands", "stations/a%2Fb", "tokens/A/B%25", "tokens%2FA"):
        problem(await csms.client.get(f"/csms/{path}"), 404)


async def test_a_slash_where_none_may_be_is_told_as_it_was_asked_for(csms: LiveCsms):
    refused = problem(await csms.client.put("/csms/profiles/..%2fx", json=a_profile()), 422)
    assert refused["found"] == "../x"
    assert problem(await csms.client.get("/csms/transactions/1%2F2"), 422)["found"] == "1/2"
    assert "'a/b'" in problem(await csms.client.get("/csms/commands/a%2Fb"), 404)["detail"]
    assert "/csms/tokens%2FA" in problem(await csms.client.get("/csms/tokens%2FA"), 404)["detail"]


# --- the wire -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AuthorizationKey", "authorizationKEY"])
async def test_the_wire_log_shows_both_directions_and_no_key(csms: LiveCsms, name: str):
    async with a_station(csms.url) as station:
        station.answers["ChangeConfiguration"] = call_result.ChangeConfiguration("Accepted")
        await csms.command("CP1", "ChangeConfiguration", {"key": name, "value": "a-secret-of-ours"})
        frames = (await csms.get("/csms/stations/CP1/wire"))["frames"]
    assert [(one["number"], one["direction"]) for one in frames] == [(1, "out"), (2, "in")]
    assert '"value":"***"' in frames[0]["frame"]
    commands = (await csms.get("/csms/stations/CP1/commands"))["commands"]
    assert commands[0]["payload"] == {"key": name, "value": "***"}


async def test_a_station_that_tells_its_key_is_not_quoted(csms: LiveCsms):
    told = [{"value": 'a-secret } of "ours', "key": "authorizationkey", "readonly": False}, {"key": "A"}]
    async with connected(csms.url) as connection:
        sent = await csms.client.post("/csms/stations/CP1/commands/GetConfiguration", json={})
        await connection.recv()
        for frame in (json.dumps([3, sent.json()["id"], {"configurationKey": told[:1]}]), f"{json.dumps(told)[:-1]},"):
            await connection.send(frame)
        answer = (await csms.get(f"/csms/commands/{sent.json()['id']}?wait_s=5"))["answer"]
        await connection.close()
    await csms.gone()
    assert answer["configurationKey"][0]["value"] == "***"
    for path in ("", "/wire", "/commands", "/events"):
        assert "a-secret" not in json.dumps(await csms.get(f"/csms/stations/CP1{path}"))


# --- files ----------------------------------------------------------------------------------------------------------


async def test_a_file_comes_and_goes(csms: LiveCsms, tmp_path: Path):
    for method, content in (("PUT", b"one"), ("POST", b"two" * 1_000_000)):
        sent = await csms.client.request(method, "/csms/files/CP1%20diagnostics.log", content=content)
        assert sent.status_code == 201
        assert (await csms.client.get("/csms/files/CP1%20diagnostics.log")).content == content
    (file,) = (await csms.get("/csms/files"))["files"]
    assert (file["name"], file["size"]) == ("CP1 diagnostics.log", 3_000_000)
    problem(await csms.client.get("/csms/files/nothing"), 404)
    problem(await csms.client.delete("/csms/files/CP1%20diagnostics.log"), 405)
    assert [path.name for path in (tmp_path / "csms" / "files").iterdir()] == ["CP1 diagnostics.log"]


@pytest.mark.parametrize(
    "name", ["..%2f..%2fcsms.db", "%2e%2e%2fstations-ca.key", "a%5cb", ".hidden", "a/b", "x" * 201, "a%00"]
)
async def test_a_name_leads_nowhere_else(csms: LiveCsms, name):
    problem(await csms.client.get(f"/csms/files/{name}"), 422)
    problem(await csms.client.put(f"/csms/files/{name}", content=b"x"), 422)


async def test_a_file_that_is_too_large_is_not_kept(csms: LiveCsms):
    csms.service.files.largest = 1_000
    problem(await csms.client.put("/csms/files/large", content=b"x" * 1_001), 413)
    assert (await csms.get("/csms/files"))["files"] == []


TOKEN = {"Authorization": "Bearer the token"}


@asynccontextmanager
async def asking_for_a_token(csms: LiveCsms) -> AsyncIterator[httpx.AsyncClient]:
    """The same CSMS for those who are not trusted by where they are."""
    app = make_csms_app(csms.service, trust_for("127.0.0.1", "the token"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


async def test_files_need_the_token_or_a_stations_password(csms: LiveCsms):
    await csms.put("/csms/stations/CP1", password="a long password")
    async with asking_for_a_token(csms) as client:
        problem(await client.put("/csms/files/a", content=b"x"), 401)
        problem(await client.put("/csms/files/a", content=b"x", auth=("CP1", "wrong")), 401)
        problem(await client.put("/csms/files/a", content=b"x", auth=("CP2", "a long password")), 401)
        for auth in (("CP1", "a long password"), ("anybody", "the token")):
            assert (await client.put("/csms/files/a", content=b"x", auth=auth)).status_code == 201
        assert (await client.get("/csms/files/a", headers=TOKEN)).content == b"x"
        problem(await client.get("/csms/stations"), 401)
        page = TOKEN | {"Origin": "http://localhost"}
        problem(await client.put("/csms/files/a", content=b"x", headers=page), 403)
        problem(await client.get("/csms/files/a", headers=TOKEN | {"Host": "evil.example"}), 400)


async def test_a_stations_password_opens_its_own_deliveries_and_firmware_only(csms: LiveCsms):
    one, other = ("CP1", "a long password"), ("CP2", "another password")
    for id, password in (one, other):
        await csms.put(f"/csms/stations/{id}", password=password)
    async with asking_for_a_token(csms) as client:
        await client.put("/csms/files/firmware.bin", content=b"2.0.0", headers=TOKEN)
        for auth, content in ((one, b"of CP1"), (other, b"of CP2")):
            for name in ("firmware.bin", "log"):
                assert (await client.put(f"/csms/files/{name}", content=content, auth=auth)).status_code == 201
                problem(await client.put(f"/csms/files/{name}", content=b"not so", auth=auth), 409)
            assert (await client.get("/csms/files/firmware.bin", auth=auth)).content == b"2.0.0"
            for query in ("", "?station=CP1", "?station=CP2"):
                problem(await client.get(f"/csms/files/log{query}", auth=auth), 404)
        for id, content in (("CP1", b"of CP1"), ("CP2", b"of CP2")):
            assert (await client.get(f"/csms/files/log?station={id}", headers=TOKEN)).content == content
    found = [(file["name"], file["station"]) for file in (await csms.get("/csms/files"))["files"]]
    deliveries = [(name, id) for id in ("CP1", "CP2") for name in ("firmware.bin", "log")]
    assert found == [("firmware.bin", None), *deliveries]


async def test_a_station_that_is_rejected_has_no_files(csms: LiveCsms):
    await csms.put("/csms/stations/CP1", password="a long password", registration="Rejected")
    async with asking_for_a_token(csms) as client:
        await client.put("/csms/files/firmware.bin", content=b"2.0.0", headers=TOKEN)
        for method in ("GET", "PUT", "POST"):
            problem(await client.request(method, "/csms/files/firmware.bin", auth=("CP1", "a long password")), 403)


@pytest.mark.parametrize("id", ["..", ".", "a/../..", "Säule 7", "%2e%2e"])
async def test_what_a_station_delivers_is_told_from_others_whatever_its_id(csms: LiveCsms, tmp_path: Path, id: str):
    files = csms.service.files
    await files.of(id).take("log", in_chunks(b"x"), replaces=False)
    assert [(file.name, file.station) for file in await files.all()] == [("log", id)]
    assert [path.name for path in (tmp_path / "csms" / "files").glob("*")] == [".stations"]
    assert not list((tmp_path / "csms").glob("log"))


async def in_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_the_description_names_every_route(csms: LiveCsms):
    description = await csms.get("/openapi.json")
    assert {"/csms/stations", "/csms/transactions/{transaction_id}/close", "/csms/tokens/{id_token}"} <= set(
        description["paths"]
    )
    assert (await csms.get("/health"))["status"] == "ok"


# --- alone and beside sites -----------------------------------------------------------------------------------------


async def test_it_is_served_the_same_alone_and_beside_sites(csms: LiveCsms):
    trust = trust_for("127.0.0.1", None)
    nothing = Bench(*[cast(Any, None)] * 4)
    alone, beside = make_csms_app(csms.service, trust), make_app(nothing, trust, csms.service)
    asked = [("GET", "/csms/stations/NOBODY"), ("PUT", "/csms/stations"), ("GET", "/csms/files/x"), ("GET", "/nothing")]
    answers = []
    for app in (alone, beside):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            answers.append([problem(found := await client.request(*one), found.status_code) for one in asked])
    assert answers[0] == answers[1]
    assert [one["status"] for one in answers[0]] == [404, 405, 404, 404]
    routes = [{path for path in app.openapi()["paths"] if path.startswith("/csms")} for app in (alone, beside)]
    assert routes[0] == routes[1] != set()
