"""Our own routes: sites, history, telemetry, events, docs; and who may talk to them."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import AsyncClient

from tests.apis import ONE_CHARGER, TWO_CHARGERS, a_bench, a_bench_with_telemetry
from voltbench.apps.api.trust import is_loopback, trust_for
from voltbench.errors import InvalidInput


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    async with a_bench(tmp_path) as client:
        yield client


async def start(client: AsyncClient, connector: int = 1, site: str = "default") -> str:
    body = {"chargerId": "CP001", "connectorId": connector, "vehicleMaxPower": 150}
    answer = await client.post(f"/sites/{site}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/sites/{site}/sessions/{answer.json()['sessionId']}"
    return str(answer.json()["sessionId"])


# --- sites -----------------------------------------------------------------------------------------------------------


async def test_a_site_is_made_replaced_and_deleted(client: AsyncClient) -> None:
    assert (await client.put("/sites/depot-1", json=ONE_CHARGER)).status_code == 201
    session = await start(client, site="depot-1")
    assert (await client.get("/sites/depot-1/station/config")).json() == ONE_CHARGER
    assert (await client.put("/sites/depot-1", json=TWO_CHARGERS)).status_code == 200
    assert (await client.get(f"/sites/depot-1/sessions/{session}")).json()["status"] == "Ended"
    assert [site["id"] for site in (await client.get("/sites")).json()["sites"]] == ["default", "depot-1"]
    assert (await client.delete("/sites/depot-1")).status_code == 204
    assert (await client.get("/sites/depot-1")).status_code == 404
    assert (await client.delete("/sites/depot-1")).status_code == 404


async def test_the_default_site_stays(client: AsyncClient) -> None:
    assert (await client.delete("/sites/default")).status_code == 409


@pytest.mark.parametrize("name", ["-x", ".hidden", "a b", "x" * 65, "café"])
async def test_a_site_has_a_plain_name(client: AsyncClient, name: str) -> None:
    answer = await client.put(f"/sites/{name}", json=ONE_CHARGER)
    assert (answer.status_code, answer.json()["field"]) == (422, "site_id")


async def test_our_own_view_is_in_watts(client: AsyncClient) -> None:
    await start(client)
    site = (await client.get("/sites/default")).json()
    assert site["grid_capacity_w"] == 400_000
    assert site["chargers"][0]["connectors"][0]["session"]["allocated_w"] == 150_000


async def test_somebody_else_may_limit_the_site_too(client: AsyncClient) -> None:
    session = await start(client)
    limit = {"node": "grid", "source": "grid operator", "power_w": 60_000}
    assert (await client.put("/sites/default/limits", json=limit)).json()["grid_limit_w"] == 60_000
    await client.post("/station/config", json=ONE_CHARGER)
    session = await start(client)
    await client.put("/sites/default/limits", json=limit)
    assert (await client.get(f"/sessions/{session}")).json()["allocatedPower"] == 60
    await client.put("/sites/default/limits", json=limit | {"power_w": None})
    assert (await client.get(f"/sessions/{session}")).json()["allocatedPower"] == 150
    assert (await client.put("/sites/default/limits", json=limit | {"node": "nowhere"})).status_code == 404


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\n", "\x7f"])
async def test_who_limits_the_site_has_a_name_that_can_be_printed(client: AsyncClient, sign: str) -> None:
    limit = {"node": "grid", "source": f"dso{sign}", "power_w": 60_000}
    problem = (await client.put("/sites/default/limits", json=limit)).json()
    assert (problem["status"], problem["field"]) == (422, "source")
    assert "control character" in problem["detail"]
    assert (await client.get("/sites/default")).json()["limits"] == []


async def test_no_body_may_say_a_key_twice(client: AsyncClient) -> None:
    """But to the course's home station: there the last one counts, as it always did."""
    description = (await client.get("/openapi.json")).json()["paths"]
    session = await start(client)
    told = {"site_id": "default", "session_id": session, "home_id": "default"}
    of_others = (
        "/simulations",
        "/queue",
        "/cell",
        "/drivecycle",
        "/createSimulation",
    )  # they have stories of their own
    ours = {
        path: ways
        for path, ways in description.items()
        if not path.endswith(("/charge", "/discharge")) and not path.startswith(of_others)
    }
    bodies = [(m, path.format(**told)) for path, ways in ours.items() for m in ways if "requestBody" in ways[m]]
    assert len(bodies) == 13
    for method, path in [*bodies, ("post", "/api/v1/sessions")]:
        answer = await client.request(method, path, content='{"consumedPower": 1, "consumedPower": 2}')
        assert answer.status_code == 400, (method, path)
        assert "'consumedPower'" in answer.json()["detail"]
    assert (await client.get(f"/sessions/{session}")).json()["consumedPower"] is None


