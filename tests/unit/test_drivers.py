"""Drivers at a station: they show their tags, wait for an answer, and leave."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from tests.ocpp16 import INVALID, OnTheBench, an_ac_car
from voltbench.charging.evse import Evse
from voltbench.charging.vehicle import Vehicle
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant, earliest
from voltbench.running.drivers import Drivers
from voltbench.running.visits import Visit

HOUR_S = 3_600.0


class Place:
    """A station on the bench with those who come there, one minute after the other; each stays for so long."""

    def __init__(self, bench: OnTheBench, *stays_h: float, speed: float = 1.0) -> None:
        self.bench = bench
        numbers = count(1)
        self.drivers = Drivers(
            self, iter(self._visits(stays_h)), lambda: f"TAG-{next(numbers)}", lambda: 0.5, speed=speed
        )
        bench.station.on_fact = self.drivers.hear

    def _visits(self, stays_h: Sequence[float]) -> list[Visit]:
        minutes = [self.bench.now + i * 60 * MS_PER_SECOND for i in range(len(stays_h))]
        return [
            Visit(f"visit-{at}", an_ac_car(), 20_000.0, at, at + round(stay_h * MS_PER_HOUR), leaves_satisfied=True)
            for at, stay_h in zip(minutes, stays_h, strict=True)
        ]

    def live(self, seconds: float) -> None:
        """Let time pass."""
        bench, until = self.bench, self.bench.now + round(seconds * MS_PER_SECOND)
        while (due := self._due()) is not None and due <= until:
            bench.advance((due - bench.now) / MS_PER_SECOND)
            self.drivers.wake(bench.now)
            bench.settle()
        bench.advance((until - bench.now) / MS_PER_SECOND)

    def _due(self) -> Instant | None:
        return earliest(self.drivers.next_wakeup(), self.bench.station.next_wakeup())

    def evses(self) -> list[Evse]:
        return self.bench.station.life.evses

    def plug_in(self, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float) -> None:
        self.bench.station.plug_in(now, evse, vehicle, asked_wh)
        self.bench.settle()

    def present(self, now: Instant, token: str, evse: int) -> None:
        self.bench.station.present(now, token, evse)
        self.bench.settle()

    def unplug(self, now: Instant, evse: int) -> None:
        self.bench.station.unplug(now, evse)
        self.bench.settle()


def reasons(bench: OnTheBench) -> list[Any]:
    return [told.reason for told in bench.told("StopTransaction")]


def test_a_driver_charges_and_leaves():
    place = Place(OnTheBench(), 12)
    place.live(HOUR_S / 2)
    assert place.bench.statuses()[-1] == "Charging"
    place.live(6 * HOUR_S)
    assert reasons(place.bench) == ["Local"]
    assert place.bench.statuses()[-1] == "Available"


def test_who_is_in_a_hurry_gives_the_network_no_less_time_for_an_answer():
    place = Place(OnTheBench(speed=1_000.0), 12, speed=1_000.0)
    place.bench.holds.add("Authorize")
    place.live(20 * 1_000)
    place.bench.let_go()
    place.live(60)
    assert place.bench.statuses()[-1] == "Charging"


def test_whose_time_is_over_while_he_waits_for_an_answer_leaves_when_it_has_come():
    place = Place(OnTheBench(speed=1_000.0), 1, speed=1_000.0)
    place.bench.holds.add("Authorize")
    place.live(2 * HOUR_S)
    place.bench.let_go()
    place.live(300)
    assert len(place.bench.told("StartTransaction")) == 1
    assert reasons(place.bench) == ["Local"]


def test_who_was_refused_leaves_at_once():
    place = Place(OnTheBench(), 12)
    place.bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=INVALID)
    place.live(300)
    assert place.drivers.refused == 1
    assert place.bench.statuses()[-1] == "Available"


def test_whose_transaction_is_not_allowed_after_all_is_counted_and_leaves():
    place = Place(OnTheBench(), 12)
    place.bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(
        id_tag_info=m.IdTagInfo(status="ConcurrentTx"), transaction_id=7
    )
    place.live(300)
    assert place.drivers.deauthorized == 1
    assert reasons(place.bench) == ["DeAuthorized"]
    place.live(300)
    assert place.bench.statuses()[-1] == "Available"


def test_who_leaves_takes_his_cable_with_him():
    place = Place(OnTheBench(fixed={"UnlockConnectorOnEVSideDisconnect": "false"}), 12)
    place.bench.answers["StartTransaction"] = lambda _: m.StartTransactionResponse(
        id_tag_info=m.IdTagInfo(status="ConcurrentTx"), transaction_id=7
    )
    place.live(600)
    assert reasons(place.bench) == ["DeAuthorized"]
    assert place.bench.statuses()[-2:] == ["Finishing", "Available"]


def test_everybody_has_a_tag_of_his_own_also_who_finds_nothing_free():
    place = Place(OnTheBench(), 0.5, 0.5, 0.5, 0.5)
    place.live(HOUR_S)
    assert place.drivers.turned_away == 2
    assert [told.id_tag for told in place.bench.told("StartTransaction")] == ["TAG-1", "TAG-2"]


def test_when_it_is_over_all_leave_and_nobody_comes_any_more():
    place = Place(OnTheBench(), 12, 12, 12)
    place.live(90)
    place.drivers.all_leave(place.bench.now)
    place.bench.settle()
    assert reasons(place.bench) == ["Local", "Local"]
    place.live(HOUR_S)
    assert len(place.bench.told("StartTransaction")) == 2
    assert place.bench.statuses()[-1] == place.bench.statuses(2)[-1] == "Available"


def test_who_leaves_before_he_has_shown_his_tag_does_not_show_it():
    place = Place(OnTheBench(), 12)
    place.live(1)
    place.drivers.all_leave(place.bench.now)
    place.live(HOUR_S)
    assert "Authorize" not in place.bench.actions()
