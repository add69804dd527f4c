"""The station contract over HTTP: the official scenarios, every code, every refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import AsyncClient

from tests.apis import ONE_CHARGER, TWO_CHARGERS, a_bench, with_battery


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    async with a_bench(tmp_path) as client:
        yield client


class Station:
    """The default site, as a charger's software sees it."""

    def __init__(self, client: AsyncClient, prefix: str = "") -> None:
        self.client = client
        self.prefix = prefix

    async def configure(self, config: dict[str, Any], static_load: float = 0) -> None:
        answer = await self.client.post(f"{self.prefix}/station/config", json=config | {"staticLoad": static_load})
        assert answer.status_code == 200, answer.text

    async def start(self, charger: str, connector: int, power: float = 150) -> dict[str, Any]:
        body = {"chargerId": charger, "connectorId": connector, "vehicleMaxPower": power}
        answer = await self.client.post(f"{self.prefix}/sessions", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def stop(self, session: dict[str, Any]) -> None:
        answer = await self.client.post(f"{self.prefix}/sessions/{session['sessionId']}/stop")
        assert answer.status_code == 204, answer.text

    async def status(self) -> dict[str, Any]:
        return dict((await self.client.get(f"{self.prefix}/station/status")).json())

    async def powers(self) -> list[float]:
        status = await self.status()
        connectors = [connector for charger in status["chargers"] for connector in charger["connectors"]]
        return [connector["session"]["allocatedPower"] for connector in connectors if connector["session"]]


@pytest.fixture
def station(client: AsyncClient) -> Station:
    return Station(client)


# --- the official scenarios ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("static_load", [0, 3])
async def test_scenario_1_two_cars_share_their_charger(station: Station, static_load: float) -> None:
    await station.configure(ONE_CHARGER, static_load)
    await station.start("CP001", 1)
    second = await station.start("CP001", 2)
    assert await station.powers() == pytest.approx([100, 100])
    assert second["bindingLimit"] == "CP001"


@pytest.mark.parametrize(("static_load", "three", "four"), [(0, 400 / 3, 100), (3, 397 / 3, 99.25)])
async def test_scenario_2_the_grid_is_shared_anew_at_every_coming_and_going(
    station: Station, static_load: float, three: float, four: float
) -> None:
    await station.configure(TWO_CHARGERS, static_load)
    first, _ = await station.start("CP001", 1), await station.start("CP001", 2)
    assert await station.powers() == pytest.approx([150, 150])
    await station.start("CP002", 1)
    assert await station.powers() == pytest.approx([three] * 3)
    last = await station.start("CP002", 2)
    assert await station.powers() == pytest.approx([four] * 4)
    assert last["bindingLimit"] == "grid"
    assert (await station.status())["gridPower"] == pytest.approx(400)
    await station.stop(first)
    assert await station.powers() == pytest.approx([three] * 3)


@pytest.mark.parametrize(
    ("static_load", "battery_power", "four", "boosts"),
    [
        (0, 200, 150, (50, 200, 50)),
        (3, 200, 149.25, (53, 200, 53)),
        (0, 100, 125, (50, 100, 50)),
        (3, 100, 124.25, (53, 100, 53)),
    ],
)
async def test_scenario_3_the_battery_covers_the_shortfall(
    station: Station, static_load: float, battery_power: float, four: float, boosts: tuple[float, float, float]
) -> None:
    async def boost() -> float:
        return -float((await station.status())["battery"]["power"])

    await station.configure(with_battery(TWO_CHARGERS, battery_power), static_load)
    first, _, _ = [await station.start(*place) for place in (("CP001", 1), ("CP001", 2), ("CP002", 1))]
    assert await station.powers() == pytest.approx([150] * 3)
    assert await boost() == pytest.approx(boosts[0])
    await station.start("CP002", 2)
    assert await station.powers() == pytest.approx([four] * 4)
    assert await boost() == pytest.approx(boosts[1])
    await station.stop(first)
    assert await station.powers() == pytest.approx([150] * 3)
    assert await boost() == pytest.approx(boosts[2])
    assert (await station.status())["gridPower"] == pytest.approx(400)


# --- the shapes ------------------------------------------------------------------------------------------------------


async def test_before_anybody_configures_it_the_station_is_the_base_example(station: Station) -> None:
    status = await station.status()
    assert list(status) == ["stationId", "gridCapacity", "staticLoad", "gridPower", "battery", "chargers"]
    assert status["stationId"] == "ELECTRA_PARIS_15"
    assert status["gridCapacity"] == 400
    assert status["staticLoad"] == status["gridPower"] == 0
    assert status["battery"] == {"soc": 1.0, "power": 0.0, "energy": 200.0}
    ratings = [(charger["id"], charger["maxPower"], len(charger["connectors"])) for charger in status["chargers"]]
    assert ratings == [("CP001", 200, 2), ("CP002", 200, 2), ("CP003", 300, 2)]
    assert status["chargers"][0]["connectors"] == [{"id": 1, "session": None}, {"id": 2, "session": None}]


async def test_a_session_tells_its_story(station: Station) -> None:
    started = await station.start("CP001", 2, power=150)
    assert started == {
        "sessionId": started["sessionId"],
        "chargerId": "CP001",
        "connectorId": 2,
        "vehicleMaxPower": 150,
        "allocatedPower": 150,
        "bindingLimit": "vehicle",
    }
    path = f"/sessions/{started['sessionId']}"
    updated = await station.client.post(f"{path}/power-update", json={"consumedPower": 90, "vehicleMaxPower": 120.5})
    assert updated.status_code == 200
    assert updated.json() == {"newAllocatedPower": 120.5, "bindingLimit": "vehicle"}
    told = (await station.client.get(path)).json()
    assert told.items() >= (started | {"vehicleMaxPower": 120.5, "allocatedPower": 120.5}).items()
    assert told["consumedPower"] == 90
    assert told["status"] == "Charging"
    assert told["startedAt"].endswith("Z")
    assert told["energy"] >= 0
    await station.stop(started)
    ended = (await station.client.get(path)).json()
    assert ended["status"] == "Ended"
    assert ended["endedAt"] >= ended["startedAt"]


async def test_what_the_charger_counted_is_kept(station: Station) -> None:
    path = f"/sessions/{(await station.start('CP001', 1))['sessionId']}"
    answer = await station.client.post(f"{path}/stop", json={"consumedEnergy": 12.5, "duration": 900})
    assert answer.status_code == 204
    assert (await station.client.get(path)).json()["energy"] == 12.5


async def test_the_extras_sum_up(station: Station) -> None:
    await station.configure(with_battery(TWO_CHARGERS, 200), static_load=3)
    for place in (("CP001", 1), ("CP001", 2), ("CP002", 1), ("CP002", 2)):
        await station.start(*place)
    load = (await station.client.get("/station/load-summary")).json()
    assert load["allocatedPower"] == pytest.approx(597)
    assert load["requestedPower"] == 600
    assert load["batteryPower"] == -200
    assert load["gridPower"] == pytest.approx(400)
    assert load["availablePower"] == pytest.approx(0)
    assert load["sessions"] == 4
    battery = (await station.client.get("/station/battery")).json()
    assert battery["capacity"] == 200
    assert battery["maxPower"] == 200
    again = await station.client.post("/station/recompute")
    assert again.status_code == 200
    assert [c["allocatedPower"] for c in again.json()["chargers"]] == pytest.approx([298.5, 298.5])


@pytest.mark.parametrize("prefix", ["/api/v1", "/sites/default"])
async def test_the_same_station_is_there_under_every_prefix(station: Station, prefix: str) -> None:
    below = Station(station.client, prefix)
    session = await below.start("CP001", 1)
    assert await station.powers() == await below.powers() == [150]
    assert (await station.client.get(f"/sessions/{session['sessionId']}")).status_code == 200
    await below.stop(session)
    for path in ("/station/config", "/station/status", "/station/load-summary"):
        assert (await station.client.get(prefix + path)).json() == (await station.client.get(path)).json()


async def test_a_configuration_with_comments_replaces_the_station_and_ends_its_sessions(station: Station) -> None:
    session = await station.start("CP001", 1)
    text = """{
      "stationId": "S9", // a comment
      "gridCapacity": 100,
      "chargers": [
        {"id": "A", "maxPower": 50, "connectors": [{"connector_id": 7, "connector_type": "CCS", "max_power": 40}]}
      ]
    }"""
    answer = await station.client.post("/station/config", content=text)
    assert answer.status_code == 200
    assert (await station.client.get("/station/config")).json() == answer.json()
    assert (await station.client.get(f"/sessions/{session['sessionId']}")).json()["status"] == "Ended"
    status = await station.status()
    assert status["stationId"] == "S9"
    assert status["battery"] is None
    assert status["chargers"][0]["connectors"] == [{"id": 7, "session": None}]
    assert (await station.start("A", 7))["allocatedPower"] == 40
    assert (await station.client.get("/station/battery")).status_code == 404


async def test_where_decreases_are_reported_a_newcomer_waits_for_room(station: Station) -> None:
    await station.configure(ONE_CHARGER | {"confirmation": "reported"})
    first = await station.start("CP001", 1, power=200)
    assert first["allocatedPower"] == 200
    second = await station.start("CP001", 2, power=200)
    assert second["allocatedPower"] == 0
    path = f"/sessions/{first['sessionId']}/power-update"
    for second_kw in (0, 100):  # it is told with the first answer, and confirms with its next report
        answer = await station.client.post(path, json={"consumedPower": 100, "vehicleMaxPower": 200})
        assert answer.json()["newAllocatedPower"] == 100
        assert await station.powers() == pytest.approx([100, second_kw])


async def test_a_full_vehicle_reports_that_it_can_take_nothing(station: Station) -> None:
    await station.configure(ONE_CHARGER)
    session = await station.start("CP001", 1)
    path = f"/sessions/{session['sessionId']}/power-update"
    answer = await station.client.post(path, json={"consumedPower": 0, "vehicleMaxPower": 0})
    assert (answer.status_code, answer.json()["newAllocatedPower"]) == (200, 0)


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(answer: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """The problem details of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = dict(answer.json())
    assert problem["status"] == status
    assert problem["type"].startswith("urn:voltbench:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem.get("field") == field
    return problem


BAD_POWERS = ["0", "-5", "NaN", "Infinity", "-Infinity", "1e999", '"150"', "true", "null", "[150]", "1e7"]


@pytest.mark.parametrize("power", BAD_POWERS)
async def test_what_is_no_power_is_refused(client: AsyncClient, power: str) -> None:
    body = f'{{"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": {power}}}'
    refused(await client.post("/sessions", content=body), 422, "vehicleMaxPower")
    assert (await client.get("/station/load-summary")).json()["sessions"] == 0


@pytest.mark.parametrize("power", [power for power in BAD_POWERS if power != "0"])
async def test_what_is_no_reading_is_refused(station: Station, power: str) -> None:
    path = f"/sessions/{(await station.start('CP001', 1))['sessionId']}/power-update"
    body = f'{{"consumedPower": {power}, "vehicleMaxPower": 150}}'
    refused(await station.client.post(path, content=body), 422, "consumedPower")
    assert (await station.client.post(path, json={"consumedPower": 0, "vehicleMaxPower": 150})).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"connectorId": "1"}, "connectorId"),
        ({"connectorId": 1.5}, "connectorId"),
        ({"connectorId": True}, "connectorId"),
        ({"connectorId": None}, "connectorId"),
        ({"chargerId": 7}, "chargerId"),
        ({"chargerId": "x" * 300}, "chargerId"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_a_refusal_names_the_field(client: AsyncClient, change: dict[str, Any], field: str) -> None:
    body = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": 150} | change
    problem = refused(await client.post("/sessions", json=body), 422, field)
    assert problem["detail"].startswith(field)


async def test_half_a_letter_is_no_text(client: AsyncClient) -> None:
    body = b'{"chargerId": "\\ud800", "connectorId": 1, "vehicleMaxPower": 150}'
    refused(await client.post("/sessions", content=body), 422, "chargerId")
    refused(await client.post("/sessions", content=body.replace(b"chargerId", b"\\ud800")), 422, "body")


async def test_a_refusal_says_what_was_found_and_what_is_allowed(client: AsyncClient) -> None:
    body = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": -5}
    problem = refused(await client.post("/sessions", json=body), 422, "vehicleMaxPower")
    assert problem["found"] == -5
    assert problem["allowed"] == "0.001 or more"


@pytest.mark.parametrize(
    ("power", "found", "allowed"),
    [
        ("1000001", 1_000_001, "up to 1000000"),
        ("9" * 4_000, "a number of about 3987 digits", "numbers from -1e+15 to 1e+15"),
    ],
)
async def test_a_number_that_is_too_large_is_told_the_bound_and_not_repeated_at_length(
    client: AsyncClient, power: str, found: Any, allowed: str
) -> None:
    body = f'{{"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": {power}}}'
    problem = refused(await client.post("/sessions", content=body), 422, "vehicleMaxPower")
    assert problem["found"] == found
    assert allowed in problem["allowed"]
    assert allowed in problem["detail"]
    nowhere = f'{{"chargerId": "CP001", "connectorId": {"9" * 4_000}, "vehicleMaxPower": 1}}'
    assert len(refused(await client.post("/sessions", content=nowhere), 404)["detail"]) < 100


async def test_several_faults_are_told_at_once(client: AsyncClient) -> None:
    problem = refused(await client.post("/sessions", json={"connectorId": "1"}), 422, "chargerId")
    assert [fault["field"] for fault in problem["errors"]] == ["chargerId", "connectorId", "vehicleMaxPower"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"'])
async def test_a_body_that_is_no_object_is_refused(client: AsyncClient, body: bytes) -> None:
    refused(await client.post("/sessions", content=body), 422, "body")


async def test_null_is_told_what_was_expected(client: AsyncClient) -> None:
    for path, field, expected in (
        ("/sessions", "body", "a JSON object"),
        ("/station/config", "configuration", "an object with stationId, gridCapacity and chargers"),
    ):
        problem = refused(await client.post(path, content=b"null"), 422, field)
        assert problem["found"] == "null"
        assert problem["allowed"] == expected
        assert problem["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize("body", [b"{oops", b"\xff\xfe", b'{"a": ' * 3_000, b"[" * 100_000, b"9" * 5_000])
@pytest.mark.parametrize("path", ["/sessions", "/station/config"])
async def test_what_is_not_json_is_unreadable(client: AsyncClient, path: str, body: bytes) -> None:
    refused(await client.post(path, content=body), 400)


async def test_what_is_not_there_is_not_found(station: Station) -> None:
    client = station.client
    for charger, connector in (("CP999", 1), ("CP001", 99), ("CP001", 0), ("CP001", -1), ("", 1)):
        body = {"chargerId": charger, "connectorId": connector, "vehicleMaxPower": 150}
        refused(await client.post("/sessions", json=body), 404)
    refused(await client.get("/sessions/nobody"), 404)
    refused(await client.post("/sessions/nobody/power-update", json={"consumedPower": 1, "vehicleMaxPower": 1}), 404)
    refused(await client.post("/sessions/nobody/stop"), 404)
    refused(await client.get("/sites/nowhere/station/status"), 404)
    refused(await client.get("/sites/nowhere/events"), 404)
    refused(await client.get("/nothing"), 404)
    refused(await client.delete("/station/status"), 405)


async def test_an_occupied_connector_is_a_conflict(station: Station) -> None:
    await station.start("CP001", 1)
    body = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": 150}
    refused(await station.client.post("/sessions", json=body), 409)


async def test_a_stopped_session_takes_no_more(station: Station) -> None:
    session = await station.start("CP001", 1)
    await station.stop(session)
    path = f"/sessions/{session['sessionId']}"
    refused(await station.client.post(f"{path}/stop"), 409)
    refused(await station.client.post(f"{path}/power-update", json={"consumedPower": 1, "vehicleMaxPower": 1}), 409)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gridCapacity": -1}, "gridCapacity"),
        ({"gridCapacity": "400"}, "gridCapacity"),
        ({"chargers": []}, "chargers"),
        ({"chargers": [{"id": "A", "maxPower": 0, "connectors": 2}]}, "chargers[0].maxPower"),
        ({"chargers": [{"id": "A", "maxPower": 1, "connectors": 0}]}, "chargers[0].connectors"),
        ({"confirmation": "maybe"}, "confirmation"),
        ({"stationid": "S"}, "stationid"),
    ],
)
async def test_a_bad_configuration_changes_nothing(station: Station, change: dict[str, Any], field: str) -> None:
    before = await station.status()
    refused(await station.client.post("/station/config", json=ONE_CHARGER | change), 422, field)
    assert await station.status() == before
