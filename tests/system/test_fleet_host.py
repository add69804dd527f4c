"""Stations on one host: what they send is kept before, what has come is heard in time, and nobody stops the others."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.csms_live import a_csms_process, soon
from tests.databases import a_full_disk
from tests.ocpp16 import AC_22, NoNotary, an_ac_car
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import StationHost
from voltbench.adapters.ocpp_station.line import Address
from voltbench.adapters.ocpp_station.memory import Memory
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.shelter import Sheltered
from voltbench.adapters.ocpp_station.tally import Tally
from voltbench.adapters.ocpp_station.transfers import Transfers
from voltbench.apps.station_choices import MEMORY_FILE, StationChoices, Stations
from voltbench.clock import ScaledClock, wall_instant
from voltbench.engine import World
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import Instant, rfc3339

ACCEPTED = {"status": "Accepted", "currentTime": "2026-03-02T00:00:00Z", "interval": 300}


async def until(holds: Callable[[], object]) -> None:
    async def look() -> bool | None:
        return True if holds() else None

    await soon(look)


# --- first it is kept, then it is sent --------------------------------------------------------------------------------


async def test_what_cannot_be_kept_is_not_sent_and_is_sent_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("voltbench.adapters.ocpp_station.host.AGAIN_S", 0.05)
    with a_csms_process(tmp_path, "--unknown-tokens", "accepted") as csms:
        choices = StationChoices(csms.url, "alfen-eve-double-pro", data=tmp_path / "kept")
        stations = Stations(choices, Catalog())
        one = stations.add("CP1")
        async with httpx.AsyncClient(base_url=csms.api) as client:

            async def known() -> list[Any] | None:
                return (await client.get("/csms/transactions?state=open")).json()["transactions"] or None

            async def is_preparing() -> bool | None:
                told = (await client.get("/csms/stations/CP1")).json()["connectors"]
                return {one["connector_id"]: one["status"] for one in told}.get(1) == "Preparing" or None

            tally = stations.host.tally
            await until(lambda: one.station.is_accepted)
            one.do(lambda station, now: station.plug_in(now, 1, an_ac_car()))
            await soon(is_preparing)
            await until(lambda: tally.frames_in == tally.frames_out)
            before = tally.frames_out
            with a_full_disk(tmp_path / "kept" / "stations.db-wal"):
                one.do(lambda station, now: station.present(now, "TAG", 1))
                await until(lambda: caplog.text.count("cannot keep what it must") >= 5)
                assert tally.frames_out == before + 1  # who shows a tag is asked for; what comes of it is to be kept
                assert await known() is None
            assert [found["id_token"] for found in await soon(known)] == ["TAG"]
        await stations.host.close()


# --- what has come is heard -------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_csms(answer: Callable[[str], dict[str, Any]]) -> AsyncIterator[str]:
    """A CSMS that answers each action with a payload: where it is."""

    async def listen(connection: ServerConnection) -> None:
        async for frame in connection:
            _, id, action, _ = json.loads(frame)
            await connection.send(json.dumps([3, id, answer(action)]))

    async with serving(listen) as url:
        yield url


@asynccontextmanager
async def serving(listen: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A server of OCPP 1.6: where it is."""
    async with serve(listen, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], close_timeout=0.05) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def a_host(clock: ScaledClock) -> StationHost:
    return StationHost(clock, PicowsDialler(), None, Transfers())


def a_station(host: StationHost, id: str, kind: type[Station] = Station) -> Station:
    numbers = iter(range(1_000_000))
    return kind(host.world.now, Identity(id), AC_22, NoNotary(), new_id=lambda: f"m{next(numbers)}", chance=lambda: 0.5)


async def test_an_answer_that_has_come_is_heard_before_it_is_missed():
    wall_s = 0.0

    def answer_while_the_machine_is_busy(action: str) -> dict[str, Any]:
        nonlocal wall_s
        wall_s += 60.0
        return ACCEPTED if action == "BootNotification" else {}

    async with a_csms(answer_while_the_machine_is_busy) as url:
        host = a_host(ScaledClock(wall_instant(), monotonic=lambda: wall_s))
        one = host.add(a_station(host, "CP1"), lambda _: Address(f"{url}/CP1", "ocpp1.6"))
        await until(lambda: one.station.is_accepted)
        assert one.station.overdue == 0
        await host.close()


