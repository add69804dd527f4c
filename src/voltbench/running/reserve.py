"""What a site keeps free for those whom it cannot limit: at empty connectors, and where a charger takes no limits.

Whoever comes to a connector may draw the failsafe before he is heard of. A charger that takes no limits counts with its
rating, which its connectors share, whoever is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from voltbench.charging.path import path_to_connector
from voltbench.energy.claim import Claim
from voltbench.running.operation import Operation
from voltbench.running.site_plan import Place


class Reserve:
    """The reserve of a site. `distrusted` are the chargers that take no limits; they are not part of a snapshot."""

    def __init__(self, operation: Operation, places: Sequence[Place], failsafe_w: float) -> None:
        self._operation = operation
        self._commitments = operation.controller.commitments
        self._failsafe_w = failsafe_w
        self._of: dict[str, list[Place]] = {}
        for place in places:
            self._of.setdefault(place.station, []).append(place)
        self.distrusted: set[str] = set()
        self.limits_changed()

    def limits_changed(self) -> None:
        """Somebody has set or cleared a limit of the tree; or nothing is kept free yet."""
        for places in self._of.values():
            for place in places:
                if self._operation.at_connector(place.connector) is None:
                    self.left(place)

    def left(self, place: Place) -> None:
        """Nobody is at a connector: keep free what somebody may draw there."""
        path = path_to_connector(place.station_model, place.connector_model)
        is_distrusted = place.station in self.distrusted
        most_w = self._unlimited_w(place) if is_distrusted else min(self._failsafe_w, path.rating_w)
        if most_w > 0.0:
            rows = self._operation.tree.rows_of(place.connector, path.phases)
            self._commitments.reserve(Claim(_nobody_at(place.connector), rows, path.rating_w), most_w)
        else:
            self._commitments.leave(_nobody_at(place.connector))

    def taken(self, place: Place) -> None:
        """Somebody is at a connector, and counts himself."""
        self._commitments.leave(_nobody_at(place.connector))
        bay = self._operation.at_connector(place.connector)
        if bay is not None and place.station in self.distrusted:
            self._commitments.distrust(bay.session.id, self._unlimited_w(place))

    def distrust(self, charger: str) -> None:
        """A charger takes no limits."""
        self.distrusted.add(charger)
        for place in self._of[charger]:
            if self._operation.at_connector(place.connector) is None:
                self.left(place)
            else:
                self.taken(place)

    def trust(self, charger: str) -> None:
        """A charger takes limits after all."""
        self.distrusted.discard(charger)
        for place in self._of[charger]:
            bay = self._operation.at_connector(place.connector)
            if bay is None:
                self.left(place)
            else:
                self._commitments.trust(bay.session.id, self._failsafe_w)

    def _unlimited_w(self, place: Place) -> float:
        """A connector's part of what its charger gives when nothing limits it: in all no more than its rating."""
        charger = place.station_model
        ratings = [path_to_connector(charger, one.connector_model).rating_w for one in self._of[place.station]]
        own_w = path_to_connector(charger, place.connector_model).rating_w
        return own_w * min(1.0, charger.max_power_w / charger.efficiency / sum(ratings))


def _nobody_at(connector: str) -> str:
    """The name of whoever is not there yet; no session has it."""
    return f"\0{connector}"
