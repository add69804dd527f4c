"""What a site keeps free for those whom it cannot limit."""

from __future__ import annotations

import pytest

from tests.builders import MIDNIGHT, a_site, a_station_model
from voltbench.energy.control import ControlOptions
from voltbench.engine import World
from voltbench.running.operation import Operation
from voltbench.running.reserve import Reserve


@pytest.mark.parametrize("efficiency", [1.0, 0.8])
def test_a_charger_that_takes_no_limits_may_draw_all_it_gives_and_what_it_loses(efficiency: float) -> None:
    """Two connectors share 100 kW of output: that is what is drawn at the input for it, and not a watt more or less."""
    site = a_site(stations=2, station=a_station_model(100_000.0, connectors=2, efficiency=efficiency))
    operation = Operation(World(MIDNIGHT), site.tree, ControlOptions())
    reserve = Reserve(operation, site.places, failsafe_w=1_000.0)
    commitments = operation.controller.commitments
    assert [known.failsafe_w for known in commitments.silent()] == [1_000.0] * 4
    reserve.distrust("station-1")
    kept_w = {known.claim.id.strip("\0"): known.failsafe_w for known in commitments.silent()}
    assert kept_w == pytest.approx(
        {f"station-1:{i}": 50_000.0 / efficiency for i in (1, 2)} | {f"station-2:{i}": 1_000.0 for i in (1, 2)}
    )
    reserve.trust("station-1")
    assert [known.failsafe_w for known in commitments.silent()] == [1_000.0] * 4
