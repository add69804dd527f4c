"""What the client's side of the network makes of a home station's answers, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.homes import a_home_station
from voltbench.adapters.home_charging import HomeCharging
from voltbench.adapters.home_station import HomeStation
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.running.home.plan import COURSE_LOAD_W, COURSE_PRICES, HomePlan
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.household import Info
from voltbench.running.home_client.wishes import Wishes


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[str]:
    """A server that always says the same; where it is."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


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


async def test_a_token_that_is_missing_or_a_home_that_is_not_there_will_not_go_away():
    async with a_home_station(HomePlan(), token="secret") as home:
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
        (405, "<title>405 Method Not Allowed</title>", InvalidInput),
        (302, "", InvalidInput),
    ],
)
async def test_what_may_pass_is_told_apart_from_what_will_not(status: int, body: str, error: type[VoltbenchError]):
    async with answering(status, body) as url, HomeStation(url) as station:
        with pytest.raises(error):
            await station.info()


async def test_fields_beside_the_five_do_no_harm():
    async with answering(200, info_with(weather="rain")) as url, HomeStation(url) as station:
        assert (await station.info()).energy_wh == 9_260.0


async def test_nobody_there_is_unavailable():
    async with answering(200, "") as url:
        pass
    async with HomeStation(url) as station:
        with pytest.raises(Unavailable):
            await station.switch(False)


async def test_stopped_before_it_began_it_switches_off_what_it_finds():
    async with a_home_station() as home, HomeStation(f"http://{home.address[0]}:{home.address[1]}") as station:
        await station.switch(True)
        stop = asyncio.Event()
        stop.set()
        charging = HomeCharging(ChargingClient(Wishes()), station, stop, print)
        await charging.live()
        assert charging.left_off
        assert not (await station.info()).is_on


async def test_an_error_of_ours_leaves_the_charger_off():
    async with a_home_station() as home, HomeStation(f"http://{home.address[0]}:{home.address[1]}") as station:
        await station.switch(True)

        def stumble(_: str) -> None:
            raise ZeroDivisionError

        charging = HomeCharging(ChargingClient(Wishes()), station, asyncio.Event(), stumble)
        with pytest.raises(ZeroDivisionError):
            await charging.live()
        assert charging.left_off
        assert not (await station.info()).is_on
