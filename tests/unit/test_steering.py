"""The energy manager drives stations that speak OCPP: twins on the bench, second by second."""

from __future__ import annotations

from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_site
from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms_profiles import failsafe_profile, power_profile
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.steering import Command, ReadMeter, SetFailsafe, SetPower, Steering

ONE = StationModel("one", "one", 22_080.0, (ConnectorModel("sType2", 22_080.0),), "made up", step_a=0.1)
KEYS = {"MeterValueSampleInterval": "10", "MeterValuesSampledData": "Power.Active.Import"}
VALIDITY_MS = 60_000


class Steered:
    """A site of stations with one EVSE each; commands take a second to arrive. The first's clock may be off."""

    def __init__(self, grid_w: float, stations: int = 3, failsafe_w: float = 0.0, clock_off_s: int = 0) -> None:
        options = ControlOptions(confirmation=Confirmation.REPORTED)
        self.plan = HostedPlan(a_site(grid_w, stations, ONE), options, validity_ms=VALIDITY_MS, failsafe_w=failsafe_w)
        self.now: Instant = MIDNIGHT
        self.grid_w = grid_w
        clocks = [MIDNIGHT + clock_off_s * MS_PER_SECOND, *[MIDNIGHT] * (stations - 1)]
        self.benches = {f"CP-{i}": OnTheBench(ONE, fixed=KEYS, boots=False, now=now) for i, now in enumerate(clocks, 1)}
        self._heard = dict.fromkeys(self.benches, 0)
        self._transactions = {id: count(1001) for id in self.benches}
        self._limits: dict[str, list[SetPower]] = {id: [] for id in self.benches}
        self.moods = dict.fromkeys(self.benches, "obey")
        self.asked: list[tuple[Instant, Command]] = []
        self._begin()

    def refuses_limits(self) -> list[bool]:
        return [charger.refuses_limits for charger in self.site.status(self.now).chargers]

    def _begin(self) -> None:
        self.site = HostedSite(self.plan, self.now)
        self.steering = Steering(self.site, {id: f"station-{i}" for i, id in enumerate(self.benches, 1)})
        self._there = set[str]()
        self._sent: list[Command] = []

    def restart(self) -> None:
        """Whoever steers is killed, and starts again: what was under way arrives, but nobody hears the answer."""
        for command in self._sent:
            if isinstance(command, SetPower) and self.benches[command.station].station.is_accepted:
                self._ask(command)
                self._limits[command.station].append(command)
        self._begin()
        for id, limits in self._limits.items():
            until = max((limit.until for limit in limits), default=self.now)
            if until > self.now:
                held_w = max(limit.power_w for limit in limits)
                self.steering.take_up(self.now, id, 1, limits[0].transaction, 22_080.0, held_w, until)

    def power_w(self) -> list[float]:
        return [bench.station.life.evse(1).feed.power_w(bench.now) for bench in self.benches.values()]

    def second(self) -> None:
        """A second goes by: stations live, the site hears of it, and what was to be sent arrives."""
        self.now += 1_000
        for id, bench in self.benches.items():
            bench.advance(1.0)
            if bench.station.is_accepted and id not in self._there:
                self._there.add(id)
                self.steering.arrived(self.now, id)
            for action, request in bench.heard[self._heard[id] :]:
                self._tell(id, action, request)
            self._heard[id] = len(bench.heard)
        self.site.advance(self.now)
        self.steering.renew(self.now)
        sent, self._sent = self._sent, self.steering.commands()
        for command in sent:
            self._carry_out(command)
        assert sum(self.power_w()) <= self.grid_w + 1.0, self.power_w()

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.second()

    def _tell(self, id: str, action: str, request: Any) -> None:
        if action == "StartTransaction":
            self._limits[id] = []
            self.steering.started(self.now, id, request.connector_id, str(next(self._transactions[id])), 22_080.0)
        elif action == "MeterValues":
            power_w = float(request.meter_value[0].sampled_value[0].value)
            read_at = instant(request.meter_value[0].timestamp)
            self.steering.measured(self.now, id, request.connector_id, str(request.transaction_id), power_w, read_at)
        elif action == "StopTransaction":
            self._limits[id] = []
            self.steering.ended(self.now, id, str(request.transaction_id))

    def _carry_out(self, command: Command) -> None:
        bench = self.benches[command.station]
        if not bench.station.is_accepted:
            self.steering.answered(self.now, command, False)
        elif isinstance(command, ReadMeter):
            bench.ask(m.TriggerMessage(requested_message="MeterValues"), m.TriggerMessageResponse)
        else:
            self.asked.append((self.now, command))
            self.steering.answered(self.now, command, self._answer(command))

    def _answer(self, command: SetFailsafe | SetPower) -> bool | None:
        """Who is deaf does not hear what it is told, who is mute does it and says nothing."""
        mood = self.moods[command.station]
        if mood == "refuse everything" or (mood == "refuse" and isinstance(command, SetPower)):
            return False
        if mood == "deaf":
            return None
        accepted = self._ask(command)
        if isinstance(command, SetPower) and accepted:
            known = self._limits[command.station] if mood == "mute" else []
            self._limits[command.station] = [*known, command]
        return None if mood == "mute" else accepted

    def _ask(self, command: SetFailsafe | SetPower) -> bool:
        if isinstance(command, SetFailsafe):
            profile = failsafe_profile(command)
        else:
            profile = power_profile(self.steering.by_its_clock(command))
        answer = self.benches[command.station].ask(profile, m.SetChargingProfileResponse)
        return bool(answer.status == "Accepted")

    def charge(self, id: str) -> None:
        bench = self.benches[id]
        bench.plug_in(an_ac_car(current_a=32.0))
        bench.present("TAG")

    def lose(self, id: str) -> None:
        self.benches[id].lose_line()
        self.steering.left(id)
        self._there.discard(id)

    def find(self, id: str) -> None:
        self.benches[id].is_reachable = True


