"""Who comes to one station, day after day without end: by a pattern of arrivals, or always somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from voltbench.charging.path import can_plug_in
from voltbench.charging.station import StationModel
from voltbench.charging.vehicle import Vehicle
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.arrivals import PATTERNS, Mix, visits
from voltbench.running.visits import Visit

ALWAYS = "always"
"""Not a pattern: as soon as one car has left an EVSE, the next one comes."""

PROFILES = (ALWAYS, *PATTERNS)

LONGEST_STAY_MS = 12 * MS_PER_HOUR


def comings(
    profile: str,
    per_day: float,
    start: Instant,
    station: StationModel,
    mix: Mix,
    seed: int,
    chance: Callable[[], float],
) -> Iterator[Visit]:
    """The visits to a station from `start` on, in order of arrival; only cars that can charge there come.

    A weekday brings `per_day` of them on average. Raises InvalidInput for an unknown profile, or where nothing fits.
    """
    fitting = [(model, weight) for model, weight in mix if _fits(Vehicle("", model, 0.5), station)]
    if profile not in PROFILES:
        raise InvalidInput("arrivals", "is unknown", found=profile, allowed=", ".join(PROFILES))
    if not fitting:
        raise InvalidInput("model", "has no connector that any car here fits", found=station.id)
    if profile == ALWAYS:
        return _one_after_another(start, station, fitting, chance)
    dc = any(connector.is_dc for connector in station.connectors)
    return _day_after_day(profile, per_day, start, fitting, seed, dc)


def _fits(vehicle: Vehicle, station: StationModel) -> bool:
    return any(can_plug_in(vehicle, connector) for connector in station.connectors)


def _day_after_day(profile: str, per_day: float, start: Instant, mix: Mix, seed: int, dc: bool) -> Iterator[Visit]:
    while True:
        yield from visits(profile, per_day, 1.0, start, mix, seed, dc=dc)
        start += MS_PER_DAY


def _one_after_another(start: Instant, station: StationModel, mix: Mix, chance: Callable[[], float]) -> Iterator[Visit]:
    """One attempt a minute for each EVSE: whoever finds none free goes elsewhere, so that none is free for long."""
    number, now = 0, start
    models = [model for model, _ in mix]
    while True:
        for _ in station.connectors:
            number += 1
            vehicle = Vehicle(f"car-{number}", models[int(chance() * len(models))], 0.1 + 0.5 * chance())
            yield Visit(
                id=vehicle.id,
                vehicle=vehicle,
                asked_wh=vehicle.model.usable_capacity_wh,
                arrives_at=now + int(chance() * 5_000),
                departs_at=now + LONGEST_STAY_MS,
                leaves_satisfied=True,
            )
        now += MS_PER_MINUTE
