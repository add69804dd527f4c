"""What the client's side of the network makes of a home station's answers, over a real socket."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from tests.home_proxy import PassOn, answering, behind_a_line, behind_a_proxy
from tests.home_time import on_virtual_time
from tests.homes import Said, a_home_station
from tests.ports import HeldPort
from voltbench.adapters import home_station
from voltbench.adapters.home_station import ANSWER_S, HomeStation
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.running.home.model import COURSE_LOAD_W, COURSE_PRICES, HomeModel
from voltbench.running.home_client.household import Info


def info_with(**other: Any) -> str:
    told = {"sim_time_hour": 0, "sim_time_min": 0, "base_current_load": 1.0, "battery_capacity_kWh": 9.26}
    return json.dumps(told | {"ev_battery_charge_start_stopp": False} | other)


async def test_a_station_is_read_in_watts_and_watt_hours_and_switched():
    async with a_home_station() as home, HomeStation(f"http://{home.address[0]}:{home.address[1]}/") as station:
        assert await station.info() == Info(0, 0, 880.0, 9_260.0, False)
        household = await station.household()
        assert [*household.load_w] == [*COURSE_LOAD_W]
        assert household.price_ore == COURSE_PRICES
        assert await station.battery() == (9_260.0, 0.2)
        await station.switch(True)
        home.seconds += 2
        assert await station.info() == Info(0, 30, 880.0 + 3_700.0, 12_960.0, True)
        await station.switch(False)
        await station.reset()
        assert await station.info() == Info(0, 0, 880.0, 9_260.0, False)


@pytest.mark.parametrize(("ticks", "battery"), [(0, (9_260.0, 0.2)), (1, (11_110.0, 0.24)), (2, (12_960.0, 0.2799))])
async def test_energy_and_percent_are_of_the_same_moment(ticks: int, battery: tuple[float, float]):
    """So many ticks come while the station is asked for its percent."""
    left = ticks

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        nonlocal left
        said = await pass_on()
        if asked == "GET /charge" and left:
            left -= 1
            home.seconds += 1
        return said

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        await station.switch(True)
        assert await station.battery() == battery


async def test_where_it_changes_too_fast_there_is_no_percent():
    async def meddle(_: str, pass_on: PassOn) -> Said:
        home.seconds += 1
        return await pass_on()

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        await station.switch(True)
        assert (await station.battery())[1] == 0.0


async def test_a_token_that_is_missing_or_a_home_that_is_not_there_will_not_go_away():
    async with a_home_station(HomeModel(), token="secret") as home:
        url = f"http://{home.address[0]}:{home.address[1]}"
        async with HomeStation(url) as stranger:
            with pytest.raises(InvalidInput, match="token"):
                await stranger.info()
        async with HomeStation(f"{url}/homes/nowhere", "secret") as station:
            with pytest.raises(NotFound):
                await station.info()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, "<!doctype html><title>500 Internal Server Error</title>", Unavailable),
        (429, "slowly", Unavailable),
        (200, '{"error": "415 Unsupported Media Type: ..."}', RemoteProtocolError),
        (200, "<html>a proxy's own page</html>", RemoteProtocolError),
        (200, "[" * 100_000, RemoteProtocolError),
        (200, "{}", RemoteProtocolError),
        (200, info_with(sim_time_hour="noon"), RemoteProtocolError),
        (200, info_with(base_current_load=float("nan")), RemoteProtocolError),
        (200, info_with(base_current_load=1e9), RemoteProtocolError),
        (200, info_with(battery_capacity_kWh=-9.0), RemoteProtocolError),
        (200, info_with(battery_capacity_kWh=float("inf")), RemoteProtocolError),
        (200, info_with(battery_capacity_kWh=10**400), RemoteProtocolError),
        (405, "<title>405 Method Not Allowed</title>", InvalidInput),
        (302, "", InvalidInput),
    ],
)
async def test_what_may_pass_is_told_apart_from_what_will_not(status: int, body: str, error: type[VoltbenchError]):
    async with answering(status, body) as url, HomeStation(url) as station:
        with pytest.raises(error):
            await station.info()


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("GET /charge", "9260"),
        ("GET /charge", "120.01"),
        ("GET /charge", "-1"),
        ("GET /charge", "Infinity"),
        ("GET /charge", "1e999"),
        ("GET /charge", "true"),
        ("GET /baseload", "[]"),
        ("GET /baseload", json.dumps([1e9] * 24)),
        ("GET /priceperhour", json.dumps([50.0] * 22)),
        ("GET /priceperhour", json.dumps([50.0] * 23 + [float("nan")])),
        ("GET /priceperhour", json.dumps([50.0] * 23 + [1e300])),
    ],
)
async def test_figures_that_no_home_has_are_no_answer(question: str, words: str):
    async def meddle(asked: str, pass_on: PassOn) -> Said:
        return Said(200, {}, words.encode()) if asked == question else await pass_on()

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        with pytest.raises(RemoteProtocolError):
            await (station.battery() if question == "GET /charge" else station.household())


async def test_the_course_charges_to_more_than_100_percent_and_is_believed():
    async with a_home_station() as home, HomeStation(f"http://{home.address[0]}:{home.address[1]}") as station:
        await station.switch(True)
        home.seconds += 40
        assert await station.battery() == (51_810.0, 1.119)


async def test_an_answer_without_end_is_not_read_to_its_end():
    """A station that goes on and on is left as soon as it has said too much."""
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        with suppress(OSError):
            while sent < 64 * home_station.LARGEST_ANSWER:
                writer.write(b" " * 65_536)
                await writer.drain()
                sent += 65_536
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        async with HomeStation(f"http://{host}:{port}") as station:
            with pytest.raises(RemoteProtocolError, match="more than"):
                await station.info()
    assert sent < 32 * home_station.LARGEST_ANSWER


async def test_fields_beside_the_five_do_no_harm():
    async with answering(200, info_with(weather="rain")) as url, HomeStation(url) as station:
        assert (await station.info()).energy_wh == 9_260.0


async def test_nobody_there_is_unavailable():
    with HeldPort() as port:
        async with HomeStation(f"http://127.0.0.1:{port.number}") as station:
            with pytest.raises(Unavailable):
                await station.switch(False)


@on_virtual_time
async def test_an_answer_may_take_longer_once_one_was_not_waited_for():
    async def meddle(asked: str, pass_on: PassOn) -> Said:
        await asyncio.sleep(1.5 * ANSWER_S)
        return await pass_on()

    async with behind_a_line(meddle) as (_, station):
        with pytest.raises(Unavailable, match="did not answer within"):
            await station.info()
        assert (await station.info()).energy_wh == 9_260.0
