"""What flows at a site: vehicles, its own load and generation, the stationary battery, and so the grid connection."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from voltbench.quantities import Instant, earliest
from voltbench.running.bay import Bay
from voltbench.site.series import StepSeries
from voltbench.site.storage import Storage


class Balance:
    """The powers of a site at an instant, in W; import and what flows into a device are positive.

    Generation that would push more than `export_limit_w` through the connection is held back.
    """

    def __init__(
        self,
        bays: Mapping[str, Bay],
        storage: Storage | None = None,
        load_w: StepSeries | None = None,
        generation_w: StepSeries | None = None,
        export_limit_w: float = inf,
    ) -> None:
        self.load_w = load_w or StepSeries.constant(0.0)
        self.generation_w = generation_w or StepSeries.constant(0.0)
        self._export_limit_w = export_limit_w
        self._bays = bays
        self._storage = storage

    def background_w(self, now: Instant) -> float:
        """The site's own load less its generation."""
        return self.load_w.at(now) - self.generation_w.at(now)

    def vehicles_w(self, now: Instant) -> float:
        """What all vehicles draw together."""
        return sum(bay.session.power_w(now) for bay in self._bays.values())

    def storage_w(self) -> float:
        """What the stationary battery takes, or (negative) gives."""
        return self._storage.setpoint_w + 0.0 if self._storage is not None else 0.0  # not -0.0

    def grid_w(self, now: Instant) -> float:
        """Power through the grid connection."""
        return self._uncurtailed_w(now) + self.curtailed_w(now)

    def curtailed_w(self, now: Instant) -> float:
        """Generation that is held back."""
        beyond_w = -self._uncurtailed_w(now) - self._export_limit_w
        return max(0.0, min(beyond_w, self.generation_w.at(now)))

    def next_change(self, now: Instant) -> Instant | None:
        """When load or generation changes next."""
        return earliest(self.load_w.next_change(now), self.generation_w.next_change(now))

    def _uncurtailed_w(self, now: Instant) -> float:
        return self.vehicles_w(now) + self.background_w(now) + self.storage_w()