async def test_who_is_behind_still_hears_what_comes():
    wall_s, instants = 0.0, list[Instant]()

    async def ask_at_a_heartbeat(connection: ServerConnection) -> None:
        nonlocal wall_s
        async for frame in connection:
            kind, id, *rest = json.loads(frame)
            if kind == 3:
                instants.append(host.world.now)
            elif rest[0] == "BootNotification":
                await connection.send(json.dumps([3, id, ACCEPTED | {"interval": 1}]))
            elif rest[0] == "StatusNotification":
                wall_s = 200_000.0
                await connection.send(json.dumps([3, id, {}]))
            elif not instants:
                await connection.send('[2,"q","ClearCache",{}]')

    async with serving(ask_at_a_heartbeat) as url:
        clock = ScaledClock(wall_instant(), monotonic=lambda: wall_s)
        host = a_host(clock)
        host.add(a_station(host, "CP1"), lambda _: Address(f"{url}/CP1", "ocpp1.6"))
        await until(lambda: instants)
        assert instants[0] < clock.now()
        await host.close()


# --- who comes back ---------------------------------------------------------------------------------------------------


def plug_in(station: Station, now: Instant) -> None:
    station.plug_in(now, 1, an_ac_car())


def break_down(station: Station, now: Instant) -> None:
    station.fail(now, 2, "GroundFailure")


@pytest.mark.parametrize("act", [plug_in, break_down])
async def test_who_lived_faster_than_the_wall_comes_back_no_earlier_than_what_it_has_told(
    tmp_path: Path, act: Callable[[Station, Instant], None]
):
    wall_s, told = 0.0, list[dict[str, Any]]()

    async def listen(connection: ServerConnection) -> None:
        async for frame in connection:
            _, id, action, payload = json.loads(frame)
            told.append(payload)
            await connection.send(json.dumps([3, id, ACCEPTED if action == "BootNotification" else {}]))

    async with serving(listen) as url:
        clock = ScaledClock(wall_instant(), 60.0, lambda: wall_s)
        host = StationHost(clock, PicowsDialler(), Memory(tmp_path / MEMORY_FILE), Transfers())
        one = host.add(a_station(host, "CP1"), lambda _: Address(f"{url}/CP1", "ocpp1.6"))
        await until(lambda: len(told) == 1 + 3)  # it has booted, and told how it is
        wall_s = 60.0
        one.do(act)
        await until(lambda: "timestamp" in told[-1] and len(told) > 1 + 3)
        await host.close()
    again = Stations(StationChoices(url, "easee-home-22", 60.0, data=tmp_path), Catalog())
    assert rfc3339(again.host.now()) >= max(payload.get("timestamp", "") for payload in told) > rfc3339(wall_instant())
    await again.host.close()


# --- who stumbles -----------------------------------------------------------------------------------------------------


class Clumsy(Station):
    """Stumbles the first times it is woken."""

    def wake(self, now: Instant) -> None:
        if (left := STUMBLES.get(self.id, 0)) > 0:
            STUMBLES[self.id] = left - 1
            raise LookupError("over a stone")
        super().wake(now)


STUMBLES: dict[str, int] = {}


async def test_who_stumbles_is_counted_and_goes_on_and_the_others_never_notice(caplog: pytest.LogCaptureFixture):
    STUMBLES["CLUMSY"] = 3
    async with a_csms(lambda action: ACCEPTED if action == "BootNotification" else {}) as url:
        host = a_host(ScaledClock(wall_instant(), 60.0))
        stations = [a_station(host, "CLUMSY", Clumsy), a_station(host, "STEADY")]
        with caplog.at_level(logging.CRITICAL):
            hosted = [host.add(one, lambda one: Address(f"{url}/{one.id}", "ocpp1.6")) for one in stations]
            await until(lambda: all(one.station.is_accepted for one in hosted))
        assert host.tally.stumbles == 3
        await host.close()


class Restless:
    """Wants to be woken again and again, at the same instant."""

    def __init__(self) -> None:
        self.wakeups = 0

    def due(self) -> Instant | None:
        return 0

    def act(self, _now: Instant) -> None:
        self.wakeups += 1


def test_who_keeps_asking_to_be_woken_rests_longer_each_time(caplog: pytest.LogCaptureFixture):
    world, tally, restless = World(0), Tally(), Restless()
    world.add(Sheltered("RESTLESS", world, tally, restless.due, restless.act))
    with caplog.at_level(logging.CRITICAL):
        world.advance(6_999)
    assert tally.stumbles == 3  # at 0, after 1 and after 3 s


async def test_who_cannot_be_dialled_by_a_mistake_of_ours_tries_again(caplog: pytest.LogCaptureFixture):
    async with a_csms(lambda action: ACCEPTED if action == "BootNotification" else {}) as url:
        host = a_host(ScaledClock(wall_instant(), 60.0))
        dialled: list[str] = []

        def address(one: Station) -> Address:
            dialled.append(one.id)
            if len(dialled) == 1:
                raise LookupError("no such key")
            return Address(f"{url}/{one.id}", "ocpp1.6")

        with caplog.at_level(logging.CRITICAL):
            one = host.add(a_station(host, "CP1"), address)
            await until(lambda: one.station.is_accepted)
        assert host.tally.stumbles == 1
        await host.close()
