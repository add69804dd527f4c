"""The same scenario simulated and lived: by the wall, hurried, or by a clock that stands and leaps as it likes."""

import asyncio
from random import Random

import pytest

from tests.builders import MIDNIGHT, a_scenario, a_site, a_storage, a_vehicle_model, a_visit, at
from voltbench.apps import live as lives
from voltbench.apps.live import live
from voltbench.charging.vehicle import OnboardCharger
from voltbench.clock import ScaledClock
from voltbench.energy.control import ControlOptions
from voltbench.engine import World
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant
from voltbench.running.scenario import Run
from voltbench.site.series import StepSeries

DAY = a_scenario(
    visits=[
        a_visit(
            f"visit-{i}",
            arrives_at=at(6 + i * 0.21),
            stays_h=0.4 + i % 5 * 0.3,
            soc=0.1 + i % 7 * 0.1,
            asked_wh=15_000.0 + i % 4 * 12_000.0,
            model=a_vehicle_model(peak_w=60_000.0 + i % 3 * 70_000.0, ac=OnboardCharger(3, 16.0)),
            leaves_satisfied=i % 2 == 0,
            patience_ms=i % 3 * 600_000,
        )
        for i in range(60)
    ],
    site=a_site(
        grid_w=StepSeries([(MIDNIGHT, 250_000.0), (at(12), 180_000.0)]),
        storage=a_storage(50_000.0, 80_000.0, 0.95),
        load_w=StepSeries([(MIDNIGHT, 2_000.0), (at(7), 9_000.0)]),
    ),
    options=ControlOptions(interval_ms=60_000),
)


class LeapingClock:
    """A clock that leaps ahead by whatever chance says each time it is asked, and needs no sleep at all."""

    def __init__(self, start: Instant, seed: int) -> None:
        self._now, self._chance = start, Random(seed)

    def now(self) -> Instant:
        """The present instant."""
        self._now += self._chance.choice([0, 1, 977, 60_000, MS_PER_HOUR])
        return self._now

    def seconds_until(self, instant: Instant) -> float:
        """Wall seconds: none worth waiting for."""
        return min(1e-4, (instant - self.now()) / MS_PER_SECOND)


def ledger(run: Run) -> list[object]:
    return list(run.outcome().ledger)


@pytest.fixture(scope="module")
def simulated() -> list[object]:
    run = Run(DAY)
    run.world.run(DAY.ends_at)
    return ledger(run)


def test_the_scenario_is_worth_the_while(simulated):
    assert len({record.ending for record in simulated}) >= 3
    assert any(record.waited_s or record.unmet_wh for record in simulated)


async def test_a_day_lived_in_half_a_second_gives_the_same_ledger(simulated):
    run = Run(DAY)
    await live(run.world, ScaledClock(DAY.starts_at, speed=200_000.0), asyncio.Event(), DAY.ends_at)
    assert ledger(run) == simulated


@pytest.mark.parametrize("seed", range(3))
async def test_a_clock_that_leaps_gives_the_same_ledger(simulated, seed):
    run = Run(DAY)
    await live(run.world, LeapingClock(DAY.starts_at, seed), asyncio.Event(), DAY.ends_at)
    assert ledger(run) == simulated


async def test_changing_the_speed_on_the_way_changes_nothing(simulated):
    run, stirred = Run(DAY), asyncio.Event()
    clock = ScaledClock(DAY.starts_at, speed=1.0)
    living = asyncio.create_task(live(run.world, clock, stirred, DAY.ends_at))
    for speed in (10.0, 50_000.0, 300_000.0):
        await asyncio.sleep(0.02)
        clock.set_speed(speed)
        stirred.set()
    await living
    assert ledger(run) == simulated


async def test_being_watched_changes_nothing(simulated):
    run = Run(DAY)
    clock = ScaledClock(DAY.starts_at, speed=200_000.0)
    living = asyncio.create_task(live(run.world, clock, asyncio.Event(), DAY.ends_at))
    while not living.done():
        run.operation.balance.grid_w(run.world.now)
        run.outcome()
        await asyncio.sleep(0.001)
    assert ledger(run) == simulated


class Sleeper:
    """A twin that wants to be woken once, at an instant that is set by hand."""

    def __init__(self, due: Instant | None = None) -> None:
        self.due, self.woken = due, list[Instant]()

    def next_wakeup(self) -> Instant | None:
        return self.due

    def wake(self, now: Instant) -> None:
        self.due = None
        self.woken.append(now)


async def test_a_machine_that_slept_wakes_up_on_time(monkeypatch):
    since_boot_s = 0.0
    clock = ScaledClock(MIDNIGHT, monotonic=lambda: since_boot_s)
    world, sleeper = World(MIDNIGHT), Sleeper(at(6))
    world.add(sleeper)
    monkeypatch.setattr(lives, "LONGEST_SLEEP_S", 0.001)
    living = asyncio.create_task(live(world, clock, asyncio.Event(), at(6)))
    await asyncio.sleep(0)
    since_boot_s = 8 * 3_600.0  # the lid was closed for a night
    await asyncio.wait_for(living, 10)
    assert sleeper.woken == [at(6)]
    assert clock.now() == at(8)


async def test_who_is_stirred_looks_again():
    world, stirred, sleeper = World(MIDNIGHT), asyncio.Event(), Sleeper()
    world.add(sleeper)
    living = asyncio.create_task(live(world, ScaledClock(MIDNIGHT, 1_000.0), stirred, MIDNIGHT + 100 * MS_PER_SECOND))
    await asyncio.sleep(0.01)
    sleeper.due = MIDNIGHT + 50_017
    world.reschedule(sleeper)
    stirred.set()
    await living
    assert sleeper.woken == [MIDNIGHT + 50_017]
