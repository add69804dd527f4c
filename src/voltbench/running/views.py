"""What can be seen of a site at an instant: frozen, whole, and consistent. Powers in W, energies in Wh."""

from __future__ import annotations

import msgspec

from voltbench.quantities import Instant

ENDED = "Ended"
"""Status of a session that is over, as a transaction event of OCPP 2.0.1 says it."""


class SessionView(msgspec.Struct, frozen=True):
    """A session, running or ended.

    `binding` names the limit that holds it back, or is `vehicle`, `turn`, `plan` (another hour suits better), `silence`
    where nothing is heard of it any more, or `refusal` where its charging station takes no limits.
    `consumed_w` is what was last reported (None: nothing yet), `power_w` what it is taken to draw; `boosted_w` is the
    stationary battery's part of `power_w`, in the proportion in which grid and battery feed the site. `status` is
    a ChargingStateEnumType of OCPP 2.0.1, or `Ended`; `reason` says why it ended.
    """

    id: str
    charger: str
    connector: str
    vehicle_max_w: float
    allocated_w: float
    binding: str
    consumed_w: float | None
    power_w: float
    boosted_w: float
    energy_wh: float
    started_at: Instant
    ended_at: Instant | None
    status: str
    is_lent: bool = False
    reason: str = ""
    reported_duration_s: float | None = None


class ConnectorView(msgspec.Struct, frozen=True):
    """A connector, and who is there."""

    id: str
    max_power_w: float
    session: SessionView | None


class ChargerView(msgspec.Struct, frozen=True):
    """A charging station: what it has allocated, and what its vehicles could take.

    One that `refuses_limits` counts with its rating, whatever is allocated. `clock_off_s` says how far its own clock is
    ahead of ours (below 0: behind), where we hear it by OCPP.
    """

    id: str
    max_power_w: float
    allocated_w: float
    requested_w: float
    connectors: tuple[ConnectorView, ...]
    refuses_limits: bool = False
    clock_off_s: float | None = None


class BatteryView(msgspec.Struct, frozen=True):
    """The stationary battery; charging is positive. `max_power_w` is the most it can give."""

    soc: float
    power_w: float
    energy_wh: float
    capacity_wh: float
    max_power_w: float


class LimitView(msgspec.Struct, frozen=True):
    """A limit that a source has set on a node."""

    node: str
    source: str
    power_w: float


class SiteView(msgspec.Struct, frozen=True):
    """A site. `grid_capacity_w` is what it was built with, `grid_limit_w` the lowest of all sources now.

    `grid_power_w` is import positive: what vehicles are taken to draw, and the site's own load, generation and battery.
    """

    id: str
    at: Instant
    grid_capacity_w: float
    grid_limit_w: float
    static_load_w: float
    generation_w: float
    grid_power_w: float
    battery: BatteryView | None
    chargers: tuple[ChargerView, ...]
    limits: tuple[LimitView, ...] = ()

    @property
    def sessions(self) -> list[SessionView]:
        """Everybody who is there, in the order of the chargers."""
        connectors = (connector for charger in self.chargers for connector in charger.connectors)
        return [connector.session for connector in connectors if connector.session is not None]
