"""The path of power from the site through a station and a connector, and on to a vehicle's pack."""

from __future__ import annotations

from dataclasses import dataclass, replace

from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import Vehicle, fits
from voltbench.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ChargingPath:
    """What lies between the site and a vehicle's pack: ceilings, resolution, losses. Powers as drawn from the site."""

    rating_w: float
    minimum_w: float
    step_w: float
    phases: int
    supply_efficiency: float
    efficiency: float


def path_to_connector(station: StationModel, connector: ConnectorModel) -> ChargingPath:
    """The path from the site to a connector, for a vehicle of which nothing more is known."""
    most_w = min(connector.max_power_w, station.max_power_w)
    if connector.is_dc:
        share = station.efficiency
        return ChargingPath(most_w / share, 0.0, station.step_w / share, 3, share, share)
    per_ampere_w = connector.phases * connector.voltage_v
    minimum_w, step_w = station.min_current_a * per_ampere_w, station.step_a * per_ampere_w
    return ChargingPath(most_w, minimum_w, step_w, connector.phases, supply_efficiency=1.0, efficiency=1.0)


def path_to_pack(station: StationModel, connector: ConnectorModel, vehicle: Vehicle) -> ChargingPath:
    """The path from the site to a vehicle's pack through a connector. InvalidInput when the plug does not fit."""
    inlets, ac = vehicle.model.inlets, vehicle.model.ac
    if not can_plug_in(vehicle, connector):
        raise InvalidInput(
            "vehicle", f"{vehicle.model.id} does not fit", found=connector.type, allowed=", ".join(inlets)
        )
    path = path_to_connector(station, connector)
    if ac is None or connector.is_dc:
        return path
    phases = min(connector.phases, ac.phases)
    per_ampere_w = phases * connector.voltage_v
    socket_a = path.rating_w / (connector.phases * connector.voltage_v)
    return ChargingPath(
        rating_w=min(socket_a, ac.max_current_a) * per_ampere_w,
        minimum_w=max(station.min_current_a, ac.min_current_a) * per_ampere_w,
        step_w=station.step_a * per_ampere_w,
        phases=phases,
        supply_efficiency=path.supply_efficiency,
        efficiency=ac.efficiency,
    )


def on_phases(path: ChargingPath, phases: int) -> ChargingPath:
    """The same path on fewer phases of an AC connector, with the same current in each."""
    share = phases / path.phases
    return replace(
        path,
        rating_w=path.rating_w * share,
        minimum_w=path.minimum_w * share,
        step_w=path.step_w * share,
        phases=phases,
    )


def can_plug_in(vehicle: Vehicle, connector: ConnectorModel) -> bool:
    """Whether a vehicle can charge at a connector at all."""
    return fits(vehicle.model.inlets, connector.type) and (connector.is_dc or vehicle.model.ac is not None)
