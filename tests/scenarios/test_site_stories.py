"""Days at a site, told in a few lines."""

from __future__ import annotations

import pytest

from tests.builders import at
from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession
from voltbench.energy.control import ControlOptions
from voltbench.energy.gate import Turns
from voltbench.engine import World
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.operation import Operation
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.series import StepSeries
from voltbench.site.storage import Storage, StorageModel

FLAT = AcceptanceCurve(60_000.0, (0.0, 1.0), (150_000.0, 150_000.0))
DC = ChargingPath(150_000.0, 0.0, 0.0, 3, 1.0, 1.0)
SOCKET = ChargingPath(7_360.0, 1_380.0, 230.0, 1, 1.0, 1.0)


def a_car(
    id: str, path: ChargingPath = DC, curve: AcceptanceCurve = FLAT, asked_wh: float = 40_000.0
) -> ChargingSession:
    return ChargingSession(id, path, curve, 6_000.0, asked_wh, at(8))


def a_place(limit_w: float | StepSeries, sockets: int = 4, **more: object) -> Operation:
    tree = LimitTree([Node("grid")], [Outlet(f"socket-{i}", "grid") for i in range(sockets)])
    tree.set_limit("grid", "contract", limit_w)
    return Operation(World(at(8)), tree, **more)  # type: ignore[arg-type]


def powers(place: Operation) -> list[float]:
    return [round(bay.session.power_w(place.world.now)) for bay in place.bays.values()]


def test_the_fourth_car_makes_room_before_it_draws() -> None:
    place = a_place(300_000.0)
    told: list[tuple[str, float]] = []
    place._on_limit = lambda fact: told.append((fact.session, fact.power_w))
    for i in range(4):
        place.plug_in(at(8), f"socket-{i}", a_car(f"car-{i}"))
        place.world.advance(at(8))
    assert told[-4:] == [("car-0", 75_000.0), ("car-1", 75_000.0), ("car-2", 75_000.0), ("car-3", 75_000.0)]
    assert powers(place) == [75_000] * 4


def test_a_limit_that_falls_at_nine_is_kept_from_nine_on() -> None:
    place = a_place(StepSeries([(at(8), 200_000.0), (at(9), 50_000.0)]))
    for i in range(2):
        place.plug_in(at(8), f"socket-{i}", a_car(f"car-{i}", asked_wh=54_000.0, curve=SLOW))
    place.world.advance(at(9) - 1)
    assert sum(powers(place)) == 60_000
    place.world.advance(at(9))
    assert sum(powers(place)) == 50_000


SLOW = AcceptanceCurve(60_000.0, (0.0, 1.0), (30_000.0, 30_000.0))


def test_where_not_all_can_have_six_amperes_everybody_gets_a_turn() -> None:
    place = a_place(3_000.0, options=ControlOptions(turns=Turns(rotation_ms=15 * MS_PER_MINUTE)))
    for i in range(4):
        place.plug_in(at(8), f"socket-{i}", a_car(f"car-{i}", SOCKET))
    served: set[tuple[int, ...]] = set()
    for quarter in range(8):
        place.world.advance(at(8) + quarter * 15 * MS_PER_MINUTE)
        served.add(tuple(i for i, power in enumerate(powers(place)) if power >= 1_380))
        assert sum(powers(place)) <= 3_000
    assert {i for turn in served for i in turn} == {0, 1, 2, 3}
    drawn = [bay.session.drawn_wh(place.world.now) for bay in place.bays.values()]
    assert max(drawn) < 2 * min(drawn)


def test_the_battery_covers_the_shortfall_alone_and_recharges_when_the_cars_have_left() -> None:
    battery = Storage(StorageModel("bess", "bess", 50_000.0, 40_000.0, 100_000.0), at(8))
    place = a_place(100_000.0, storage=battery)
    place.plug_in(at(8), "socket-0", a_car("car-0"))
    place.world.advance(at(8))
    assert battery.setpoint_w == -50_000.0
    assert place.balance.grid_w(at(8)) == pytest.approx(100_000.0)
    place.world.advance(at(8) + 12 * MS_PER_MINUTE)
    place.unplug(place.world.now, "car-0")
    place.world.advance(place.world.now)
    assert battery.setpoint_w == 40_000.0
    place.world.advance(at(8) + 2 * MS_PER_HOUR)
    assert battery.setpoint_w == 0.0
    assert battery.soc(place.world.now) == pytest.approx(1.0)


def test_a_tapering_car_leaves_its_power_to_the_others_every_ten_seconds() -> None:
    taper = AcceptanceCurve(60_000.0, (0.0, 0.1, 1.0), (150_000.0, 150_000.0, 1_000.0))
    place = a_place(200_000.0)
    place.plug_in(at(8), "socket-0", a_car("tapers", curve=taper))
    place.plug_in(at(8), "socket-1", a_car("steady"))
    place.world.advance(at(8) + 15 * MS_PER_MINUTE)
    tapers, steady = powers(place)
    assert tapers < 100_000 < steady
    assert tapers + steady == pytest.approx(200_000, rel=2e-3)


def test_single_phase_cars_share_the_phase_they_hang_on() -> None:
    outlets = [
        Outlet("first", "grid", (0, 1, 2)),
        Outlet("second", "grid", (0, 1, 2)),
        Outlet("third", "grid", (1, 2, 0)),
    ]
    tree = LimitTree([Node("grid")], outlets)
    tree.set_limit("grid", "fuse", current_a=32.0)
    place = Operation(World(at(8)), tree)
    for outlet in ("first", "second", "third"):
        place.plug_in(at(8), outlet, a_car(outlet, SOCKET))
    place.world.advance(at(8))
    assert powers(place) == [3_680, 3_680, 7_360]
    assert place.binding_of(place.bay("first")) == "grid L1"


def test_round_robin_passes_the_first_place_on() -> None:
    place = a_place(100_000.0, options=ControlOptions(strategy="round_robin"))
    for i in range(2):
        place.plug_in(at(8), f"socket-{i}", a_car(f"car-{i}", ChargingPath(100_000.0, 0.0, 0.0, 3, 1.0, 1.0)))
    first = []
    for quarter in range(2):
        place.world.advance(at(8) + quarter * 15 * MS_PER_MINUTE)
        first.append(powers(place))
    assert sorted(first) == [[0, 100_000], [100_000, 0]]


def test_a_battery_that_sustains_what_it_offers_offers_less_and_less() -> None:
    battery = Storage(StorageModel("bess", "bess", 50_000.0, 0.0, 100_000.0, sustain_s=3_600.0), at(8))
    place = a_place(10_000.0, storage=battery)
    for i in range(2):
        place.plug_in(at(8), f"socket-{i}", a_car(f"car-{i}"))
    for minute in range(0, 120, 20):
        place.world.advance(at(8, minute))
        usable_wh = battery.energy_wh(at(8, minute)) - 5_000.0
        assert sum(powers(place)) == pytest.approx(10_000.0 + usable_wh, abs=100.0)
    assert usable_wh < 10_000.0
