"""Look at a site in operation: everything there is to see of it at one instant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from voltbench.charging.reported import ReportedSession
from voltbench.quantities import Instant
from voltbench.running.bay import Bay
from voltbench.running.operation import Operation
from voltbench.running.site_plan import Place
from voltbench.running.views import BatteryView, ChargerView, ConnectorView, LimitView, SessionView, SiteView
from voltbench.site.storage import Storage


def connector_id(place: Place) -> str:
    """What a connector is called at its charging station: its outlet's name without the station's."""
    return place.connector.removeprefix(f"{place.station}:")


def look(
    site_id: str,
    now: Instant,
    operation: Operation,
    places: Sequence[Place],
    grid_capacity_w: float,
    limits: Iterable[LimitView] = (),
    distrusted: Collection[str] = (),
) -> SiteView:
    """A site as it is now. `grid_capacity_w` is what it was built with, `limits` those that were set since.

    `distrusted` are the charging stations that refuse limits.
    """
    storage = operation.storage
    stations: dict[str, list[Place]] = {}
    for place in places:
        stations.setdefault(place.station, []).append(place)
    boosted = boosted_share(now, operation)
    return SiteView(
        id=site_id,
        at=now,
        grid_capacity_w=grid_capacity_w,
        grid_limit_w=operation.tree.bounds(now)[0],
        static_load_w=operation.balance.load_w.at(now),
        generation_w=operation.balance.generation_w.at(now) - operation.balance.curtailed_w(now),
        grid_power_w=operation.balance.grid_w(now),
        battery=_battery(now, storage) if storage is not None else None,
        chargers=tuple(
            _charger(now, operation, members, boosted, refuses_limits=id in distrusted)
            for id, members in stations.items()
        ),
        limits=tuple(limits),
    )


def session_view(now: Instant, operation: Operation, bay: Bay, place: Place, boosted: float) -> SessionView:
    """A session as it is now, when `boosted` is the part that the battery feeds (`boosted_share`)."""
    session = bay.session
    reported = session if isinstance(session, ReportedSession) else None
    reading = reported.reading if reported is not None else None
    return SessionView(
        id=session.id,
        charger=place.station,
        connector=connector_id(place),
        vehicle_max_w=reported.maximum_w if reported is not None else session.ceiling_w,
        allocated_w=session.limit_w,
        binding=operation.binding_of(bay),
        consumed_w=reading.power_w if reading is not None else None,
        power_w=session.power_w(now),
        boosted_w=session.power_w(now) * boosted,
        energy_wh=session.delivered_wh(now),
        started_at=session.arrived_at,
        ended_at=None,
        status=str(session.status()),
        is_lent=reported is not None and reported.is_lent,
    )


def boosted_share(now: Instant, operation: Operation) -> float:
    """The part of what a site draws that its battery feeds, 0 to 1."""
    discharge_w = max(0.0, -operation.balance.storage_w())
    if discharge_w == 0.0:
        return 0.0
    return discharge_w / max(discharge_w, operation.balance.vehicles_w(now) + operation.balance.load_w.at(now))


def _charger(
    now: Instant, operation: Operation, places: Sequence[Place], boosted: float, *, refuses_limits: bool
) -> ChargerView:
    connectors = tuple(_connector(now, operation, place, boosted) for place in places)
    sessions = [connector.session for connector in connectors if connector.session is not None]
    return ChargerView(
        id=places[0].station,
        max_power_w=places[0].station_model.max_power_w,
        allocated_w=sum(session.allocated_w for session in sessions),
        requested_w=sum(session.vehicle_max_w for session in sessions),
        connectors=connectors,
        refuses_limits=refuses_limits,
    )


def _connector(now: Instant, operation: Operation, place: Place, boosted: float) -> ConnectorView:
    bay = operation.at_connector(place.connector)
    session = session_view(now, operation, bay, place, boosted) if bay is not None else None
    return ConnectorView(connector_id(place), place.connector_model.max_power_w, session)


def _battery(now: Instant, storage: Storage) -> BatteryView:
    return BatteryView(
        soc=storage.soc(now),
        power_w=storage.setpoint_w + 0.0,  # not -0.0
        energy_wh=storage.energy_wh(now),
        capacity_wh=storage.model.capacity_wh,
        max_power_w=storage.model.discharge_max_w,
    )
