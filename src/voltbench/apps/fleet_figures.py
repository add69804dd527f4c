"""What a fleet does and how its CSMS keeps up: second by second, and in all."""

from __future__ import annotations

from time import monotonic, process_time

from voltbench.adapters.ocpp_station.host import HostedStation
from voltbench.apps.station_choices import StationChoices, Stations
from voltbench.charging.status import Status
from voltbench.quantities import MS_PER_SECOND, rfc3339
from voltbench.running.drivers import Drivers
from voltbench.running.fleet_report import FleetReport, Moment

QUANTILES = (0.5, 0.9, 0.99, 1.0)


class FleetFigures:
    """Watches a fleet. `wanted` is how many stations it is to have."""

    def __init__(self, made: Stations, wanted: int) -> None:
        self._made = made
        self._host = made.host
        self._tally = made.host.tally
        self._wanted = wanted
        self._watched: list[tuple[HostedStation, Drivers]] = []
        self._began_s, self._began_cpu_s = monotonic(), process_time()
        self._last = (self._began_s, 0)
        self._moments: list[Moment] = []
        self._all_accepted_s: float | None = None

    def watch(self, hosted: HostedStation, drivers: Drivers) -> None:
        """One more station."""
        self._watched.append((hosted, drivers))

    def all_leave(self) -> None:
        """It is over: whoever is at a station leaves."""
        for hosted, drivers in self._watched:
            hosted.undergo(lambda _, now, drivers=drivers: drivers.all_leave(now))  # type: ignore[misc]

    def untold(self) -> int:
        """Messages about transactions that wait at stations whose CSMS listens."""
        stations = [hosted.station for hosted, _ in self._watched]
        return sum(station.transactions.outbox.about_transactions for station in stations if station.is_accepted)

    def look(self) -> Moment:
        """The fleet as it is now."""
        now_s, frames = monotonic(), self._tally.frames_in + self._tally.frames_out
        (before_s, before), self._last = self._last, (now_s, frames)
        now = self._host.at()
        stations = [hosted.station for hosted, _ in self._watched]
        accepted = sum(station.is_accepted for station in stations)
        if accepted == self._wanted and self._all_accepted_s is None:
            self._all_accepted_s = now_s - self._began_s
        charging = [e for s in stations for e in s.life.evses if e.status() is Status.CHARGING]
        moment = Moment(
            number=len(self._moments) + 1,
            after_s=round(now_s - self._began_s, 3),
            connected=self._tally.lines,
            accepted=accepted,
            charging=len(charging),
            power_w=sum(evse.feed.power_w(now) for evse in charging),
            messages_per_s=(frames - before) / max(now_s - before_s, 1e-9),
        )
        self._moments.append(moment)
        return moment

    def figures(self) -> dict[str, str]:
        """What is worth telling, in words."""
        tally = self._tally
        latencies = [tally.latency_s(part) for part in QUANTILES]
        answered = ", ".join(
            f"{'max' if part == 1.0 else f'p{part * 100:g}'} {taken_s * 1e3:.1f} ms"
            for part, taken_s in zip(QUANTILES, latencies, strict=True)
            if taken_s is not None
        )
        accepted = "not yet" if self._all_accepted_s is None else f"after {self._all_accepted_s:.1f} s"
        choices = self._made.choices
        return {
            "begins": f"{rfc3339(self._made.started_at)}, seed {choices.seed}",
            "speed": f"{choices.speed:g} asked, {self._speed_reached():.4g} reached",
            "stations": f"{len(self._watched)} of {self._wanted}; all accepted {accepted}",
            "answers": answered or "none yet",
            "messages": f"{tally.frames_out} sent, {tally.frames_in} received; {tally.calls} calls, "
            f"{self._waiting()} about transactions wait",
            "errors": f"{tally.errors_in} received, {tally.errors_out} sent; {self._overdue()} answers overdue; "
            f"{tally.failures} connections failed{self._why()}, {tally.losses} lost; {tally.stumbles} mistakes of ours",
            "transactions": f"{self._transactions()} begun, {self._deauthorized()} of them not allowed afterwards; "
            f"{self._refused()} drivers refused, {self._turned_away()} found nothing free",
            "energy": f"{self._energy_wh() / 1e3:.1f} kWh",
        }

    def report(self, choices: StationChoices, arrivals: str) -> FleetReport:
        """What became of it."""
        tally = self._tally
        return FleetReport(
            csms=choices.csms,
            model=choices.model,
            arrivals=arrivals,
            speed=choices.speed,
            speed_reached=round(self._speed_reached(), 3),
            seed=choices.seed,
            starts_at=rfc3339(self._made.started_at),
            stations=self._wanted,
            lasted_s=round(monotonic() - self._began_s, 3),
            all_accepted_after_s=self._all_accepted_s,
            calls=tally.calls,
            frames_sent=tally.frames_out,
            frames_received=tally.frames_in,
            latency_s={f"{part:g}": tally.latency_s(part) for part in QUANTILES},
            errors_received=tally.errors_in,
            errors_sent=tally.errors_out,
            overdue=self._overdue(),
            stumbles=tally.stumbles,
            connections_failed=tally.failures,
            connections_lost=tally.losses,
            transactions=self._transactions(),
            turned_away=self._turned_away(),
            refused=self._refused(),
            deauthorized=self._deauthorized(),
            energy_wh=round(self._energy_wh(), 1),
            waiting_messages=self._waiting(),
            cpu_s=round(process_time() - self._began_cpu_s, 3),
            moments=self._moments,
            figures=self.figures(),
        )

    def _transactions(self) -> int:
        return sum(hosted.station.life.last_number for hosted, _ in self._watched)

    def _why(self) -> str:
        """Why a connection failed, where any did."""
        return f" (the last: {self._tally.last_failure})" if self._tally.failures else ""

    def _refused(self) -> int:
        return sum(drivers.refused for _, drivers in self._watched)

    def _deauthorized(self) -> int:
        return sum(drivers.deauthorized for _, drivers in self._watched)

    def _overdue(self) -> int:
        return sum(hosted.station.overdue for hosted, _ in self._watched)

    def _waiting(self) -> int:
        return sum(hosted.station.transactions.outbox.about_transactions for hosted, _ in self._watched)

    def _speed_reached(self) -> float:
        passed_s = (self._host.world.now - self._made.started_at) / MS_PER_SECOND
        return passed_s / max(monotonic() - self._began_s, 1e-9)

    def _turned_away(self) -> int:
        return sum(drivers.turned_away for _, drivers in self._watched)

    def _energy_wh(self) -> float:
        now = self._host.world.now
        return sum(evse.feed.energy_wh(now) for hosted, _ in self._watched for evse in hosted.station.life.evses)
