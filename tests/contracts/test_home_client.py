"""What the client's side of the network makes of a home station's answers, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.homes import JSON, Said, Station, a_home_station
from voltbench.adapters.home_charging import HomeCharging
from voltbench.adapters.home_station import HomeStation
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.running.home.plan import COURSE_LOAD_W, COURSE_PRICES, HomePlan
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.household import Info
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.wishes import Mode, Wishes


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


PassOn = Callable[[], Awaitable[Said]]
AT_ONCE = Wishes(Mode.NOW, fuse_w=30_000.0)
ON, OFF = 'POST /charge {"charging":"on"}', 'POST /charge {"charging":"off"}'


@asynccontextmanager
async def behind_a_proxy(
    home: Station, meddle: Callable[[str, PassOn], Awaitable[Said | None]]
) -> AsyncIterator[HomeStation]:
    """A station behind a proxy: what is asked is answered by `meddle`, which may pass it on; None is silence."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:-1])
        body = await reader.readexactly(int(lines.get("content-length", 0)))

        async def pass_on() -> Said:
            return await home.ask(method, path, body or None, content_type=JSON)

        said = await meddle(f"{method} {path} {body.decode()}".strip(), pass_on)
        if said is not None:
            length = f"content-length: {len(said.body)}\r\nconnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {said.status} Whatever\r\n{length}".encode() + said.body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        async with HomeStation(f"http://{host}:{port}") as station:
            yield station


def at_24(said: Said) -> Said:
    return said._replace(body=json.dumps(json.loads(said.body) | {"sim_time_hour": 24}).encode())


async def charges(home: Station) -> bool:
    told: bool = json.loads(await home.get("/info"))["ev_battery_charge_start_stopp"]
    return told


async def test_on_was_never_answered_and_yet_it_is_patient_until_the_charger_is_off():
    stop, stumbles = asyncio.Event(), [502] * 3

    async def meddle(asked: str, pass_on: PassOn) -> Said | None:
        if asked == OFF and stumbles:
            return Said(stumbles.pop(), {}, b"not now")
        said = await pass_on()
        if asked == ON:
            stop.set()
            return None
        return said

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print, patience_s=30.0)
        await charging.live()
        assert not stumbles
        assert charging.left_off
        assert not await charges(home)


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_proxy_that_refuses_once_is_no_reason_to_leave_the_charger_on(status: int):
    stop, refusals = asyncio.Event(), [status]

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        if asked == OFF and refusals:
            return Said(refusals.pop(), {}, b"not this way")
        said = await pass_on()
        if asked == ON:
            stop.set()
        return said

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print, patience_s=30.0)
        await charging.live()
        assert not refusals
        assert charging.left_off
        assert not await charges(home)


async def test_a_station_that_refuses_from_the_start_is_not_waited_for():
    async with answering(403, "") as url, HomeStation(url) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, asyncio.Event(), print, patience_s=86_400.0)
        with pytest.raises(InvalidInput, match="token"):
            await charging.live()
        assert not charging.left_off


async def test_a_clock_that_shows_24_hides_nothing_of_a_charger_that_is_off():
    stop, asked_before = asyncio.Event(), set[str]()

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        asked_before.add(asked)
        if asked == ON:
            stop.set()
        said = await pass_on()
        return at_24(said) if OFF in asked_before and asked == "GET /info" else said

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print, patience_s=0.0)
        await charging.live()
        assert charging.was_stopped
        assert charging.left_off
        assert not await charges(home)


async def test_a_clock_that_never_showed_a_time_is_an_error_and_no_report():
    async with a_home_station() as home:

        async def meddle(asked: str, pass_on: PassOn) -> Said:
            said = await pass_on()
            return at_24(said) if asked == "GET /info" else said

        async with behind_a_proxy(home, meddle) as station:
            client = ChargingClient(AT_ONCE)
            charging = HomeCharging(client, station, asyncio.Event(), print, patience_s=0.0)
            with pytest.raises(RemoteProtocolError, match="24:00"):
                await charging.live()
            assert charging.left_off
            assert report_on(client, station.url, "failed", charging.left_off) is None