def test_nobody_draws_before_the_site_has_said_so():
    steered = Steered(22_080.0)
    steered.charge("CP-1")
    steered.seconds(5)
    assert steered.power_w() == [0.0] * 3


def test_three_cars_share_what_there_is():
    steered = Steered(22_080.0)
    steered.seconds(10)
    for id in steered.benches:
        steered.charge(id)
    steered.seconds(90)
    assert steered.power_w() == pytest.approx([22_080.0 / 3] * 3, abs=70.0)


def test_a_newcomer_gets_what_others_have_given_back_for_certain():
    steered = Steered(22_080.0, 2)
    steered.seconds(10)
    steered.charge("CP-1")
    steered.seconds(60)
    assert steered.power_w()[0] == pytest.approx(22_080.0, abs=70.0)
    steered.charge("CP-2")
    steered.seconds(90)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)


def test_who_drops_off_falls_back_and_others_get_its_share():
    steered = Steered(22_080.0, 2)
    steered.seconds(10)
    steered.charge("CP-1")
    steered.charge("CP-2")
    steered.seconds(90)
    steered.lose("CP-1")
    steered.seconds(30)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)
    steered.seconds(60)
    assert steered.power_w() == pytest.approx([0.0, 22_080.0], abs=70.0)
    steered.find("CP-1")
    steered.seconds(300)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)


def test_a_failsafe_is_kept_free_for_everybody():
    steered = Steered(22_080.0, 3, failsafe_w=4_140.0)
    steered.seconds(10)
    steered.charge("CP-1")
    steered.seconds(60)
    assert steered.power_w()[0] == pytest.approx(22_080.0 - 2 * 4_140.0, abs=70.0)
    steered.charge("CP-2")
    assert steered.power_w()[1] == pytest.approx(4_140.0)
    steered.lose("CP-2")
    steered.seconds(120)
    assert steered.power_w()[:2] == pytest.approx([22_080.0 - 2 * 4_140.0, 4_140.0], abs=70.0)


def test_after_a_restart_everybody_keeps_his_share():
    steered = Steered(22_080.0)
    steered.seconds(10)
    for id in steered.benches:
        steered.charge(id)
    steered.seconds(90)
    steered.restart()
    for _ in range(120):
        steered.second()
        assert steered.power_w() == pytest.approx([22_080.0 / 3] * 3, abs=70.0)


def test_after_a_restart_nobody_is_given_what_one_who_is_not_heard_of_may_still_draw():
    steered = Steered(22_080.0, 2)
    steered.seconds(10)
    for id in steered.benches:
        steered.charge(id)
    steered.seconds(90)
    steered.lose("CP-1")
    steered.restart()
    steered.seconds(30)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)
    steered.seconds(60)
    assert steered.power_w() == pytest.approx([0.0, 22_080.0], abs=70.0)
    steered.find("CP-1")
    steered.seconds(300)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["charge", "leave", "lose", "find", "restart", "refuse", "deaf", "mute", "obey"]),
            st.integers(1, 3),
            st.integers(1, 40),
        ),
        max_size=20,
    ),
    st.sampled_from([0.0, 4_140.0]),
)
def test_measured_power_never_breaks_the_limit_whoever_comes_goes_or_drops_off(deeds, failsafe_w):
    steered = Steered(16_000.0, 3, failsafe_w)
    steered.seconds(5)
    for deed, number, wait in deeds:
        id = f"CP-{number}"
        plugged = steered.benches[id].station.life.evse(1).is_plugged
        if deed == "charge" and not plugged:
            steered.charge(id)
        elif deed == "leave" and plugged:
            steered.benches[id].unplug()
        elif deed == "lose" and steered.benches[id].is_reachable:
            steered.lose(id)
        elif deed == "find":
            steered.find(id)
        elif deed == "restart":
            steered.restart()
        elif deed in ("refuse", "deaf", "mute", "obey"):
            steered.moods[id] = deed
        steered.seconds(wait)


