"""A site's meters are read whenever what flows takes another course, cars or not."""

from __future__ import annotations

from tests.builders import MIDNIGHT, a_site, at
from voltbench.energy.control import ControlOptions
from voltbench.engine import World
from voltbench.running.metering import SiteMeter, SiteReading
from voltbench.site.series import StepSeries


def test_a_load_that_changes_is_read_when_it_does() -> None:
    load_w = StepSeries([(MIDNIGHT, 3_000.0), (at(8), 20_000.0), (at(18), 1_000.0)])
    world, readings = World(MIDNIGHT), list[SiteReading]()
    operation = a_site(load_w=load_w).in_operation(world, ControlOptions())
    SiteMeter(operation, readings.append)
    world.run(at(23))
    assert [(reading.at, reading.grid_w) for reading in readings] == load_w.steps()
