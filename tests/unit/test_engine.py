"""The World: who is woken, when, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from voltbench.engine import CONTROL, PHYSICS, World
from voltbench.errors import LocalProtocolError
from voltbench.quantities import Instant


@dataclass(eq=False)
class Sleeper:
    """Wants to be woken at given instants, and writes down when it was."""

    name: str
    diary: list[tuple[Instant, str]]
    wishes: list[Instant] = field(default_factory=list)

    def next_wakeup(self) -> Instant | None:
        return self.wishes[0] if self.wishes else None

    def wake(self, now: Instant) -> None:
        self.diary.append((now, self.name))
        self.wishes.pop(0)


def test_everybody_is_woken_at_the_due_instant_physics_before_control_then_in_order_of_arrival() -> None:
    world, diary = World(0), list[tuple[Instant, str]]()
    for name, rank in (("controller", CONTROL), ("car", PHYSICS), ("other car", PHYSICS)):
        world.add(Sleeper(name, diary, [5, 9]), rank)
    world.advance(7)
    assert diary == [(5, "car"), (5, "other car"), (5, "controller")]
    assert world.now == 7
    assert world.next_wakeup() == 9


def test_who_approaches_an_instant_wakes_nobody_and_passes_no_wakeup() -> None:
    world, diary = World(0), list[tuple[Instant, str]]()
    world.add(Sleeper("car", diary, [5]))
    assert [world.approach(3), world.approach(2), world.approach(9)] == [3, 3, 5]
    assert diary == []
    world.advance(9)
    assert diary == [(5, "car")]


def test_a_wish_that_changed_its_mind_is_forgotten() -> None:
    world, diary = World(0), list[tuple[Instant, str]]()
    car = Sleeper("car", diary, [5])
    world.add(car)
    car.wishes = [8]
    world.reschedule(car)
    world.run()
    assert diary == [(8, "car")]


def test_who_has_left_is_not_woken() -> None:
    world, diary = World(0), list[tuple[Instant, str]]()
    car = Sleeper("car", diary, [5])
    world.add(car)
    world.remove(car)
    world.advance(10)
    assert diary == []


def test_a_twin_that_never_lets_time_pass_is_named_and_not_waited_for() -> None:
    world = World(0)
    world.add(Sleeper("stubborn", [], [3] * 20_000))
    with pytest.raises(LocalProtocolError, match="stubborn"):
        world.run()


def test_any_number_of_twins_may_be_due_at_one_instant() -> None:
    world, diary = World(0), list[tuple[Instant, str]]()
    for number in range(12_000):
        world.add(Sleeper(str(number), diary, [5]))
    world.run()
    assert len(diary) == 12_000
