"""Whose turn it is: nobody starves, a contactor closed stays closed for its minimum time, and no waiting is missed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.energy.allocate import STRATEGIES, Situation
from voltbench.energy.claim import TURN, Bounds, Claim
from voltbench.energy.gate import Gate, Turns
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.site.limits import LimitTree, Node, Outlet

MINUTE = MS_PER_MINUTE
ONE_PHASE_W, THREE_PHASE_W = 1_380.0, 4_140.0


@dataclass
class Sockets:
    """Sockets behind one limit, and a gate that is asked whenever somebody may be served."""

    limit_w: float
    turns: Turns
    strategy: str = "max_min"
    now: Instant = 0
    claims: list[Claim] = field(default_factory=list)
    on: dict[str, bool] = field(default_factory=dict)
    switched: dict[str, list[Instant]] = field(default_factory=dict)
    bound: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = Gate(self.turns)
        self.tree = LimitTree([Node("grid")], [Outlet("socket", "grid")])
        self.tree.set_limit("grid", "contract", self.limit_w)

    def arrive(self, id: str, minimum_w: float, departs_at: Instant | None = None) -> None:
        self.claims.append(
            Claim(id, self.tree.rows_of("socket"), 22_080.0, minimum_w, arrived_at=self.now, departs_at=departs_at)
        )
        self.act()

    def leave(self, id: str) -> None:
        self.claims = [claim for claim in self.claims if claim.id != id]
        self.gate.forget(id)
        self.on.pop(id, None)
        self.act()

    def act(self) -> None:
        bounds = Bounds(self.tree.bounds(self.now), [], self.tree.line_groups)
        turn = self.now // self.turns.rotation_ms
        s = Situation(self.now, self.tree, bounds, self.claims, [22_080.0] * len(self.claims), turn)
        powers, rows = self.gate.shares(s, STRATEGIES[self.strategy])
        self.bound = {claim.id: row for claim, row in zip(self.claims, rows, strict=True)}
        assert sum(powers) <= self.limit_w + 1e-6
        for claim, power in zip(self.claims, powers, strict=True):
            if self.on.get(claim.id, False) != (power > 0.0):
                self.on[claim.id] = power > 0.0
                self.switched.setdefault(claim.id, []).append(self.now)

    def live(self, until: Instant) -> None:
        while (due := self.gate.next_turn(self.now)) is not None and due <= until:
            self.now = due
            self.act()
        self.now = until

    @property
    def served(self) -> set[str]:
        return {id for id, on in self.on.items() if on}


def test_turns_that_began_at_different_times_do_not_keep_a_large_minimum_out_for_ever() -> None:
    sockets = Sockets(5_000.0, Turns(rotation_ms=15 * MINUTE))
    for i in range(3):
        sockets.arrive(f"small-{i}", ONE_PHASE_W)
        sockets.live(sockets.now + 4 * MINUTE)
    sockets.arrive("large", THREE_PHASE_W)
    sockets.live(sockets.now + 15 * MINUTE)
    assert "large" in sockets.switched


def test_newcomers_do_not_push_in_for_so_long_that_a_large_minimum_never_finds_room() -> None:
    sockets = Sockets(5_000.0, Turns(rotation_ms=15 * MINUTE, minimum_on_ms=10 * MINUTE))
    for i in range(3):
        sockets.arrive(f"small-{i}", ONE_PHASE_W)
    sockets.arrive("large", THREE_PHASE_W)
    for i in range(3, 12):
        sockets.live(sockets.now + 4 * MINUTE)
        if "large" in sockets.served:
            return
        sockets.leave(min(sockets.served))
        sockets.arrive(f"small-{i}", ONE_PHASE_W)
    pytest.fail("the large one has waited for 36 minutes")


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_who_begins_to_charge_goes_on_for_its_minimum_time(strategy: str) -> None:
    sockets = Sockets(2_000.0, Turns(minimum_on_ms=5 * MINUTE), strategy)
    sockets.arrive("first", ONE_PHASE_W, departs_at=600 * MINUTE)
    sockets.live(MINUTE)
    sockets.arrive("urgent", ONE_PHASE_W, departs_at=60 * MINUTE)
    assert sockets.served == {"first"}


def test_the_end_of_a_minimum_time_on_is_a_wakeup_for_who_waits() -> None:
    sockets = Sockets(2_000.0, Turns(minimum_on_ms=5 * MINUTE), "edf")
    sockets.arrive("first", ONE_PHASE_W, departs_at=600 * MINUTE)
    sockets.now = MINUTE
    sockets.arrive("urgent", ONE_PHASE_W, departs_at=60 * MINUTE)
    sockets.live(5 * MINUTE)
    assert sockets.served == {"urgent"}


def test_who_charged_while_there_was_room_for_all_has_its_minimum_time_too() -> None:
    sockets = Sockets(2_000.0, Turns(minimum_on_ms=5 * MINUTE), "edf")
    first = Claim("first", sockets.tree.rows_of("socket"), 22_080.0, ONE_PHASE_W, departs_at=600 * MINUTE)
    sockets.gate.all_served(0, [first], [1_380.0])
    sockets.claims.append(first)
    sockets.now = MINUTE
    sockets.arrive("urgent", ONE_PHASE_W, departs_at=60 * MINUTE)
    assert sockets.served == {"first"}


def test_who_has_stopped_stays_off_for_its_minimum_time_even_if_there_is_room() -> None:
    sockets = Sockets(2_000.0, Turns(rotation_ms=15 * MINUTE, minimum_off_ms=20 * MINUTE))
    sockets.arrive("first", ONE_PHASE_W)
    sockets.now = MINUTE
    sockets.arrive("second", ONE_PHASE_W)
    sockets.live(15 * MINUTE)
    assert sockets.served == {"second"}
    sockets.leave("second")
    assert sockets.served == set()
    assert sockets.gate.holds_back(sockets.now)
    sockets.live(34 * MINUTE)
    assert sockets.served == set()
    sockets.live(35 * MINUTE)
    assert sockets.served == {"first"}
    assert not sockets.gate.holds_back(sockets.now)


def test_in_between_who_is_served_stays() -> None:
    sockets = Sockets(2_000.0, Turns(rotation_ms=15 * MINUTE))
    for id in ("first", "second", "third"):
        sockets.arrive(id, ONE_PHASE_W)
    for minute in range(1, 15):
        sockets.now = minute * MINUTE
        sockets.act()
        assert sockets.served == {"first"}
    sockets.live(15 * MINUTE)
    assert sockets.served == {"second"}


def test_who_waits_for_its_turn_is_told_what_it_waits_for() -> None:
    sockets = Sockets(5_000.0, Turns(rotation_ms=15 * MINUTE))
    sockets.arrive("large", THREE_PHASE_W)
    sockets.arrive("small", ONE_PHASE_W)
    assert sockets.bound == {"large": 0, "small": 0}
    off = Sockets(2_000.0, Turns(rotation_ms=15 * MINUTE, minimum_off_ms=20 * MINUTE))
    off.arrive("first", ONE_PHASE_W)
    off.arrive("second", ONE_PHASE_W)
    off.live(15 * MINUTE)
    off.leave("second")
    assert off.bound == {"first": TURN}


def test_a_minimum_time_on_longer_than_a_turn_is_refused() -> None:
    with pytest.raises(InvalidInput, match="minimum_on"):
        Turns(rotation_ms=MINUTE, minimum_on_ms=2 * MINUTE)


@given(
    minimums=st.lists(st.sampled_from([ONE_PHASE_W, 2 * ONE_PHASE_W, THREE_PHASE_W]), min_size=1, max_size=8),
    pauses=st.lists(st.integers(0, 40), min_size=8, max_size=8),
    minimum_on_min=st.sampled_from([0, 1, 5, 10]),
    limit_w=st.sampled_from([4_140.0, 5_000.0, 9_000.0]),
)
def test_everybody_is_served_within_as_many_turns_as_there_are_cars(minimums, pauses, minimum_on_min, limit_w):
    sockets = Sockets(limit_w, Turns(10 * MINUTE, minimum_on_min * MINUTE))
    for i, (minimum_w, pause) in enumerate(zip(minimums, pauses, strict=False)):
        sockets.arrive(f"car-{i}", minimum_w)
        sockets.live(sockets.now + pause * MINUTE)
    start = sockets.now
    waiting = {claim.id for claim in sockets.claims} - sockets.served
    sockets.live(start + (len(minimums) + 2) * 10 * MINUTE)
    for id in waiting:
        assert any(at > start for at in sockets.switched.get(id, [])), f"{id} was never served"
    for id, instants in sockets.switched.items():
        on_and_off = zip(instants[::2], instants[1::2], strict=False)
        assert all(off - on >= minimum_on_min * MINUTE for on, off in on_and_off), id


@pytest.mark.parametrize("strategy", ["fcfs", "edf", "max_min"])
def test_what_a_coarse_step_leaves_over_serves_who_waits(strategy: str) -> None:
    sockets = Sockets(10_000.0, Turns(), strategy)
    rows = sockets.tree.rows_of("socket")
    coarse = Claim("coarse", rows, 11_040.0, 6_900.0, step_w=3_450.0, departs_at=60 * MINUTE)
    fine = Claim("fine", rows, 7_360.0, 1_380.0, step_w=230.0, arrived_at=1, departs_at=90 * MINUTE)
    sockets.claims += [coarse, fine]
    sockets.act()
    assert sockets.served == {"coarse", "fine"}


@pytest.mark.parametrize("strategy", ["max_min", "equal", "proportional"])
def test_a_class_does_not_starve_anybody_under_strategies_that_share(strategy: str) -> None:
    sockets = Sockets(5_000.0, Turns(rotation_ms=5 * MINUTE), strategy)
    sockets.arrive("a", THREE_PHASE_W)
    sockets.arrive("b", THREE_PHASE_W)
    sockets.claims[1].priority = 1
    sockets.live(60 * MINUTE)
    assert sockets.switched["a"]


def test_minimum_times_are_for_who_has_a_minimum_power_whoever_else_is_there() -> None:
    for other in (0.0, ONE_PHASE_W):
        turns = Turns(rotation_ms=5 * MINUTE, minimum_off_ms=60 * MINUTE)
        sockets = Sockets(22_080.0, turns, "round_robin")
        sockets.arrive("dc-1", 0.0)
        sockets.arrive("dc-2", 0.0)
        if other:
            sockets.arrive("ac", other)
        for minute in range(0, 60, 5):
            sockets.now = minute * MINUTE
            sockets.act()
        assert len(sockets.switched["dc-1"]) >= 4
