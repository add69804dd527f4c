"""What a station does by its configuration keys: how each of them changes its life."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from voltbench.charging.life import StationLife
from voltbench.ocpp.v16.station.configuration import Configuration
from voltbench.ocpp.v16.station.wiring import phases_of
from voltbench.quantities import MS_PER_SECOND, Instant

Adopt: TypeAlias = Callable[[Instant, StationLife, Configuration], None]


def _connection_timeout(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.connection_timeout_ms = keys.whole("ConnectionTimeOut") * MS_PER_SECOND


def _stop_on_unplug(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.stops_on_unplug = keys.is_on("StopTransactionOnEVSideDisconnect")


def _unlock_on_unplug(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.unlocks_on_unplug = keys.is_on("UnlockConnectorOnEVSideDisconnect")


def _stop_on_invalid(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.stops_on_invalid = keys.is_on("StopTransactionOnInvalidId")


def _grace(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.grace_wh = float(keys.whole("MaxEnergyOnInvalidId"))


def _minimum_status(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.habits.minimum_status_ms = keys.whole("MinimumStatusDuration") * MS_PER_SECOND


def _sample(now: Instant, life: StationLife, keys: Configuration) -> None:
    life.sampling.every(now, keys.whole("MeterValueSampleInterval") * MS_PER_SECOND)


def _sample_by_clock(now: Instant, life: StationLife, keys: Configuration) -> None:
    evses = tuple(evse.id for evse in life.evses)
    life.sampling.by_clock(now, keys.whole("ClockAlignedDataInterval") * MS_PER_SECOND, evses)


def _blink(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.lights.repeat = keys.whole("BlinkRepeat")


def _shine(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.lights.intensity = keys.whole("LightIntensity") / 100.0


def _rotate(_now: Instant, life: StationLife, keys: Configuration) -> None:
    for evse in life.evses:
        evse.feed.rotate(phases_of(evse.id, keys.listed("ConnectorPhaseRotation")))


def _switch_phases(_now: Instant, life: StationLife, keys: Configuration) -> None:
    life.powering.switches_phases = keys.is_on("ConnectorSwitch3to1PhaseSupported")


ADOPTED: dict[str, Adopt] = {
    "BlinkRepeat": _blink,
    "ClockAlignedDataInterval": _sample_by_clock,
    "ConnectionTimeOut": _connection_timeout,
    "ConnectorPhaseRotation": _rotate,
    "ConnectorSwitch3to1PhaseSupported": _switch_phases,
    "LightIntensity": _shine,
    "MaxEnergyOnInvalidId": _grace,
    "MeterValueSampleInterval": _sample,
    "MinimumStatusDuration": _minimum_status,
    "StopTransactionOnEVSideDisconnect": _stop_on_unplug,
    "StopTransactionOnInvalidId": _stop_on_invalid,
    "UnlockConnectorOnEVSideDisconnect": _unlock_on_unplug,
}
"""What is done when a key was changed, and for every one of these when a station boots."""
