"""A steered site at its CSMS, without a network: what it does where something is amiss, and what it shows of that."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.csms_live import soon
from voltbench.adapters.ocpp_csms.csms import Csms, Guest
from voltbench.adapters.station_json import parse
from voltbench.apps import steered_site
from voltbench.apps.steered_site import SteeredChoices, SteeredSite
from voltbench.clock import SteadyClock, seconds_since_boot, wall_instant
from voltbench.ocpp.v16.csms.central import Policy
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_SECOND, Instant, rfc3339

SITE = {
    "stationId": "YARD",
    "gridCapacity": 22.08,
    "chargers": [{"id": "CP1", "maxPower": 22.08, "connectors": [{"connector_id": 1, "connector_type": "TYPE2"}]}],
}
LIFE = "steered site"
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}


class OurClock:
    """The clock of the CSMS, which can be set forward, and fails the site so many times as it looks after limits."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self.failures = 0

    def __call__(self) -> Instant:
        task = asyncio.current_task()
        if self.failures and task is not None and task.get_name() == LIFE:
            self.failures -= 1
            raise ArithmeticError("no time at all")
        return wall_instant() + self.ahead_ms


class Station:
    """A station whose line leads to the CSMS directly; it answers each command with this status, if any."""

    def __init__(self, csms: Csms) -> None:
        self.csms = csms
        self._tasks = set[asyncio.Task[None]]()
        self.status: str | None = "Accepted"
        self.profiles: list[Any] = []
        self.answers: list[Any] = []
        self.guest: Guest = csms.enter("CP1", "ocpp1.6", self)

    async def send(self, frame: bytes) -> None:
        kind, id, *rest = json.loads(frame)
        if kind != 2:
            self.answers.append(rest[0])
            return
        action, payload = rest
        if action == "SetChargingProfile":
            self.profiles.append(payload["csChargingProfiles"])
        if self.status is None:
            return
        answer = {} if action == "GetConfiguration" else {"status": self.status}
        task = asyncio.create_task(self.csms.hear(self.guest, json.dumps([3, id, answer]).encode()))
        self._tasks.add(task)

    async def close(self, reason: str, *, is_fault: bool = False) -> None:
        assert not is_fault, reason

    async def tells(self, action: str, **payload: Any) -> Any:
        await self.csms.hear(self.guest, json.dumps([2, "a", action, payload]).encode())
        return self.answers[-1]

    async def draws(self, transaction: int, power_w: float, at: Instant) -> None:
        sample = {"value": str(power_w), "measurand": "Power.Active.Import"}
        values = [{"timestamp": rfc3339(at), "sampledValue": [sample]}]
        await self.tells("MeterValues", connectorId=1, transactionId=transaction, meterValue=values)


@asynccontextmanager
async def a_csms(directory: Path, now: Callable[[], Instant]) -> AsyncIterator[Csms]:
    csms = await Csms.open(f"sqlite:///{directory}/csms.db", Policy(unknown_tokens="Accepted"), now=now)
    try:
        yield csms
    finally:
        await csms.close()


@asynccontextmanager
async def a_steered_station(directory: Path, now: Callable[[], Instant]) -> AsyncIterator[tuple[SteeredSite, Station]]:
    """A site that is steered, and its station, which has booted."""
    async with a_csms(directory, now) as csms:
        site = await SteeredSite.open(csms, SteeredChoices(parse(json.dumps(SITE).encode()), 0.0, 60.0))
        life = asyncio.create_task(site.live(), name=LIFE)
        await asyncio.sleep(0)
        station = Station(csms)
        await station.tells("BootNotification", **BOOT)
        try:
            yield site, station
        finally:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steered_site, "LOOK_S", 0.01)


