"""A house on the engine: a household, a charger and a car, with exact energies between whatever happens."""

from __future__ import annotations

from voltbench.charging.path import ChargingPath, path_to_pack
from voltbench.charging.session import ChargingSession
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import Acceptance, OnboardCharger, Vehicle, VehicleModel
from voltbench.quantities import NOMINAL_VOLTAGE_V, DurationMs, Instant, current_a, earliest
from voltbench.running.home.day import Day
from voltbench.running.home.model import HomeModel, HomeState

MOST_ON_ONE_PHASE_W = 7_400.0
"""A stronger charger has three phases, and a minimum three times as high."""

ACCEPTANCE_SOC = (0.0, 0.16, 0.42, 0.68, 0.8, 0.9, 1.0)
ACCEPTANCE_PER_H = (1.8, 2.15, 1.68, 1.42, 1.0, 0.52, 0.086)
"""Power that the car accepts, in capacities per hour, over its state of charge: the curve of the catalog's Peugeot
e-208, which has the battery of the course's Citroën ë-Berlingo, a little simplified. At 7.4 kW it binds above 98 %."""

DECIMALS = 6
"""Of W and Wh as they are told: beyond these they are rounding."""


class House:
    """The home of a model, as at the start, with the charger switched off; its day begins now."""

    def __init__(self, model: HomeModel, now: Instant) -> None:
        self._model = model
        self._day = Day(model.quarters)
        self._vehicle = _vehicle(model)
        self._path = _path(model, self._vehicle)
        self._allowed_w = [_left_for_car_w(model, self._path, load_w) for load_w in model.load_w]
        self.reset(now)

    def reset(self, now: Instant) -> None:
        """The car is as at the start, the charger is off, and a day begins."""
        model, curve = self._model, self._vehicle.model.curve
        cap_soc = 1.0 if model.cap_soc is None else model.cap_soc
        stored_wh = model.start_soc * model.capacity_wh
        wanted_wh = (cap_soc - model.start_soc) * model.capacity_wh / model.efficiency
        self._midnight = now
        self._session = ChargingSession("home", self._path, curve, stored_wh, wanted_wh, now)
        self._is_on = False
        self._changes_at: Instant | None = None

    def switch(self, now: Instant, on: bool) -> None:
        """Let the charger charge, or not."""
        if on != self._is_on:
            self._is_on = on
            self._hold(now)

    def look(self, now: Instant) -> HomeState:
        """What there is to see at this instant."""
        elapsed_ms, session = now - self._midnight, self._session
        household_w = self._day.at(self._model.load_w, elapsed_ms)
        car_w, soc = round(session.power_w(now), DECIMALS), session.soc(now)
        return HomeState(
            hour=self._day.hour(elapsed_ms),
            minute=self._day.minute(elapsed_ms),
            household_w=household_w,
            car_w=car_w,
            load_w=household_w + car_w,
            energy_wh=round(soc * self._model.capacity_wh, DECIMALS),
            soc=soc,
            is_switched_on=self._is_on,
            is_untouched=session.drawn_wh(now) <= 0.0,
        )

    def next_wakeup(self) -> Instant | None:
        """When the car's law changes, or the household leaves it more or less power."""
        return earliest(self._session.next_wakeup(), None if self._session.is_satisfied else self._changes_at)

    def wake(self, now: Instant) -> None:
        """Do what is due up to now, each thing at its own instant."""
        while (due := self.next_wakeup()) is not None and due <= now:
            self._session.wake(due)
            if self._changes_at is not None and self._changes_at <= due:
                self._hold(due)

    def _hold(self, now: Instant) -> None:
        """Offer the car what it may draw until that changes."""
        elapsed_ms: DurationMs = now - self._midnight
        self._session.limit(now, self._day.at(self._allowed_w, elapsed_ms) if self._is_on else 0.0)
        change = self._day.next_change(self._allowed_w, elapsed_ms) if self._is_on else None
        self._changes_at = None if change is None else self._midnight + change


def _left_for_car_w(model: HomeModel, path: ChargingPath, load_w: float) -> float:
    """What the car may draw beside the household: nothing where that is less than a charger can give."""
    left_w = model.power_w if model.fuse_w is None else min(model.power_w, model.fuse_w - load_w)
    return left_w if left_w >= path.minimum_w else 0.0


def _vehicle(model: HomeModel) -> Vehicle:
    phases = _phases(model)
    onboard = OnboardCharger(phases, current_a(model.power_w, phases), efficiency=model.efficiency)
    accepted_w = tuple(model.capacity_wh * rate for rate in ACCEPTANCE_PER_H)
    curve = Acceptance(ACCEPTANCE_SOC, accepted_w)
    car = VehicleModel("car", "A car at home", model.capacity_wh, curve, ("cType2",), "the home's model", onboard)
    return Vehicle("car", car, model.start_soc)


def _path(model: HomeModel, vehicle: Vehicle) -> ChargingPath:
    connector = ConnectorModel("cType2", model.power_w, _phases(model), NOMINAL_VOLTAGE_V)
    return path_to_pack(
        StationModel("home", "Home", model.power_w, (connector,), "the home's model"), connector, vehicle
    )


def _phases(model: HomeModel) -> int:
    return 1 if model.power_w <= MOST_ON_ONE_PHASE_W else 3
