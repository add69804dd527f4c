"""Which vehicles come: a mix that a scenario gives, or one of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voltbench.adapters import strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.stations import looked_up
from voltbench.charging.path import can_plug_in
from voltbench.charging.station import ConnectorModel
from voltbench.charging.vehicle import Vehicle, VehicleModel
from voltbench.errors import InvalidInput
from voltbench.running.arrivals import Mix

CARS = {
    "tesla-model-y-long-range": 12.0,
    "tesla-model-3-rwd-60": 6.0,
    "vw-id3-pro-58": 6.0,
    "vw-id4-pro-77": 6.0,
    "skoda-enyaq-iv-80": 5.0,
    "renault-megane-e-tech-60": 4.0,
    "peugeot-e-208-50": 5.0,
    "fiat-500e-42": 4.0,
    "hyundai-kona-electric-64": 4.0,
    "hyundai-ioniq-5-77": 3.0,
    "kia-ev6-77": 3.0,
    "bmw-i4-edrive40": 3.0,
    "volvo-ex30-extended-range": 3.0,
    "dacia-spring-27": 3.0,
}
SLOW_CARS = {"renault-zoe-r135-50": 5.0, "vw-golf-8-gte": 4.0, "vw-e-up-37": 3.0, "nissan-leaf-40": 2.0}
FAST_CARS = {"porsche-taycan-2024-105": 2.0, "tesla-model-3-long-range": 6.0}

MIXES: dict[str, dict[str, float]] = {
    "workplace": CARS | SLOW_CARS,
    "home": CARS | SLOW_CARS,
    "public": CARS | SLOW_CARS,
    "highway": CARS | FAST_CARS,
}
"""What comes where nobody says: cars one meets in Western Europe, weighted by our eye. Who fits no connector is left
out, and where nobody fits, every vehicle of the catalog that does comes as often."""


def mix_of(
    pattern: str, written: Mapping[str, Any] | None, connectors: Sequence[ConnectorModel], catalog: Catalog
) -> Mix:
    """The vehicles that come, with their weights. A mix that is given may only name vehicles that fit."""
    if written is None:
        return _ours(pattern, connectors, catalog)
    mix = []
    for id, weight in written.items():
        field = f"arrivals.mix.{id}"
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 <= weight <= 1e9:
            raise InvalidInput(field, "is no weight", found=strict.shown(weight), allowed="0 to 1e9")
        model = looked_up(catalog.vehicle, id, field)
        if not _fits(model, connectors):
            types = ", ".join(sorted({connector.type for connector in connectors}))
            raise InvalidInput(field, "fits no connector of the site", found=", ".join(model.inlets), allowed=types)
        mix.append((model, float(weight)))
    return mix


def _ours(pattern: str, connectors: Sequence[ConnectorModel], catalog: Catalog) -> Mix:
    mix = [(catalog.vehicle(id), weight) for id, weight in MIXES[pattern].items()]
    fitting = [(model, weight) for model, weight in mix if _fits(model, connectors)]
    return fitting or [(model, 1.0) for model in catalog.vehicles() if _fits(model, connectors)]


def _fits(model: VehicleModel, connectors: Sequence[ConnectorModel]) -> bool:
    return any(can_plug_in(Vehicle(model.id, model, 0.0), connector) for connector in connectors)
