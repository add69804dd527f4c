"""A station whose time passes faster than the network's gives its CSMS as much of that one's time as any other."""

from __future__ import annotations

import pytest

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.quantities import MS_PER_SECOND, rfc3339

SPEEDS = [0.5, 1.0, 2_000.0]


@pytest.mark.parametrize("speed", SPEEDS)
def test_an_answer_may_take_thirty_seconds_of_the_networks_time(speed: float):
    bench = OnTheBench(speed=speed)
    bench.holds.add("Authorize")
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(29.9 * speed)
    assert bench.station.overdue == 0
    bench.advance(0.2 * speed)
    assert bench.station.overdue == 1


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_line_is_tried_again_by_the_networks_time(speed: float):
    bench = OnTheBench(speed=speed)
    bench.lose_line()
    bench.wanted = 0
    bench.advance(60 * speed)
    assert bench.wanted == 5  # after 1, 2, 4, 8 and 16 s, one after the other; the next is 32 s later


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_message_that_could_not_be_processed_is_tried_again_by_the_networks_time(speed: float):
    bench = OnTheBench(speed=speed)
    bench.answers["StartTransaction"] = lambda _: None
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(59 * speed)
    assert len(bench.told("StartTransaction")) == 1
    bench.advance(2 * speed)
    assert len(bench.told("StartTransaction")) == 2


@pytest.mark.parametrize("speed", SPEEDS)
def test_who_is_pending_boots_again_by_the_networks_time(speed: float):
    bench = OnTheBench(boots=False, speed=speed)
    told = m.BootNotificationResponse(status="Pending", current_time=rfc3339(bench.now), interval=60)
    bench.answers["BootNotification"] = lambda _: told
    bench.advance(59 * speed)
    assert len(bench.told("BootNotification")) == 1
    bench.advance(2 * speed)
    assert len(bench.told("BootNotification")) == 2


def test_its_meter_is_read_by_its_own_time():
    bench = OnTheBench(speed=2_000.0)
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    bench.advance(600)
    stamps = [value.timestamp for told in bench.told("MeterValues") for value in told.meter_value]
    assert stamps == [rfc3339(bench.now - 60 * MS_PER_SECOND * i) for i in reversed(range(10))]


def test_heartbeats_do_not_queue_up_behind_a_call_that_waits():
    bench = OnTheBench(fixed={"HeartbeatInterval": "10"}, speed=2_000.0)
    bench.holds.add("Authorize")
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    before = len(bench.told("Heartbeat"))
    bench.advance(30 * 1_000)
    bench.let_go()
    assert len(bench.told("Heartbeat")) == before
