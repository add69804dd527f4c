"""The energy manager drives stations over real sockets, also while they drop off and return, and after a `kill -9`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.csms_live import soon
from tests.yard import GRID_W, a_yard
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import MS_PER_SECOND, Instant

THIRD_W, HALF_W = GRID_W / 3, GRID_W / 2
NEARLY_W = 70.0


async def test_measured_power_never_breaks_the_limit_while_stations_drop_off_and_return(tmp_path: Path) -> None:
    async with a_yard(tmp_path) as yard, httpx.AsyncClient(base_url=yard.csms.api) as client:
        for number in range(3):
            yard.charge(number)
        await yard.until(lambda powers: min(powers) > THIRD_W - NEARLY_W)
        told = (await client.get("/csms/site")).json()
        assert told["grid_power_w"] <= GRID_W
        assert {c["connectors"][0]["session"]["binding"] for c in told["chargers"]} == {"grid"}
        yard.drop(0)
        await yard.until(lambda powers: powers[0] == 0.0 and min(powers[1:]) > HALF_W - NEARLY_W)
        yard.closed.clear()
        await yard.until(lambda powers: min(powers) > THIRD_W - NEARLY_W)


async def test_after_a_kill_limits_go_on_and_who_stays_away_keeps_its_share_until_it_ends(tmp_path: Path) -> None:
    async with a_yard(tmp_path, validity_s=20) as yard, httpx.AsyncClient(base_url=yard.csms.api) as client:
        for number in range(3):
            yard.charge(number)
        await yard.until(lambda powers: min(powers) > THIRD_W - NEARLY_W)
        ends = await limits_end(client)
        yard.csms.kill()
        again = asyncio.create_task(asyncio.to_thread(yard.csms.again))
        await yard.until(lambda _: again.done(), least_w=THIRD_W - NEARLY_W)
        renewing = asyncio.create_task(renewed(client, ends))
        await yard.until(lambda _: renewing.done(), least_w=THIRD_W - NEARLY_W)
        yard.csms.kill()
        yard.drop(0)
        again = asyncio.create_task(asyncio.to_thread(yard.csms.again))
        await yard.until(lambda powers: powers[0] == 0.0 and min(powers[1:]) > HALF_W - NEARLY_W)
        assert again.done()


async def test_a_station_that_takes_limits_in_a_only_and_few_levels_is_steered_like_others(tmp_path: Path) -> None:
    keys = {"ChargingScheduleAllowedChargingRateUnit": "Current", "ChargeProfileMaxStackLevel": "3"}
    async with a_yard(tmp_path, keys=keys) as yard, httpx.AsyncClient(base_url=yard.csms.api) as client:
        for number in range(3):
            yard.charge(number)
        await yard.until(lambda powers: THIRD_W - NEARLY_W < min(powers) <= max(powers) <= THIRD_W + NEARLY_W)
        profiles = (await client.get("/csms/profiles")).json()["installed"]
        terms = {
            (one["station_id"], one["profile"]["chargingSchedule"]["chargingRateUnit"], one["stack_level"])
            for one in profiles
            if one["transaction_id"] is not None
        }
        assert terms == {("Y-1", "A", 3), ("Y-2", "W", 90), ("Y-3", "W", 90)}
        told = (await client.get("/csms/site")).json()
        assert not any(charger["refuses_limits"] for charger in told["chargers"])


async def test_a_station_that_rejects_every_limit_counts_with_its_rating(tmp_path: Path) -> None:
    rest_w = 8_000.0
    async with (
        a_yard(tmp_path, grid_w=GRID_W + rest_w, keys={"MaxChargingProfilesInstalled": "0"}) as yard,
        httpx.AsyncClient(base_url=yard.csms.api) as client,
    ):
        yard.charge(1)
        await yard.until(lambda powers: rest_w - NEARLY_W < powers[1] <= rest_w + NEARLY_W)
        yard.charge(0)
        await yard.until(lambda powers: powers[0] > GRID_W - 1.0)
        reading = asyncio.create_task(heard_of(client, "Y-1"))
        await yard.until(lambda powers: reading.done(), least_w=0.0)
        assert yard.powers_w()[1] == pytest.approx(rest_w, abs=NEARLY_W)
        told = {charger["id"]: charger for charger in (await client.get("/csms/site")).json()["chargers"]}
        assert [id for id, charger in told.items() if charger["refuses_limits"]] == ["Y-1"]
        assert told["Y-1"]["connectors"][0]["session"]["binding"] == "refusal"
        asked = (await client.get("/csms/stations/Y-1/commands")).json()["commands"]
        assert len([one for one in asked if one["action"] == "SetChargingProfile"]) <= 4
        assert (tmp_path / "csms.log").read_text().count("Y-1 refuses limits") == 1


async def heard_of(client: httpx.AsyncClient, station: str) -> None:
    """Return when a station's session has told what it draws."""

    async def look() -> bool | None:
        chargers = (await client.get("/csms/site")).json()["chargers"]
        (session,) = (charger["connectors"][0]["session"] for charger in chargers if charger["id"] == station)
        return (session is not None and session["consumed_w"]) or None

    await soon(look)


async def limits_end(client: httpx.AsyncClient) -> dict[str, Instant]:
    """Until when each station's limit holds."""
    found = (await client.get("/csms/profiles")).json()["installed"]
    schedules = {one["station_id"]: one["profile"]["chargingSchedule"] for one in found if one["transaction_id"]}
    return {id: instant(one["startSchedule"]) + one["duration"] * MS_PER_SECOND for id, one in schedules.items()}


async def renewed(client: httpx.AsyncClient, before: dict[str, Instant]) -> None:
    """Return when each limit holds for longer than it did."""

    async def look() -> bool | None:
        return all(end > before[id] for id, end in (await limits_end(client)).items()) or None

    assert len(before) == 3
    await soon(look)
