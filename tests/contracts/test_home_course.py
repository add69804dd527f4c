"""The course's behaviour sheet, value by value, over a real socket: bodies to the byte, headers, errors, ticks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.homes import JSON, Station, a_home_station
from voltbench.running.home.model import HomeModel

ON, OFF, RESET = '{"charging": "on"}', '{"charging": "off"}', '{"discharging": "on"}'

PRICES = (
    "[85.28, 70.86, 68.01, 67.95, 68.01, 85.04, 87.86, 100.26, 118.45, 116.61, 105.93, 91.95, "
    "90.51, 90.34, 90.8, 88.85, 90.39, 99.03, 87.11, 82.9, 80.45, 76.48, 32.0, 34.29]"
)
LOADS = (
    "[0.88, 0.77, 2.2, 1.98, 2.75, 3.85, 4.51, 3.74, 3.85, 4.4, 4.73, 6.16, "
    "4.62, 3.74, 3.52, 3.63, 5.83, 11.0, 8.91, 6.05, 4.29, 2.64, 1.87, 0.99]"
)
AT_START = (
    '{"sim_time_hour": 0, "sim_time_min": 0, "base_current_load": 0.88, "battery_capacity_kWh": 9.26, '
    '"ev_battery_charge_start_stopp": false}'
)
COURSE_ROUTES = ("/info", "/baseload", "/priceperhour", "/charge", "/discharge")
ALL_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    async with a_home_station() as station:
        yield station


# --- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/homes/default"])
async def test_the_bodies_to_the_byte(station: Station, prefix: str):
    assert await station.get(f"{prefix}/info") == AT_START
    assert await station.get(f"{prefix}/baseload") == LOADS
    assert await station.get(f"{prefix}/priceperhour") == PRICES
    assert await station.get(f"{prefix}/charge") == "20"
    told = '{"message":"This is a GET request. Use POST to reset the battery."}'
    assert await station.get(f"{prefix}/discharge") == told
    for path, body in (("/charge", ON), ("/charge", OFF), ("/discharge", RESET)):
        said = await station.post(prefix + path, body)
        assert (said.status, said.body.decode(), said.headers["content-type"]) == (200, body, JSON)


async def test_the_front_door_tells_the_energy(station: Station):
    said = await station.ask("GET", "/")
    assert (said.status, said.body, said.headers["content-type"]) == (200, b"9.26", JSON)


async def test_an_hour_of_the_day_takes_four_seconds(station: Station):
    await station.post("/charge", ON)
    seen = []
    for second in range(1, 9):
        station.seconds = second
        info = json.loads(await station.get("/info"))
        seen.append((info["sim_time_hour"], info["sim_time_min"], info["base_current_load"]))
    assert seen[:3] == [(0, 15, 2.73), (0, 30, 4.58), (0, 45, 6.43)]
    assert seen[3:] == [(1, 0, 2.62), (1, 15, 4.47), (1, 30, 6.32), (1, 45, 8.17), (2, 0, 4.05)]
    station.seconds = 96.0
    assert json.loads(await station.get("/info"))["sim_time_hour"] == 0


async def test_each_second_brings_a_portion(station: Station):
    await station.post("/charge", ON)
    seen = []
    for second in range(1, 25):
        station.seconds = second
        seen.append(await station.get("/charge"))
    assert seen[:4] == ["24.0", "27.99", "31.99", "35.98"]
    assert seen[14:] == ["79.94", "83.93", "87.93", "91.92", "95.92", "99.91", "103.91", "107.9", "111.9", "111.9"]
    assert await station.get("/") == "51.81"


async def test_a_reset_is_a_new_start_in_a_running_hour(station: Station):
    await station.post("/charge", ON)
    station.seconds = 10.5
    await station.post("/discharge", RESET)
    assert await station.get("/info") == AT_START
    assert await station.get("/charge") == "20"
    station.seconds = 12.0
    assert json.loads(await station.get("/info"))["sim_time_hour"] == 1


async def test_another_speed_changes_nothing_else():
    async with a_home_station(HomeModel(speed=9_000.0)) as station:
        await station.post("/charge", ON)
        station.seconds = 1.5
        assert await station.get("/charge") == "79.94"


# --- slashes, methods, headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["//info", "/info/", "//homes//default//info", "///info"])
async def test_slashes_may_be_doubled(station: Station, path: str):
    assert await station.get(path) == AT_START


@pytest.mark.parametrize("path", COURSE_ROUTES)
async def test_who_asks_without_an_origin_hears_that_all_may_come(station: Station, path: str):
    said = await station.ask("GET", path)
    assert said.headers["access-control-allow-origin"] == "*"
    assert "vary" not in said.headers
    assert said.headers["content-type"] == JSON
    assert said.headers.get("access-control-allow-orogin") == ("*" if path == "/info" else None)


@pytest.mark.parametrize("path", [*COURSE_ROUTES, "/"])
async def test_an_origin_is_told_that_it_may(station: Station, path: str):
    said = await station.ask("GET", path, origin="http://page.example:8080")
    assert said.headers["access-control-allow-origin"] == "http://page.example:8080"
    assert said.headers["vary"] == "Origin"


@pytest.mark.parametrize("path", [*COURSE_ROUTES, "//charge", "/homes/any/charge"])
async def test_a_preflight_allows_every_method_and_header(station: Station, path: str):
    said = await station.ask(
        "OPTIONS",
        path,
        origin="http://page.example",
        access_control_request_method="POST",
        access_control_request_headers="content-type",
    )
    assert (said.status, said.body) == (200, b"")
    assert said.headers["access-control-allow-origin"] == "http://page.example"
    assert said.headers["access-control-allow-headers"] == "content-type"
    assert said.headers["access-control-allow-methods"] == ALL_METHODS
    assert ("POST" in said.headers["allow"]) == path.endswith("charge")


async def test_a_page_of_another_origin_charges_the_car(station: Station):
    said = await station.ask(
        "POST", "/charge", ON.encode(), content_type=JSON, origin="http://page.example", sec_fetch_site="cross-site"
    )
    assert (said.status, said.headers["access-control-allow-origin"]) == (200, "http://page.example")
    assert json.loads(await station.get("/info"))["ev_battery_charge_start_stopp"] is True


async def test_the_head_of_info_is_that_of_an_error(station: Station):
    said = await station.ask("HEAD", "/info")
    assert (said.status, said.body) == (200, b"")
    assert said.headers["content-length"] == str(len('{"error":"Unsupported HTTP method"}'))


@pytest.mark.parametrize(("method", "path"), [("PUT", "/charge"), ("DELETE", "/info"), ("POST", "/info")])
async def test_other_methods_are_not_possible(station: Station, method: str, path: str):
    said = await station.ask(method, path, b"{}", content_type=JSON)
    assert said.status == 405
    assert "GET" in said.headers["allow"]
    assert said.headers["access-control-allow-origin"] == "*"


async def test_elsewhere_there_is_nothing(station: Station):
    said = await station.ask("GET", "/nothing")
    assert (said.status, json.loads(said.body)["status"]) == (404, 404)
    assert "access-control-allow-origin" not in said.headers


# --- bodies that cannot be read --------------------------------------------------------------------------------------

UNSUPPORTED = (
    '{"error":"415 Unsupported Media Type: Did not attempt to load JSON data because the request Content-Type was not '
    "'application/json'.\"}"
)
UNREADABLE = '{"error":"400 Bad Request: The browser (or proxy) sent a request that this server could not understand."}'


@pytest.mark.parametrize("path", ["/charge", "/discharge"])
@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [
        (ON, None, UNSUPPORTED),
        (ON, "text/plain", UNSUPPORTED),
        ("charging=on", "application/x-www-form-urlencoded", UNSUPPORTED),
        ("{", JSON, UNREADABLE),
        ("", JSON, UNREADABLE),
        ("[" * 100_000, JSON, UNREADABLE),
        ("[]", JSON, "{\"error\":\"'list' object has no attribute 'get'\"}"),
        ('"on"', JSON, "{\"error\":\"'str' object has no attribute 'get'\"}"),
        ("null", JSON, "{\"error\":\"'NoneType' object has no attribute 'get'\"}"),
    ],
)
async def test_errors_that_the_original_tells_with_success(
    station: Station, path: str, body: str, kind: str | None, answer: str
):
    said = await station.post(path, body, kind)
    assert (said.status, said.body.decode(), said.headers["content-type"]) == (200, answer, JSON)
    assert await station.get("/info") == AT_START


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
async def test_json_by_other_names(station: Station, kind: str):
    assert (await station.post("/charge", ON, kind)).body.decode() == ON


@pytest.mark.parametrize(
    ("path", "body", "field", "found"),
    [
        ("/charge", '{"charging": "maybe"}', "charging", "maybe"),
        ("/charge", '{"charging": true}', "charging", True),
        ("/charge", '{"charging": null}', "charging", "null"),
        ("/charge", '{"charging": ["on"]}', "charging", "['on']"),
        ("/charge", "{}", "charging", None),
        ("/discharge", '{"discharging": "off"}', "discharging", "off"),
        ("/discharge", "{}", "discharging", None),
    ],
)
async def test_where_the_original_broke_down_it_is_said_what_is_wrong(
    station: Station, path: str, body: str, field: str, found: object
):
    said = await station.post(path, body)
    problem = json.loads(said.body)
    assert (said.status, said.headers["content-type"]) == (422, "application/problem+json")
    assert (problem["field"], problem.get("found")) == (field, found)
    assert '"on"' in problem["allowed"]
    assert await station.get("/info") == AT_START


# --- with a token ----------------------------------------------------------------------------------------------------


async def test_a_page_has_to_show_the_token_itself():
    async with a_home_station(token="secret") as station:
        page = {"origin": "http://page.example", "content_type": JSON}
        preflight = await station.ask("OPTIONS", "/charge", origin="http://page.example")
        refused = await station.ask("POST", "/charge", ON.encode(), **page)
        allowed = await station.ask("POST", "/charge", ON.encode(), authorization="Bearer secret", **page)
    assert [preflight.status, refused.status, allowed.status] == [200, 401, 200]
    assert refused.headers["access-control-allow-origin"] == "http://page.example"


async def test_a_pass_that_a_browser_shows_by_itself_changes_nothing_for_a_page_of_another_origin():
    """Another port of this machine is the same site to a browser, which then sends the cookie."""
    async with a_home_station(token="secret") as station:
        welcome = await station.ask("GET", "/docs?token=secret")
        shown = welcome.headers["set-cookie"].split(";")[0]
        own = {"origin": f"http://{station.address[0]}:{station.address[1]}", "cookie": shown, "content_type": JSON}
        foreign = own | {"origin": "http://127.0.0.1:1", "sec_fetch_site": "same-site"}
        assert (await station.ask("POST", "/charge", ON.encode(), **foreign)).status == 401
        assert (await station.ask("POST", "/charge", ON.encode(), **own)).status == 200