async def test_a_fault_of_ours_is_told_once_and_ends_no_steering(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    now = OurClock()
    async with a_steered_station(tmp_path, now) as (_, station):
        await soon(lambda: told(station, 1))
        charging = await begins(station)
        await soon(lambda: told(station, 2))
        now.failures = 5
        await soon(lambda: over(now))
        now.ahead_ms += 40_000
        await soon(lambda: drawn_until_told(station, charging, now, 3))
    assert caplog.text.count("the site cannot be steered now") == 1


async def test_a_station_whose_clock_is_off_is_steered_by_it_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    now = OurClock()
    async with a_steered_station(tmp_path, now) as (site, station):
        assert [one.clock_off_s for one in site.status().chargers] == [0.0]
        charging = await begins(station)
        await soon(lambda: told(station, 2))
        await soon(lambda: drawn_until_told(station, charging, lambda: now() + 3_600_000, 3))
        assert [one.clock_off_s for one in site.status().chargers] == [pytest.approx(3_600.0, abs=5.0)]
    starts = [profile["chargingSchedule"]["startSchedule"] for profile in station.profiles[1:]]
    assert starts[-1] > rfc3339(now() + 3_500_000) > starts[0]
    assert caplog.text.count("CP1: its clock is 3600 s ahead of ours") == 1


async def test_a_station_that_is_back_before_its_old_line_is_gone_is_told_all_anew(tmp_path: Path):
    async with a_steered_station(tmp_path, OurClock()) as (_, station):
        await begins(station)
        await soon(lambda: told(station, 2))
        again = Station(station.csms)
        await again.tells("BootNotification", **BOOT)
        await soon(lambda: told(again, 2))
    assert [one["chargingProfilePurpose"] for one in again.profiles] == ["TxDefaultProfile", "TxProfile"]


async def test_a_transaction_where_the_site_has_no_evse_keeps_no_other_from_being_steered(tmp_path: Path):
    now = OurClock()
    async with a_csms(tmp_path, now) as csms:
        for evse in (2, 1):
            await begins(Station(csms), evse)
    async with a_steered_station(tmp_path, now) as (_, station):
        await soon(lambda: told(station, 2))
    assert [one["chargingProfilePurpose"] for one in station.profiles] == ["TxDefaultProfile", "TxProfile"]


async def test_a_transaction_that_an_operator_has_closed_is_over_when_its_limit_has_ended(tmp_path: Path):
    """Also where the CSMS begins anew before."""
    now = OurClock()
    async with a_steered_station(tmp_path, now) as (site, station):
        charging = await begins(station)
        await soon(lambda: told(station, 2))
        await soon(lambda: kept_profiles(station, 2))
        await station.csms.close_transaction(charging)
        assert sessions(site) == [f"CP1:{charging}"]
    async with a_steered_station(tmp_path, now) as (site, _):
        assert sessions(site) == [f"CP1:{charging}"]
        now.ahead_ms += 61_000

        async def is_over() -> bool | None:
            return not sessions(site) or None

        await soon(is_over)


async def test_a_limit_that_was_not_answered_counts_after_a_restart_also_where_an_operator_has_closed(tmp_path: Path):
    now = OurClock()
    async with a_steered_station(tmp_path, now) as (_, station):
        await soon(lambda: kept_profiles(station, 1))
        station.status = None
        charging = await begins(station)
        await soon(lambda: told(station, 2))
        await station.csms.close_transaction(charging)
    async with a_steered_station(tmp_path, now) as (site, _):
        assert sessions(site) == [f"CP1:{charging}"]


def sessions(site: SteeredSite) -> list[str]:
    connectors = [one for charger in site.status().chargers for one in charger.connectors]
    return [one.session.id for one in connectors if one.session is not None]


async def kept_profiles(station: Station, profiles: int) -> bool | None:
    return len(station.csms.central.dossier("CP1").profiles) == profiles or None


class Machine:
    """A machine whose clock can be set back; nobody sets for how long it has been awake."""

    def __init__(self) -> None:
        self.wall, self.awake_s = wall_instant(), 0.0

    def goes_on(self, seconds: float) -> None:
        self.wall += round(seconds * MS_PER_SECOND)
        self.awake_s += seconds


async def test_limits_are_renewed_after_the_walls_clock_was_set_back(tmp_path: Path):
    machine = Machine()
    now = SteadyClock(lambda: machine.wall, lambda: machine.awake_s).now
    async with a_steered_station(tmp_path, now) as (_, station):
        charging = await begins(station)
        await soon(lambda: told(station, 2))

        async def is_renewed() -> bool | None:
            machine.goes_on(1.0)
            await station.draws(charging, 1_000.0, now())
            return len(station.profiles) > before or None

        machine.wall -= MS_PER_DAY
        for _ in range(3):
            before = len(station.profiles)
            machine.goes_on(80.0)
            await soon(is_renewed)


async def test_a_command_is_given_up_in_time_after_the_walls_clock_was_set_back(tmp_path: Path):
    machine = Machine()
    now = SteadyClock(lambda: machine.wall, seconds_since_boot).now
    csms = await Csms.open(f"sqlite:///{tmp_path}/csms.db", Policy(), now=now, answer_within_s=0.1)
    station = Station(csms)
    station.status = None
    asked = await csms.command("CP1", "ClearCache", {})
    machine.wall -= MS_PER_HOUR
    outcome = await csms.outcome(asked.id, 60.0)
    assert outcome is not None
    assert outcome.state == "overdue"
    await csms.close()


async def test_after_a_restart_with_the_walls_clock_set_back_no_limit_holds_for_longer(tmp_path: Path):
    now = OurClock()
    async with a_steered_station(tmp_path, now) as (_, station):
        await begins(station)
        await soon(lambda: told(station, 2))
    now.ahead_ms = -MS_PER_HOUR
    async with a_steered_station(tmp_path, now) as (_, again):
        await soon(lambda: told(again, 2))
    assert again.profiles[1]["chargingSchedule"]["duration"] <= 60


async def begins(station: Station, evse: int = 1) -> int:
    start = await station.tells(
        "StartTransaction", connectorId=evse, idTag="ADA", meterStart=0, timestamp=rfc3339(wall_instant())
    )
    id: int = start["transactionId"]
    return id


async def told(station: Station, profiles: int) -> bool | None:
    """Whether so many charging profiles have come: the failsafe first, and then limits."""
    return len(station.profiles) >= profiles or None


async def drawn_until_told(
    station: Station, transaction: int, its_clock: Callable[[], Instant], profiles: int
) -> bool | None:
    """The same, asked of a station that says once more that it draws nothing; while it has not answered, none comes."""
    await station.draws(transaction, 0.0, its_clock())
    return await told(station, profiles)


async def over(now: OurClock) -> bool | None:
    return now.failures == 0 or None
