"""A hosted site that stops and goes on is the site that never stopped, in every answer and every bit of its state."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_site, a_station_model, a_storage
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.energy.gate import Turns
from voltbench.errors import VoltbenchError
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, NOMINAL_VOLTAGE_V, Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import (
    Input,
    Recompute,
    SetLimit,
    StartSession,
    StopSession,
    UpdatePower,
    decoded,
    encoded,
)
from voltbench.site.series import StepSeries

AC = StationModel("ac", "ac", 22_000.0, (ConnectorModel("cType2", 22_000.0),) * 2, "made up", step_a=1.0)
DC = a_station_model(200_000.0)

powers = st.one_of(st.sampled_from([0.0, 1.0, 4_140.0, 22_000.0, 150_000.0]), st.floats(0.0, 400_000.0))
numbers = st.integers(0, 9)
pauses = st.one_of(
    st.sampled_from([0, 1, 999, 10_000, 30_000, 60_000, 15 * MS_PER_MINUTE]), st.integers(0, MS_PER_HOUR)
)


def arrival(number: int, vehicle_max_w: float = 150_000.0) -> StartSession:
    """Car number so and so, always at its own connector; four pairs of cars share one."""
    return StartSession(f"S{number}", f"station-{number % 3 + 1}", str(number // 3 % 2 + 1), vehicle_max_w)


inputs = st.one_of(
    st.builds(arrival, numbers, powers),
    st.builds(StartSession, numbers.map("S{}".format), st.just("nowhere"), st.just("1"), powers),
    st.builds(UpdatePower, numbers.map("S{}".format), powers, powers),
    st.builds(UpdatePower, numbers.map("S{}".format), powers, st.just(150_000.0)),
    st.builds(UpdatePower, numbers.map("S{}".format), st.sampled_from([0.0, 10_000.0]), st.just(150_000.0)),
    st.builds(StopSession, numbers.map("S{}".format), st.none() | powers),
    st.builds(SetLimit, st.sampled_from(["grid", "station-1"]), st.sampled_from(["dso", "ems"]), st.none() | powers),
    st.just(Recompute()),
)


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, Input]]:
    """Pauses and inputs: some cars first, then anything."""
    cars: list[tuple[int, Input]] = [(0, arrival(i)) for i in range(draw(st.integers(0, 6)))]
    return cars + draw(st.lists(st.tuples(pauses, inputs), min_size=1, max_size=30))


@st.composite
def plans(draw: st.DrawFn) -> HostedPlan:
    """A site of three stations, DC or AC, with or without a battery, under any of the options that change its state."""
    is_ac = draw(st.booleans())
    load = draw(st.sampled_from([0.0, 3_000.0]))
    steps = [(MIDNIGHT, load), (MIDNIGHT + 20 * MS_PER_MINUTE, load + 10_000.0)]
    site = a_site(
        grid_w=draw(st.sampled_from([30_000.0] if is_ac else [100_000.0, 400_000.0])),
        stations=3,
        station=AC if is_ac else DC,
        storage=draw(st.none() | st.just(a_storage(20_000.0, 100_000.0, 0.9))),
        storage_soc=draw(st.sampled_from([0.1, 0.6, 1.0])),
        load_w=draw(st.sampled_from([StepSeries.constant(load), StepSeries(steps)])),
    )
    options = ControlOptions(
        strategy=draw(st.sampled_from(["max_min", "fcfs", "round_robin", "equal"])),
        confirmation=draw(st.sampled_from(Confirmation)),
        turns=Turns(minimum_on_ms=draw(st.sampled_from([0, 60_000])), minimum_off_ms=30_000),
    )
    lends_after_ms, validity_ms = (draw(st.sampled_from([None, 30_000])) for _ in range(2))
    return HostedPlan(site, options, lends_after_ms, validity_ms)


def told(site: HostedSite, now: Instant, input: Input) -> Any:
    """What a client is told: the answer, or why there is none."""
    try:
        return site.take(now, input)
    except VoltbenchError as error:
        return type(error), error.args


def lived(life: list[tuple[int, Input]]) -> list[tuple[Instant, Input]]:
    """The inputs of a life with their instants."""
    now, timed = MIDNIGHT, []
    for pause, input in life:
        now += pause
        timed.append((now, input))
    return timed


@given(plans(), lives(), st.data())
def test_a_site_that_stops_anywhere_goes_on_as_if_it_had_not(plan, life, choice):
    site = HostedSite(plan, MIDNIGHT)
    other = HostedSite(plan, MIDNIGHT)
    for now, input in lived(life):
        if choice.draw(st.booleans()):
            other = HostedSite.restore(plan, other.snapshot())
        assert other.next_wakeup() == site.next_wakeup()
        assert told(other, now, input) == told(site, now, input)
        assert other.status(now) == site.status(now)
        assert other.snapshot() == site.snapshot()
    later = site.now + 3 * MS_PER_HOUR
    assert HostedSite.restore(plan, other.snapshot()).status(later) == site.status(later)


@given(plans(), lives(), st.integers(0, 40))
def test_a_snapshot_and_the_inputs_after_it_are_the_site(plan, life, taken_after):
    site = HostedSite(plan, MIDNIGHT)
    snapshot, journal = site.snapshot(), []
    for i, (now, input) in enumerate(lived(life)):
        answer = told(site, now, input)
        if not isinstance(answer, tuple):
            journal.append((now, encoded(input)))
        if i == taken_after:
            snapshot, journal = site.snapshot(), []
    rebuilt = HostedSite.restore(plan, snapshot)
    for now, journalled in journal:
        rebuilt.take(now, decoded(journalled))
    rebuilt.advance(site.now)
    assert rebuilt.snapshot() == site.snapshot()


@given(plans(), lives(), st.lists(st.integers(0, MS_PER_HOUR), max_size=20))
def test_being_looked_at_changes_nothing(plan, life, glances):
    looked_at, alone = HostedSite(plan, MIDNIGHT), HostedSite(plan, MIDNIGHT)
    for now, input in lived(life):
        for glance in sorted(glances):
            if looked_at.now <= MIDNIGHT + glance < now:
                looked_at.status(MIDNIGHT + glance)
        assert told(looked_at, now, input) == told(alone, now, input)
    assert looked_at.snapshot() == alone.snapshot()


@given(plans(), lives())
def test_a_hosted_site_keeps_every_limit(plan, life):
    site = HostedSite(plan, MIDNIGHT)
    obeyed = plan.options.confirmation is Confirmation.INSTANT
    for now, input in lived(life):
        told(site, now, input)
        if obeyed and site.status(now).grid_limit_w >= site.operation.balance.background_w(now):
            assert site.operation.excess(now)[0] <= 1e-6
        for session in site.status(now).sessions:
            step_w = plan.site.places[0].station_model.step_a * 3 * NOMINAL_VOLTAGE_V  # a station is set to whole steps
            assert session.allocated_w <= session.vehicle_max_w + step_w + 1e-6
