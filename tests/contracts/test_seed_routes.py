"""The seed's own routes, as its README and its Swagger page have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from tests.apis import ONE_CHARGER, TWO_CHARGERS, a_bench, with_battery


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    async with a_bench(tmp_path) as client:
        yield client


async def post(client: AsyncClient, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(path, params=query)
    return answer.status_code, answer.json()


async def start(client: AsyncClient, charger: str, connector: int, power: float = 150) -> str:
    status, body = await post(client, "/start_session/", chargerId=charger, connectorId=connector, powerCapacity=power)
    assert status == 200, body
    return str(body["message"])


async def test_the_root_says_hello(client: AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert list(answer.json()) == ["message"]


async def test_the_status_has_the_seeds_shape(client: AsyncClient) -> None:
    await client.post("/station/config", json=with_battery(TWO_CHARGERS, 200))
    for place in (("CP001", 1), ("CP001", 2), ("CP002", 1)):
        await start(client, *place)
    station = (await client.get("/station/station_status")).json()
    session = station["chargers"][0]["connectors"][0]["session"]
    boosts = station["battery"].pop("session_boosts")
    assert station.pop("chargers")[1] == {
        "charger_id": "CP002",
        "max_power": 300,
        "max_asked_power": 150,
        "connectors": [
            {"connector_id": 1, "session": session | {"session_id": boosts[2]["sessionId"]}},
            {"connector_id": 2, "session": None},
        ],
    }
    assert station == {
        "station_id": "S2",
        "max_asked_power": 450,
        "grid_capacity": 400,
        "battery": {"max_power": 200, "state_of_charge": pytest.approx(100, abs=0.1)},
    }
    assert session == {
        "session_id": boosts[0]["sessionId"],
        "allocated_power": 150,
        "vehicle_max_power": 150,
        "is_boosted": True,
        "boosted_power": pytest.approx(50 / 3),
        "active": True,
    }
    assert sum(boost["boost"] for boost in boosts) == pytest.approx(50)


async def test_a_station_without_battery_has_none(client: AsyncClient) -> None:
    await client.post("/station/config", json=ONE_CHARGER)
    assert (await client.get("/station/station_status")).json()["battery"] is None


async def test_sessions_start_and_stop(client: AsyncClient) -> None:
    assert "150 kW" in await start(client, "CP001", 1)
    assert "50 kW" in await start(client, "CP001", 2, power=50)
    status, body = await post(client, "/stop_session/", chargerId="CP001", connectorId=1)
    assert status == 200
    assert list(body) == ["message"]
    station = (await client.get("/station/station_status")).json()
    connectors = station["chargers"][0]["connectors"]
    assert [connector["session"] is not None for connector in connectors] == [False, True]


async def test_the_slash_at_the_end_makes_no_difference(client: AsyncClient) -> None:
    place = {"chargerId": "CP001", "connectorId": 1}
    assert (await post(client, "/start_session", powerCapacity=50, **place))[0] == 200
    assert (await post(client, "/stop_session", **place))[0] == 200
    assert (await client.get("/station/station_status/")).status_code == 200
    assert (await client.get("/station/status/")).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"chargerId": "CP999", "connectorId": 1, "powerCapacity": 50}, 404, None),
        ({"chargerId": "CP001", "connectorId": 99, "powerCapacity": 50}, 404, None),
        ({"chargerId": "CP001", "connectorId": "x", "powerCapacity": 50}, 422, "connectorId"),
        ({"chargerId": "CP001", "connectorId": 1, "powerCapacity": -50}, 422, "powerCapacity"),
        ({"chargerId": "CP001", "connectorId": 1, "powerCapacity": "nan"}, 422, "powerCapacity"),
        ({"chargerId": "CP001", "connectorId": 1, "powerCapacity": "inf"}, 422, "powerCapacity"),
        ({"chargerId": "CP001", "connectorId": 1}, 422, "powerCapacity"),
        ({"connectorId": 1, "powerCapacity": 50}, 422, "chargerId"),
    ],
)
async def test_a_session_that_cannot_start_is_refused(
    client: AsyncClient, query: dict[str, Any], status: int, field: str | None
) -> None:
    answered, problem = await post(client, "/start_session/", **query)
    assert answered == status == problem["status"]
    assert problem.get("field") == field


async def test_an_occupied_connector_is_a_conflict(client: AsyncClient) -> None:
    await start(client, "CP001", 1)
    status, _ = await post(client, "/start_session/", chargerId="CP001", connectorId=1, powerCapacity=50)
    assert status == 409


@pytest.mark.parametrize(("charger", "connector"), [("CP001", 1), ("CP001", 99), ("CP999", 1)])
async def test_nothing_to_stop_is_not_found(client: AsyncClient, charger: str, connector: int) -> None:
    assert (await post(client, "/stop_session/", chargerId=charger, connectorId=connector))[0] == 404


async def test_a_connector_that_is_no_number_cannot_be_stopped(client: AsyncClient) -> None:
    status, problem = await post(client, "/stop_session/", chargerId="CP001", connectorId="x")
    assert (status, problem["field"]) == (422, "connectorId")
