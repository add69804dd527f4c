"""The Caltech garage as ACN-Sim has it, built on our side from what the peer says of its network."""

from __future__ import annotations

import cmath
import json
import math
from pathlib import Path
from typing import Any

from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import Acceptance, OnboardCharger, Vehicle, VehicleModel
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.scenario import Scenario
from voltbench.running.site_plan import Place, SitePlan
from voltbench.running.visits import Visit
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.lines import LineLimit

TRANSITION_SOC = 0.8


def garage(network: dict[str, Any]) -> SitePlan:
    """The site: each constraint of the peer is a line limit, each station an outlet."""
    stations = network["station_ids"]
    angles = [cmath.rect(1.0, math.radians(angle)) for angle in network["angles_deg"]]
    outlets = [Outlet(id, "garage", voltage_v=v) for id, v in zip(stations, network["voltages_v"], strict=True)]
    lines = [
        LineLimit(
            row["name"],
            row["limit_a"],
            {id: c * angle for id, c, angle in zip(stations, row["coefficients"], angles, strict=True) if c},
        )
        for row in network["constraints"]
    ]
    places = [_place(id, v, a) for id, v, a in zip(stations, network["voltages_v"], network["max_a"], strict=True)]
    return SitePlan("caltech", LimitTree([Node("garage")], outlets, lines), places)


def _place(id: str, voltage_v: float, max_a: float) -> Place:
    connector = ConnectorModel("cType1", voltage_v * max_a, 1, voltage_v)
    station = StationModel(id, id, voltage_v * max_a, (connector,), "ACN-Sim's caltech_acn", min_current_a=0.0)
    return Place(id, id, station, connector)


def garage_scenario(sessions: Path, network: dict[str, Any], period_min: int, strategy: str) -> Scenario:
    """Both sides act at whole periods, arrivals floored and departures raised to them; the controller knows ratings."""
    read = json.loads(sessions.read_text())
    site = garage(network)
    visits = [_visit(session, network, period_min) for session in read["sessions"]]
    interval_ms = period_min * MS_PER_MINUTE
    options = ControlOptions(strategy=strategy, interval_ms=interval_ms, on_events=False, by_rating=True)
    return Scenario(sessions.stem, site, visits, 0, max(visit.departs_at for visit in visits), options)


def _visit(session: dict[str, Any], network: dict[str, Any], period_min: int) -> Visit:
    k = session["evse"]
    capacity_wh, max_w = session["capacity_kwh"] * 1e3, session["max_kw"] * 1e3
    model = VehicleModel(
        id=session["id"],
        name=session["id"],
        usable_capacity_wh=capacity_wh,
        acceptance=Acceptance((0.0, TRANSITION_SOC, 1.0), (max_w, max_w, 0.0)),
        inlets=("cType1",),
        source="session file",
        ac=OnboardCharger(1, network["max_a"][k], 0.0, 1.0),
    )
    return Visit(
        id=session["id"],
        vehicle=Vehicle(session["id"], model, session["init_kwh"] / session["capacity_kwh"]),
        asked_wh=session["kwh"] * 1e3,
        arrives_at=session["arrive_min"] // period_min * period_min * MS_PER_MINUTE,
        departs_at=-(-session["depart_min"] // period_min) * period_min * MS_PER_MINUTE,
        connector=network["station_ids"][k],
    )