def test_a_station_that_does_not_take_its_failsafe_is_asked_again_and_trusted_with_nothing_until_then():
    steered = Steered(22_080.0, 1)
    bench = steered.benches["CP-1"]
    bench.advance(1.0)
    steered.steering.arrived(steered.now, "CP-1")
    (asked,) = steered.steering.commands()
    steered.steering.answered(steered.now, asked, False)
    steered.steering.started(steered.now, "CP-1", 1, "1001", 22_080.0)
    steered.steering.renew(steered.now + 9_000)
    assert steered.steering.commands() == []
    steered.steering.renew(steered.now + 10_000)
    assert steered.steering.commands() == [asked]
    steered.steering.answered(steered.now + 10_000, asked, True)
    assert [type(command).__name__ for command in steered.steering.commands()] == ["SetPower"]


# --- stations whose clock is off ------------------------------------------------------------------------------------


@pytest.mark.parametrize("off_s", [-20, -7_200, 7_200])
def test_a_station_whose_clock_is_off_gets_its_share_and_falls_back_like_others(off_s):
    steered = Steered(22_080.0, 2, clock_off_s=off_s)
    steered.seconds(10)
    for id in steered.benches:
        steered.charge(id)
    steered.seconds(150)
    assert steered.steering.clock_off_s("CP-1") == off_s
    assert steered.steering.clock_off_s("CP-2") == 0.0
    for _ in range(120):
        steered.second()
        assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)
    steered.lose("CP-1")
    steered.seconds(100)
    assert steered.power_w() == pytest.approx([0.0, 22_080.0], abs=70.0)
    steered.find("CP-1")
    steered.seconds(300)
    assert steered.power_w() == pytest.approx([11_040.0] * 2, abs=70.0)


# --- stations that refuse limits ------------------------------------------------------------------------------------


def test_a_station_that_refuses_everything_counts_with_its_rating_until_it_takes_limits():
    steered = Steered(30_000.0, 2)
    steered.moods["CP-1"] = "refuse everything"
    steered.seconds(10)
    assert steered.refuses_limits() == [True, False]
    steered.charge("CP-2")
    steered.seconds(60)
    assert steered.power_w() == pytest.approx([0.0, 30_000.0 - 22_080.0], abs=70.0)
    steered.charge("CP-1")
    steered.seconds(60)
    assert steered.power_w() == pytest.approx([22_080.0, 30_000.0 - 22_080.0], abs=70.0)
    session = steered.site.status(steered.now).chargers[0].connectors[0].session
    assert session is not None
    assert session.binding == "refusal"
    assert session.consumed_w == pytest.approx(22_080.0, abs=1.0)
    steered.moods["CP-1"] = "obey"
    steered.seconds(400)
    assert steered.refuses_limits() == [False, False]
    assert steered.power_w() == pytest.approx([15_000.0, 15_000.0], abs=70.0)


def test_who_refuses_is_asked_again_ever_more_rarely():
    steered = Steered(22_080.0, 1)
    steered.seconds(10)
    steered.moods["CP-1"] = "refuse"
    steered.charge("CP-1")
    steered.seconds(1_200)
    asked = [at for at, one in steered.asked if isinstance(one, SetPower)]
    waits_s = [(after - before) // 1_000 for before, after in pairwise(asked)]
    assert waits_s[:3] == pytest.approx([2, 4, 8], abs=2)
    assert len(asked) < 15
    assert max(waits_s) <= 302
    assert steered.refuses_limits() == [True]
    steered.benches["CP-1"].unplug()
    steered.moods["CP-1"] = "obey"
    steered.charge("CP-1")
    steered.seconds(60)
    assert steered.refuses_limits() == [False]
    assert steered.power_w() == pytest.approx([22_080.0], abs=70.0)
