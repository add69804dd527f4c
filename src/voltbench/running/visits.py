"""Who comes to a site, finds a connector or waits for one, charges, and leaves: the driver side of a scenario."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush

from voltbench.battery.thermal import MILD_DEGC
from voltbench.charging.path import ChargingPath, can_plug_in, path_to_pack
from voltbench.charging.session import ChargingSession, Emit
from voltbench.charging.vehicle import Vehicle, VehicleModel
from voltbench.charging.warm_session import session_of
from voltbench.engine import ARRIVALS
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant
from voltbench.running.needs import LEAST_WH
from voltbench.running.operation import Operation
from voltbench.running.site_plan import Place


@dataclass(frozen=True, slots=True)
class Visit:
    """A vehicle that comes, wants so much energy at the connector, and leaves.

    It goes to `connector`, or to the first free one that fits; where none is free it waits up to `patience_ms` and
    then turns away. It leaves at `departs_at`, or as soon as it has what it wants with `leaves_satisfied`.
    """

    id: str
    vehicle: Vehicle
    asked_wh: float
    arrives_at: Instant
    departs_at: Instant
    connector: str | None = None
    leaves_satisfied: bool = False
    patience_ms: DurationMs = 0
    weight: float = 1.0
    priority: int = 0


class Ending(StrEnum):
    """How a visit ended. Who departed went short; of less than a watt-hour, which no driver could notice, nobody is."""

    DEPARTED = "departed"
    SATISFIED = "satisfied"
    TURNED_AWAY = "turned away"
    STILL_THERE = "still there"


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """What became of a visit: energies in Wh, times in s.

    `asked_wh` is what the driver asked for, `fitting_wh` as much of it as the pack could take.
    `queued_s` was spent before a connector was free, `waited_s` plugged in and offered nothing.
    """

    id: str
    vehicle: str
    connector: str
    arrived_at: Instant
    plugged_at: Instant
    ended_at: Instant
    ending: Ending
    asked_wh: float
    fitting_wh: float
    delivered_wh: float
    drawn_wh: float
    soc_start: float
    soc_end: float
    queued_s: float
    waited_s: float

    @property
    def unmet_wh(self) -> float:
        """Energy asked for and not delivered, though the pack could have taken it."""
        return max(0.0, self.fitting_wh - self.delivered_wh)

    @property
    def served_part(self) -> float | None:
        """The part that was delivered of what the pack could take, 0 to 1; None where that was nothing."""
        return min(1.0, self.delivered_wh / self.fitting_wh) if self.fitting_wh > 0.0 else None


class Visitors:
    """The twin that brings the vehicles of a scenario to a site and takes them away again."""

    def __init__(
        self,
        operation: Operation,
        places: Sequence[Place],
        visits: Sequence[Visit],
        emit_for: Callable[[str], Emit | None] = lambda _: None,
        ambient_degc: float = MILD_DEGC,
    ) -> None:
        self.ledger: list[VisitRecord] = []
        self._operation = operation
        self._places = {place.connector: place for place in places}
        self._coming = deque(sorted(visits, key=lambda v: (v.arrives_at, v.id)))
        self._queue: deque[Visit] = deque()
        self._departures: list[tuple[Instant, str]] = []
        self._present: dict[str, tuple[Visit, ChargingSession]] = {}
        self._free = dict.fromkeys(self._places)
        self._emit_for = emit_for
        self._ambient_degc = ambient_degc
        self._leaving: deque[str] = deque()
        self._paths: dict[tuple[str, int], tuple[VehicleModel, ChargingPath]] = {}
        self._fitting: dict[int, tuple[VehicleModel, dict[str, float]]] = {}
        operation.world.add(self, ARRIVALS)

    def next_wakeup(self) -> Instant | None:
        """The next arrival, departure or end of patience."""
        if self._leaving:
            return self._operation.world.now
        due = [self._coming[0].arrives_at] if self._coming else []
        due += [self._departures[0][0]] if self._departures else []
        due += [min(map(_gives_up_at, self._queue))] if self._queue else []
        return min(due, default=None)

    def wake(self, now: Instant) -> None:
        """Let leave who leaves, give up who has waited too long, plug in who waits, then welcome who arrives."""
        while self._leaving:
            self._leave(now, self._leaving.popleft(), Ending.SATISFIED)
        while self._departures and self._departures[0][0] <= now:
            _, id = heappop(self._departures)
            if id in self._present:
                self._leave(now, id, Ending.DEPARTED)
        self._serve_queue(now)
        while self._coming and self._coming[0].arrives_at <= now:
            self._arrive(now, self._coming.popleft())

    def expect(self, visits: Sequence[Visit]) -> None:
        """More vehicles will come."""
        self._coming = deque(sorted([*self._coming, *visits], key=lambda v: (v.arrives_at, v.id)))
        self._operation.world.reschedule(self)

    def satisfied(self, session_id: str) -> None:
        """A session has what it asked for; its driver may want to leave."""
        visit = self._present.get(session_id)
        if visit is not None and visit[0].leaves_satisfied:
            self._leaving.append(session_id)
            self._operation.world.reschedule(self)

    def close(self, now: Instant) -> list[VisitRecord]:
        """The ledger with everybody who is still there, as of now."""
        present = [self._record(now, visit, id, Ending.STILL_THERE) for id, (visit, _) in self._present.items()]
        waiting = [_turned_away(now, visit, Ending.STILL_THERE) for visit in self._queue]
        return self.ledger + present + waiting

    # --- coming and going --------------------------------------------------------------------------------------------

    def _arrive(self, now: Instant, visit: Visit) -> None:
        connector = self._connector_for(visit)
        if connector is not None:
            self._plug_in(now, visit, connector)
        elif visit.patience_ms > 0:
            self._queue.append(visit)
        else:
            self.ledger.append(_turned_away(now, visit, Ending.TURNED_AWAY))

    def _serve_queue(self, now: Instant) -> None:
        still_waiting: deque[Visit] = deque()
        for visit in self._queue:
            connector = self._connector_for(visit) if now < visit.departs_at else None
            if connector is not None:
                self._plug_in(now, visit, connector)
            elif now >= _gives_up_at(visit):
                self.ledger.append(_turned_away(now, visit, Ending.TURNED_AWAY))
            else:
                still_waiting.append(visit)
        self._queue = still_waiting

    def _connector_for(self, visit: Visit) -> str | None:
        if visit.connector is not None:
            return visit.connector if visit.connector in self._free else None
        rating_w = self._ratings_w(visit.vehicle)
        most_w, best = max(rating_w.values(), default=0.0), None
        for connector in self._free:
            if connector in rating_w and (best is None or rating_w[connector] > rating_w[best]):
                best = connector
                if rating_w[best] == most_w:
                    break
        return best

    def _ratings_w(self, vehicle: Vehicle) -> dict[str, float]:
        """The connectors that fit a vehicle, and what each can give."""
        key = id(vehicle.model)
        if key not in self._fitting:
            models = {c: place.connector_model for c, place in self._places.items()}
            rating_w = {c: m.max_power_w for c, m in models.items() if can_plug_in(vehicle, m)}
            self._fitting[key] = (vehicle.model, rating_w)
        return self._fitting[key][1]

    def _plug_in(self, now: Instant, visit: Visit, connector: str) -> None:
        session = session_of(
            visit.vehicle,
            id=visit.id,
            path=self._path(connector, visit.vehicle),
            asked_wh=visit.asked_wh,
            now=now,
            departs_at=visit.departs_at,
            emit=self._emit_for(visit.id),
            ambient_degc=self._ambient_degc,
        )
        del self._free[connector]
        self._present[visit.id] = (visit, session)
        heappush(self._departures, (visit.departs_at, visit.id))
        self._operation.plug_in(
            now, connector, session, visit.weight, visit.priority, is_hurried=visit.leaves_satisfied
        )

    def _path(self, connector: str, vehicle: Vehicle) -> ChargingPath:
        place = self._places[connector]
        key = (connector, id(vehicle.model))  # two recorded batteries may share a rounded name
        if key not in self._paths:
            path = path_to_pack(place.station_model, place.connector_model, vehicle)
            self._paths[key] = (vehicle.model, path)
        return self._paths[key][1]

    def _leave(self, now: Instant, id: str, ending: Ending) -> None:
        visit, session = self._present[id]
        bay = self._operation.unplug(now, id)
        if ending is Ending.DEPARTED and session.asked_wh - session.delivered_wh(now) < LEAST_WH:
            ending = Ending.SATISFIED
        self.ledger.append(self._record(now, visit, id, ending, bay.connector))
        del self._present[id]
        self._free[bay.connector] = None

    def _record(self, now: Instant, visit: Visit, id: str, ending: Ending, connector: str = "") -> VisitRecord:
        _, session = self._present[id]
        return VisitRecord(
            id=id,
            vehicle=visit.vehicle.model.id,
            connector=connector or self._operation.bay(id).connector,
            arrived_at=visit.arrives_at,
            plugged_at=session.arrived_at,
            ended_at=now,
            ending=ending,
            asked_wh=visit.asked_wh,
            fitting_wh=session.asked_wh,
            delivered_wh=session.delivered_wh(now),
            drawn_wh=session.drawn_wh(now),
            soc_start=visit.vehicle.soc,
            soc_end=session.soc(now),
            queued_s=(session.arrived_at - visit.arrives_at) / MS_PER_SECOND,
            waited_s=session.waited_s(now),
        )


def _gives_up_at(visit: Visit) -> Instant:
    return min(visit.arrives_at + visit.patience_ms, visit.departs_at)


def _turned_away(now: Instant, visit: Visit, ending: Ending) -> VisitRecord:
    return VisitRecord(
        id=visit.id,
        vehicle=visit.vehicle.model.id,
        connector="",
        arrived_at=visit.arrives_at,
        plugged_at=now,
        ended_at=now,
        ending=ending,
        asked_wh=visit.asked_wh,
        fitting_wh=visit.asked_wh,
        delivered_wh=0.0,
        drawn_wh=0.0,
        soc_start=visit.vehicle.soc,
        soc_end=visit.vehicle.soc,
        queued_s=(now - visit.arrives_at) / MS_PER_SECOND,
        waited_s=0.0,
    )