async def test_only_the_demo_is_hurried(tmp_path: Path) -> None:
    async with a_bench(tmp_path, demo_speed=60.0) as client:
        assert (await client.put("/sites/demo/speed", json={"speed": 5})).json() == {"speed": 5}
        speeds = {site["id"]: site["speed"] for site in (await client.get("/sites")).json()["sites"]}
        assert speeds == {"default": 1, "demo": 5}
        assert (await client.put("/sites/default/speed", json={"speed": 5})).status_code == 409
        assert (await client.put("/sites/demo/speed", json={"speed": 0})).status_code == 422
        assert (await client.get("/sites/demo/station/status")).status_code == 200
        assert (await client.get("/sites/demo/station/config")).status_code == 409


# --- history ---------------------------------------------------------------------------------------------------------


async def test_ended_sessions_are_told_page_by_page_the_last_one_first(client: AsyncClient) -> None:
    ended = []
    for _ in range(5):
        ended.append(await start(client))
        await client.post(f"/sessions/{ended[-1]}/stop")
    seen: list[str] = []
    query: dict[str, str] | None = {"limit": "2"}
    while query is not None:
        page = (await client.get("/sites/default/history", params=query)).json()
        seen += [session["id"] for session in page["sessions"]]
        query = {"limit": "2", "before": page["next"]} if page["next"] else None
    assert sorted(seen) == sorted(ended)
    assert seen[0] == ended[-1]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1_001}, {"limit": "x"}, {"before": "x"}])
async def test_a_page_that_cannot_be_is_refused(client: AsyncClient, query: dict[str, Any]) -> None:
    answer = await client.get("/sites/default/history", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(query)))


async def test_a_series_is_read_in_parts(tmp_path: Path) -> None:
    async with a_bench_with_telemetry(tmp_path) as (client, telemetry):
        instants = np.arange(12_000, dtype=np.int64) * 1_000
        telemetry.append("default", "test_w", instants, instants / 2.0)
        path = "/sites/default/telemetry/test_w"
        part = (await client.get(path, params={"start": 1_500, "end": 4_000})).json()
        assert part["instants"] == [1_500, 2_000, 3_000]
        assert part["values"] == [500, 1_000, 1_500]
        assert part["next"] is None
        first = (await client.get(path, params={"start": 0, "end": 12_000_000})).json()
        rest = (await client.get(path, params={"start": first["next"], "end": 12_000_000})).json()
        assert first["instants"] + rest["instants"] == instants.tolist()
        assert rest["next"] is None
        assert "test_w" in (await client.get("/sites/default/telemetry")).json()["series"]


async def test_a_series_that_is_not_there_is_not_found(client: AsyncClient) -> None:
    assert (await client.get("/sites/default/telemetry/nothing_w")).status_code == 404
    assert (await client.get("/sites/nowhere/telemetry/grid_w")).status_code == 404
    assert (await client.get("/sites/default/telemetry/grid_w", params={"start": -1})).status_code == 422
    backwards = await client.get("/sites/default/telemetry/grid_w", params={"start": 2_000, "end": 1_000})
    assert (backwards.status_code, backwards.json()["field"]) == (422, "start")


# --- docs ------------------------------------------------------------------------------------------------------------


async def test_the_docs_need_no_other_host(client: AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{asset}" in page
        assert (await client.get(f"/docs/assets/{asset}")).status_code == 200


async def test_the_live_page_needs_no_other_host(client: AsyncClient) -> None:
    for name in ("/ui", "/ui/", "/ui/board.js", "/ui/board.css"):
        answer = await client.get(name)
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org/", "")
        assert "https://" not in answer.text
    assert (await client.get("/ui/secrets.txt")).status_code == 404


async def test_health_is_told(client: AsyncClient) -> None:
    for path in ("/health", "/api/v1/health", "/health/"):
        health = (await client.get(path)).json()
        assert (health["status"], health["sites"]) == ("ok", 1)


async def health_of(client: AsyncClient) -> tuple[int, str, str]:
    answer = await client.get("/health")
    told = answer.json()
    return answer.status_code, told["status"], told.get("reason", "")


async def test_while_nothing_can_be_written_the_bench_is_degraded_and_then_well_again(tmp_path: Path) -> None:
    car = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": 150}
    async with a_bench(tmp_path) as client:
        with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as disk:
            for name, change in (("a", "INSERT ON journal"), ("b", "UPDATE ON tenures")):
                disk.execute(f"CREATE TRIGGER {name} BEFORE {change} BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
            assert await health_of(client) == (200, "ok", "")  # nobody has noticed yet
            assert (await client.post("/sessions", json=car)).status_code == 503
            for _ in range(2):
                status, word, reason = await health_of(client)
                assert (status, word) == (503, "degraded")
                assert "disk is full" in reason
            disk.executescript("DROP TRIGGER a; DROP TRIGGER b")
        assert await health_of(client) == (200, "ok", "")
        assert (await client.post("/sessions", json=car)).status_code == 201


async def test_a_disk_that_is_full_is_noticed_by_health_too(tmp_path: Path) -> None:
    car = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": 150}
    async with a_bench(tmp_path) as client:
        most = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:  # no file of this process may grow beyond what the store's log has
            resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "live.db-wal").stat().st_size, most[1]))
            assert (await client.post("/sessions", json=car)).status_code == 503
            assert (await health_of(client))[:2] == (503, "degraded")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, most)
        assert await health_of(client) == (200, "ok", "")
        assert (await client.post("/sessions", json=car)).status_code == 201


