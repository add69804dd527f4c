"""A charging client at a station, over a real socket: whatever goes wrong, the charger is off at the end.

Where it matters when something happens, there is no socket, and time is virtual.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.home_proxy import OFF, ON, PassOn, answering, behind_a_line, behind_a_proxy
from tests.home_time import loop_seconds, on_virtual_time
from tests.homes import Said, Station, a_home_station
from tests.waiting import DEADLINE_S
from voltbench.adapters import home_charging, home_station
from voltbench.adapters.home_charging import ECHO_S, HomeCharging, back_off_s
from voltbench.adapters.home_station import HomeStation
from voltbench.errors import InvalidInput, RemoteProtocolError
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.wishes import Mode, Wishes

AT_ONCE = Wishes(Mode.NOW, fuse_w=30_000.0)


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


@pytest.mark.parametrize("is_silent", [True, False])
@on_virtual_time
async def test_who_says_nothing_any_more_hears_off_before_the_target_is_passed(
    is_silent: bool, monkeypatch: pytest.MonkeyPatch
):
    """The station does what it hears, and its answers are lost; nobody gives a question up before an "off" is due.

    Or its answers make no sense, and one pauses between questions.
    """
    for module, name in (
        (home_station, "ANSWER_S"),
        (home_charging, "FIRST_PAUSE_S"),
        (home_charging, "LONGEST_PAUSE_OFF_S"),
    ):
        monkeypatch.setattr(module, name, 600.0)
    silent, heard_off, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        said = await pass_on()
        if asked == "GET /info" and json.loads(said.body)["battery_capacity_kWh"] > 20.0:
            silent.set()
        if asked == OFF and silent.is_set():
            heard_off.set()
        if silent.is_set() and is_silent:
            await over.wait()
        return said if over.is_set() or not silent.is_set() else Said(502, {}, b"not now")

    async with behind_a_line(meddle) as (home, station):
        stop = asyncio.Event()
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print, seconds=loop_seconds())
        living = asyncio.create_task(charging.live())
        await heard_off.wait()
        soc = float(await home.get("/charge"))
        stop.set()
        over.set()
        monkeypatch.undo()
        await living
        assert charging.left_off
    assert soc == 79.94  # the target, to a portion


async def test_told_to_stop_it_waits_for_no_answer_but_that_to_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(home_station, "ANSWER_S", 600.0)
    stop = asyncio.Event()

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        if asked == "GET /info" and not stop.is_set() and await charges(home):
            stop.set()
            await asyncio.Event().wait()
        return await pass_on()

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print)
        await asyncio.wait_for(charging.live(), DEADLINE_S)
        assert charging.left_off
        assert not await charges(home)


async def test_a_station_that_does_as_it_is_told_and_does_not_say_so_is_off():
    stop = asyncio.Event()

    async def meddle(asked: str, pass_on: PassOn) -> Said | None:
        said = await pass_on()
        if asked == ON:
            stop.set()
        return None if asked in (ON, OFF) else said

    async with a_home_station() as home, behind_a_proxy(home, meddle) as station:
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print)
        await asyncio.wait_for(charging.live(), DEADLINE_S)
        assert charging.left_off
        assert not await charges(home)


@on_virtual_time
async def test_an_on_that_is_heard_late_is_heard_of():
    """It was given up when somebody said stop; the station hears it after the first "off"."""
    stop, has_heard = asyncio.Event(), asyncio.Event()

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        if asked == ON:
            stop.set()
            await asyncio.sleep(0.9 * ECHO_S)
            has_heard.set()
        return await pass_on()

    async with behind_a_line(meddle) as (home, station):
        charging = HomeCharging(ChargingClient(AT_ONCE), station, stop, print, seconds=loop_seconds())
        await charging.live()
        assert has_heard.is_set()
        assert charging.left_off
        assert not await charges(home)


@on_virtual_time
async def test_an_on_that_was_waited_for_is_reckoned_with_as_long_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(home_station, "ANSWER_S", 0.3)
    stop, has_heard = asyncio.Event(), asyncio.Event()

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        if asked == ON:
            await asyncio.sleep(0.35)
            stop.set()
            await asyncio.sleep(0.6)
            has_heard.set()
        return await pass_on()

    async with behind_a_line(meddle) as (home, station):
        await HomeCharging(ChargingClient(AT_ONCE), station, stop, print, seconds=loop_seconds()).live()
        assert has_heard.is_set()
        assert not await charges(home)


@on_virtual_time
async def test_who_is_lost_twice_is_found_twice():
    said = list[str]()
    stop, answers = asyncio.Event(), iter([200] * 6 + [502] * 9 + [200] * 4 + [502] * 9 + [200] * 4)

    async def meddle(asked: str, pass_on: PassOn) -> Said:
        status = next(answers, None) if asked == "GET /info" else 200
        if status is None:
            stop.set()
        return Said(502, {}, b"not now") if status == 502 else await pass_on()

    async with behind_a_line(meddle) as (_, station):
        await HomeCharging(ChargingClient(Wishes()), station, stop, said.append, seconds=loop_seconds()).live()
    told = [words for line in said for words in ("trying again", "answers again") if words in line]
    assert told == ["trying again", "answers again"] * 2


@pytest.mark.parametrize(
    ("attempt", "longest_s", "chance", "pause_s"),
    [
        (0, 5.0, 1.0, 0.1),
        (0, 5.0, 0.0, 0.05),
        (3, 5.0, 1.0, 0.8),
        (3, 0.5, 1.0, 0.5),
        (9, 5.0, 0.5, 3.75),
        (9_999, 5, 1, 5),
    ],
)
def test_pauses_grow_up_to_a_longest_and_are_half_a_matter_of_chance(
    attempt: int, longest_s: float, chance: float, pause_s: float
):
    assert back_off_s(attempt, longest_s, chance) == pytest.approx(pause_s)


@on_virtual_time
async def test_a_clock_that_stands_still_is_an_error_and_the_charger_is_off():
    async def meddle(_: str, pass_on: PassOn) -> Said:
        return await pass_on()

    async with behind_a_line(meddle) as (home, station):
        home.stands_at_s = loop_seconds()() + 5.2
        client = ChargingClient(AT_ONCE)
        charging = HomeCharging(client, station, asyncio.Event(), print, patience_s=0.1, seconds=loop_seconds())
        with pytest.raises(RemoteProtocolError, match="has stood still at 01:15"):
            await charging.live()
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
