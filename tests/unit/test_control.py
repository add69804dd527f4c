"""The site controller and its battery: what it gives, and when it begins to take and to stop."""

from __future__ import annotations

from voltbench.energy.control import ControlOptions, SiteController
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.storage import Storage, StorageModel


def test_the_battery_begins_to_recharge_with_clearly_spare_power_and_goes_on_with_any() -> None:
    tree = LimitTree([Node("grid")], [Outlet("socket", "grid")])
    tree.set_limit("grid", "contract", 100_000.0)
    storage = Storage(StorageModel("bess", "bess", 100_000.0, 50_000.0, 50_000.0), 0, soc=0.5)
    controller = SiteController(tree, ControlOptions(recharge_band_w=10_000.0), storage)

    def beside(load_w: float) -> float:
        setpoint_w = controller.storage_setpoint_w(0, controller.own_bounds(0, load_w), [], [])
        storage.set_power(0, setpoint_w)
        return setpoint_w

    assert beside(95_000.0) == 0.0
    assert beside(80_000.0) == 20_000.0
    assert beside(95_000.0) == 5_000.0
    assert beside(100_000.0) == 0.0
    assert beside(95_000.0) == 0.0
    assert beside(120_000.0) == -20_000.0