# --- trust -----------------------------------------------------------------------------------------------------------


async def test_with_a_token_only_health_is_open(tmp_path: Path) -> None:
    async with a_bench(tmp_path, token="s3cret") as client:
        assert (await client.get("/health")).status_code == 200
        for path in ("/", "/station/status", "/docs", "/openapi.json", "/ui", "/nothing", "/sites/default/events"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        for wrong in ("Bearer wrong", "Bearer", "Basic s3cret", "Bearer s3cretx", "Bearer é"):
            sent = {b"Authorization": wrong.encode("latin-1")}
            assert (await client.get("/station/status", headers=sent)).status_code == 401
        right = {"Authorization": "Bearer s3cret"}
        assert (await client.get("/station/status", headers=right)).status_code == 200
        assert (await client.get("/openapi.json", headers=right)).json()["security"] == [{"token": []}]


async def test_a_browser_that_brings_the_token_once_is_known_until_it_is_closed(tmp_path: Path) -> None:
    async with a_bench(tmp_path, token="s3cr&t") as client:
        for wrong in ("/ui?token=", "/ui?token=s3cr", "/ui?token=s3cr%26t%FF", "/ui/board.js?token=s3cr%26t", "/ui"):
            assert (await client.get(wrong)).status_code == 401
        for page in ("/ui", "/docs", "/ui/"):
            client.cookies.clear()
            welcome = await client.get(page, params={"token": "s3cr&t"})
            assert f"url={page.rstrip('/')}" in welcome.text
            assert "s3cr" not in welcome.text + str(welcome.headers)
            cookie = welcome.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
            assert "expires" not in cookie
            assert "max-age" not in cookie
            for path in ("/ui", "/ui/board.js", "/docs", "/openapi.json", "/sites", "/station/status"):
                assert (await client.get(path)).status_code == 200
    async with a_bench(tmp_path, token="another") as another:
        another.cookies = client.cookies
        assert (await another.get("/ui")).status_code == 401


async def test_by_its_pass_alone_a_browser_changes_things_only_from_our_own_page(tmp_path: Path) -> None:
    async with a_bench(tmp_path, token="s3cret") as client:
        await client.get("/ui", params={"token": "s3cret"})
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:81"}):
            assert (await client.post("/station/recompute", headers=headers)).status_code == 403
        ours = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/station/recompute", headers=ours)).status_code == 200
        assert (
            await client.post("/station/recompute", headers=ours | {"Sec-Fetch-Site": "same-site"})
        ).status_code == 403
        client.cookies.clear()
        assert (await client.post("/station/recompute", headers=ours)).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil", ""])
async def test_a_rebound_name_is_refused(client: AsyncClient, host: str) -> None:
    assert (await client.get("/station/status", headers={"Host": host})).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"])
async def test_this_machine_is_known_by_its_names(client: AsyncClient, host: str) -> None:
    assert (await client.get("/station/status", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_from_elsewhere_changes_nothing(client: AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/start_session/?chargerId=CP001&connectorId=1&powerCapacity=50", headers=headers)
    assert answer.status_code == 403
    assert (await client.get("/station/load-summary")).json()["sessions"] == 0


async def test_our_own_page_may(client: AsyncClient) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/station/recompute", headers=headers)).status_code == 200


async def test_a_large_body_is_not_read(client: AsyncClient) -> None:
    answer = await client.post("/station/config", content=b" " * (1 << 20) + b"{}")
    assert (answer.status_code, answer.json()["status"]) == (413, 413)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    for path in ("/station/config", "/sessions"):
        answer = await client.post(path, content=endless())
        assert (answer.status_code, answer.json()["status"]) == (413, 413)


@pytest.mark.parametrize(("bytes", "status"), [(3 << 20, 503), (5 << 20, 413)])
async def test_a_simulation_may_be_larger_for_its_profile(client: AsyncClient, bytes: int, status: int) -> None:
    answer = await client.post("/simulations", content=b" " * bytes)  # no cells are simulated here
    assert answer.status_code == status


def test_an_open_door_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(InvalidInput, match="token"):
            trust_for(host, None)
        assert trust_for(host, "s3cret").token == "s3cret"
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"))


@pytest.mark.parametrize("token", ["", " x", "x ", "x\n", "é"])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="token"):
        trust_for("127.0.0.1", token)


@pytest.mark.parametrize("path", ["/sites/%00", "/sessions/a%00b", "/sites/default/history?before=1,%00"])
async def test_a_nul_is_in_no_name(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 400


async def test_a_wrong_method_learns_the_right_ones(client: AsyncClient) -> None:
    for path, methods in (("/station/config", "GET, POST"), ("/sites/default", "DELETE, GET, PUT"), ("/health", "GET")):
        answer = await client.patch(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
