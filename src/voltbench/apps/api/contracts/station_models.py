"""The bodies of the station contract: kW and kWh, names as the contract has them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voltbench.adapters import strict
from voltbench.quantities import kw_from_w, rfc3339
from voltbench.running.views import BatteryView, ChargerView, ConnectorView, SessionView, SiteView

SMALLEST_DEMAND_KW, LARGEST_POWER_KW = 0.001, 1_000_000.0
"""A watt and a gigawatt: beyond them a power is a mistake."""

Demand = Annotated[float, Field(ge=SMALLEST_DEMAND_KW, le=LARGEST_POWER_KW, allow_inf_nan=False, description="kW")]
Reading = Annotated[float, Field(ge=0, le=LARGEST_POWER_KW, allow_inf_nan=False, description="kW")]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
ConnectorId = int | str
"""A number, or the text of a connector that was configured with one."""


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class SessionAsked(_Asked):
    """A vehicle is plugged in."""

    charger_id: str = Field(max_length=255, examples=["CP001"])
    connector_id: int = Field(examples=[1])
    vehicle_max_power: Demand = Field(examples=[150])


class PowerReported(_Asked):
    """What a vehicle draws, and what it could take: nothing, once it is full."""

    consumed_power: Reading = Field(examples=[99.2])
    vehicle_max_power: Reading = Field(examples=[150])


class StopAsked(_Asked):
    """A vehicle is unplugged; what its charger counted may be told."""

    consumed_energy: Amount | None = Field(default=None, description="kWh")
    duration: Amount | None = Field(default=None, description="s")


class SessionStarted(msgspec.Struct, frozen=True, rename="camel"):
    """A session and what it may draw now. `bindingLimit` names what holds it back: `grid`, a charger, `vehicle`."""

    session_id: str
    charger_id: str
    connector_id: ConnectorId
    vehicle_max_power: float
    allocated_power: float
    binding_limit: str


class SessionReport(SessionStarted, frozen=True, rename="camel"):
    """A session, running or ended. `consumedPower` is the last reading, null before the first; `energy` in kWh."""

    consumed_power: float | None
    energy: float
    started_at: str
    ended_at: str | None
    status: str


class PowerAllocated(msgspec.Struct, frozen=True, rename="camel"):
    """The power a session may draw now."""

    new_allocated_power: float
    binding_limit: str


class ConnectorStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A connector, and its session if it has one."""

    id: ConnectorId
    session: SessionReport | None


class ChargerStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A charger: what its connectors share, and what it gives them."""

    id: str
    max_power: float
    allocated_power: float
    connectors: list[ConnectorStatus]


class BatteryStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The stationary battery. `power` is positive while it charges; `energy` in kWh, `soc` 0 to 1."""

    soc: float
    power: float
    energy: float


class BatteryReport(BatteryStatus, frozen=True, rename="camel"):
    """The stationary battery, with what it is built for."""

    capacity: float
    max_power: float


class StationStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A station at one instant. `gridPower` is positive while it imports."""

    station_id: str
    grid_capacity: float
    static_load: float
    grid_power: float
    battery: BatteryStatus | None
    chargers: list[ChargerStatus]


class LoadSummary(msgspec.Struct, frozen=True, rename="camel"):
    """Who has how much, in kW: what is there, what is asked, what is given."""

    grid_capacity: float
    grid_limit: float
    static_load: float
    battery_power: float
    requested_power: float
    allocated_power: float
    grid_power: float
    available_power: float
    sessions: int


def started(view: SessionView) -> SessionStarted:
    """A session in the contract's words."""
    return SessionStarted(**_common(view))


def allocated(view: SessionView) -> PowerAllocated:
    """What a session may draw now."""
    return PowerAllocated(new_allocated_power=kw_from_w(view.allocated_w), binding_limit=view.binding)


def report(view: SessionView) -> SessionReport:
    """A session with its readings."""
    return SessionReport(
        **_common(view),
        consumed_power=None if view.consumed_w is None else kw_from_w(view.consumed_w),
        energy=kw_from_w(view.energy_wh),
        started_at=rfc3339(view.started_at),
        ended_at=None if view.ended_at is None else rfc3339(view.ended_at),
        status=view.status,
    )


def _common(view: SessionView) -> dict[str, Any]:
    return {
        "session_id": view.id,
        "charger_id": view.charger,
        "connector_id": connector_id(view.connector),
        "vehicle_max_power": kw_from_w(view.vehicle_max_w),
        "allocated_power": kw_from_w(view.allocated_w),
        "binding_limit": view.binding,
    }


def status(view: SiteView) -> StationStatus:
    """A site as the contract shows a station."""
    return StationStatus(
        station_id=view.id,
        grid_capacity=kw_from_w(view.grid_capacity_w),
        static_load=kw_from_w(view.static_load_w),
        grid_power=kw_from_w(view.grid_power_w),
        battery=None if view.battery is None else BatteryStatus(**_battery(view.battery)),
        chargers=[_charger(charger) for charger in view.chargers],
    )


def battery(view: BatteryView) -> BatteryReport:
    """The stationary battery in full."""
    return BatteryReport(**_battery(view), capacity=kw_from_w(view.capacity_wh), max_power=kw_from_w(view.max_power_w))


def load_summary(view: SiteView) -> LoadSummary:
    """Who has how much."""
    allocated_w = sum(charger.allocated_w for charger in view.chargers)
    battery_w = view.battery.power_w if view.battery is not None else 0.0
    return LoadSummary(
        grid_capacity=kw_from_w(view.grid_capacity_w),
        grid_limit=kw_from_w(view.grid_limit_w),
        static_load=kw_from_w(view.static_load_w),
        battery_power=kw_from_w(battery_w),
        requested_power=kw_from_w(sum(charger.requested_w for charger in view.chargers)),
        allocated_power=kw_from_w(allocated_w),
        grid_power=kw_from_w(view.grid_power_w),
        available_power=kw_from_w(max(0.0, view.grid_limit_w - view.grid_power_w)),
        sessions=len(view.sessions),
    )


def connector_name(number: int) -> str:
    """The id of the connector that is asked for by a number; one too long to be any is not repeated at length."""
    return str(strict.shown(number))


def connector_id(id: str) -> ConnectorId:
    """A connector's id as the contract has it: a number where it is one."""
    return int(id) if id.isascii() and id.isdecimal() else id


def _charger(view: ChargerView) -> ChargerStatus:
    return ChargerStatus(
        id=view.id,
        max_power=kw_from_w(view.max_power_w),
        allocated_power=kw_from_w(view.allocated_w),
        connectors=[_connector(connector) for connector in view.connectors],
    )


def _connector(view: ConnectorView) -> ConnectorStatus:
    return ConnectorStatus(id=connector_id(view.id), session=None if view.session is None else report(view.session))


def _battery(view: BatteryView) -> dict[str, float]:
    return {"soc": view.soc, "power": kw_from_w(view.power_w), "energy": kw_from_w(view.energy_wh)}
