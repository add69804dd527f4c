"""Who comes to a site, made up: arrivals over the week, stays, states of charge, wishes and vehicles.

Arrivals are an inhomogeneous Poisson process: each day brings a Poisson number of vehicles, at independent times whose
density is a table of 24 hourly rates (given their number, the arrivals of such a process are just that: Kingman,
"Poisson Processes", 1993, section 2.4). Everything else about a visit is drawn from a table of quantiles.

The tables are ours: rounded figures in the shape that the public literature reports, named beside each. Use recorded
sessions where you have them. Every purpose has its own random stream for every day, so that more days, or a purpose
that is added later, change nothing of what was drawn before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from voltbench.chance import stream
from voltbench.charging.vehicle import AS_NEW, CONNECTOR_TYPES, Condition, Vehicle, VehicleModel
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, DurationMs, Instant, utc
from voltbench.running.visits import Visit

Floats = NDArray[np.float64]

MOST_VISITS = 1_000_000
"""More visits than this in one scenario are taken for a slip of the pen."""

_LEAST_STAY_H = 0.1


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution by its quantiles: as many draws in a hundred as `percent` says lie below each of `edges`."""

    percent: tuple[float, ...]
    edges: tuple[float, ...]

    def at(self, chance: Floats) -> Floats:
        """The value that belongs to each chance, 0 to 1, linear between the quantiles."""
        return np.interp(chance * 100.0, self.percent, self.edges)


@dataclass(frozen=True, slots=True)
class Pattern:
    """How drivers of one kind behave.

    `weekday` and `weekend` are relative arrival rates by hour of the day; a day of the weekend brings `weekend_share`
    of a weekday's arrivals. A driver wants `asked_wh` at the connector, or `target_soc`. He stays for `stay_h`, or
    until the time of day `leaves_h`; the time he would wait for a connector, `patience_min`, comes on top. Where he is
    `hurried` he leaves as soon as he has what he wants.
    """

    name: str
    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    weekend_share: float
    soc: Spread
    on_dc: bool
    hurried: bool = False
    target_soc: Spread | None = None
    asked_wh: Spread | None = None
    stay_h: Spread | None = None
    leaves_h: Spread | None = None
    patience_min: Spread | None = None


WORKPLACE = Pattern(
    name="workplace",
    weekday=(0, 0, 0, 0, 0, 1, 6, 18, 24, 16, 8, 5, 5, 6, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0),
    weekend=(0, 0, 0, 0, 0, 0, 1, 2, 4, 5, 5, 4, 4, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0),
    weekend_share=0.1,
    soc=Spread((0, 10, 50, 90, 100), (0.15, 0.35, 0.55, 0.75, 0.85)),
    asked_wh=Spread((0, 10, 50, 75, 90, 100), (1_500, 4_000, 9_000, 15_000, 25_000, 50_000)),
    stay_h=Spread((0, 10, 25, 50, 75, 90, 100), (0.5, 2.5, 5.0, 8.0, 9.0, 9.8, 12.0)),
    on_dc=False,
)
"""A campus or an office. Arrivals peak from 8 to 9 h with a small second wave after lunch, most cars stay for a working
day, and half of them want less than 9 kWh: the picture of Lee, Li, Low, "ACN-Data: Analysis and Applications of an Open
EV Charging Dataset", ACM e-Energy 2019. Drivers know what they need and ask for energy. Weekends are our choice."""

HOME = Pattern(
    name="home",
    weekday=(1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 6, 10, 15, 14, 10, 8, 6, 4, 2),
    weekend=(1, 1, 0, 0, 0, 0, 0, 1, 2, 3, 5, 6, 6, 6, 7, 8, 9, 9, 8, 7, 6, 5, 3, 2),
    weekend_share=0.85,
    soc=Spread((0, 10, 50, 90, 100), (0.1, 0.3, 0.55, 0.75, 0.85)),
    target_soc=Spread((0, 40, 100), (0.86, 0.9, 1.0)),
    leaves_h=Spread((0, 10, 50, 80, 100), (5.0, 6.3, 7.6, 9.0, 12.0)),
    on_dc=False,
)
"""Cars that come home. They are plugged in on return, most from 16 to 19 h, and leave the next morning: Quirós-Tortós,
Ochoa, Lees, "A statistical analysis of EV charging behavior in the UK", IEEE ISGT LATAM 2015; Sørensen et al.,
"Analysis of residential EV energy flexibility potential", Energy and Buildings 241 (2021). States of charge are our
choice."""

PUBLIC = Pattern(
    name="public",
    weekday=(1, 0, 0, 0, 0, 1, 2, 4, 6, 7, 8, 8, 8, 8, 8, 9, 10, 11, 10, 8, 5, 4, 2, 1),
    weekend=(1, 1, 0, 0, 0, 0, 1, 2, 4, 6, 9, 10, 10, 10, 10, 9, 9, 8, 7, 6, 4, 3, 2, 1),
    weekend_share=0.95,
    soc=Spread((0, 10, 50, 90, 100), (0.06, 0.15, 0.33, 0.55, 0.65)),
    target_soc=Spread((0, 50, 80, 100), (0.7, 0.8, 0.9, 1.0)),
    stay_h=Spread((0, 10, 50, 90, 100), (0.3, 0.45, 0.75, 1.1, 1.5)),
    patience_min=Spread((0, 50, 100), (0, 8, 20)),
    on_dc=True,
    hurried=True,
)
"""Fast charging in a town. A broad day with its top in the late afternoon (Hecht, Figgener, Sauer, "Analysis of
electric vehicle charging station usage and profitability in Germany based on empirical data", iScience 25 (2022)); half
of the sessions end within about half an hour (Mahlberg, Desai, Bullock, World Electric Vehicle Journal 14 (2023) 308).
The stay is how long a driver would put up with; most have what they want before that."""

PUBLIC_AC = replace(
    PUBLIC,
    stay_h=Spread((0, 10, 35, 60, 85, 100), (0.4, 0.9, 2.0, 3.5, 9.0, 16.0)),
    target_soc=Spread((0, 40, 100), (0.75, 0.9, 1.0)),
    patience_min=None,
    on_dc=False,
    hurried=False,
)
"""The same streets on AC: people park for an errand or for the night (two bumps; our choice), and nobody queues."""

HIGHWAY = Pattern(
    name="highway",
    weekday=(1, 1, 1, 1, 1, 2, 4, 5, 5, 6, 7, 7, 7, 7, 7, 8, 9, 9, 8, 6, 4, 3, 2, 1),
    weekend=(1, 1, 0, 0, 0, 1, 2, 3, 5, 7, 9, 10, 10, 10, 10, 10, 10, 10, 9, 7, 5, 3, 2, 1),
    weekend_share=1.3,
    soc=Spread((0, 10, 50, 90, 100), (0.05, 0.1, 0.2, 0.4, 0.55)),
    target_soc=Spread((0, 20, 70, 100), (0.65, 0.75, 0.8, 0.95)),
    stay_h=Spread((0, 10, 50, 90, 100), (0.5, 0.6, 0.9, 1.3, 2.0)),
    patience_min=Spread((0, 50, 100), (5, 15, 40)),
    on_dc=True,
    hurried=True,
)
"""A stop on a long way. Arrivals follow the traffic of long distances, flat from late morning to evening and stronger
on weekends (Gnann et al., "Fast charging infrastructure for electric vehicles: Today's situation and future needs",
Transportation Research D 62 (2018)); drivers go on at about 80 %, where charging becomes slow. The rest is ours."""

PATTERNS = {pattern.name: pattern for pattern in (WORKPLACE, PUBLIC, HOME, HIGHWAY)}

Mix = Sequence[tuple[VehicleModel, float]]
"""Vehicle models with their weights among those who come."""


def visits(
    pattern: str,
    per_day: float,
    days: float,
    start: Instant,
    mix: Mix,
    seed: int,
    *,
    dc: bool | None = None,
    patience_min: float | None = None,
    utc_offset_ms: DurationMs = 0,
    condition: Condition = AS_NEW,
) -> list[Visit]:
    """Who comes from `start` for so many days, in order of arrival, when a weekday brings `per_day` on average.

    `dc` says whether vehicles that can will charge on DC (by default as the pattern has it), `patience_min` how long
    everybody waits for a free connector, `utc_offset_ms` what the clocks of the place show at midnight UTC. All
    batteries come in the same `condition`. Raises InvalidInput.
    """
    habits = _habits(pattern, dc)
    _check(per_day, days, mix, patience_min)
    if patience_min is not None:
        habits = replace(habits, patience_min=Spread((0, 100), (patience_min, patience_min)))
    local, length = start + utc_offset_ms, round(days * MS_PER_DAY)
    ends_at = start + length
    everybody = (
        visit
        for day in range(local // MS_PER_DAY, (local + length - 1) // MS_PER_DAY + 1)
        for visit in _visits_of_day(habits, per_day, day, mix, seed, utc_offset_ms)
    )
    there = (visit for visit in everybody if start <= visit.arrives_at < ends_at)
    return [_in_condition(visit, habits, condition) for visit in there]


def _in_condition(visit: Visit, habits: Pattern, condition: Condition) -> Visit:
    """The same visit with such a battery: who goes by its state of charge wants the less of an old one."""
    if condition == AS_NEW:
        return visit
    asked_wh = visit.asked_wh * (condition.soh if habits.asked_wh is None else 1.0)
    return replace(visit, vehicle=visit.vehicle.in_condition(condition), asked_wh=asked_wh)


def _visits_of_day(
    habits: Pattern, per_day: float, day: int, mix: Mix, seed: int, utc_offset_ms: DurationMs
) -> list[Visit]:
    """Everybody who comes on one day, counted from 1970-01-01, by the clocks of the place."""

    def draws(purpose: str) -> np.random.Generator:
        return stream(seed, "arrivals", habits.name, purpose, str(day))

    is_weekend = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    count = draws("number").poisson(per_day * (habits.weekend_share if is_weekend else 1.0))
    arrives_h = _times_h(habits.weekend if is_weekend else habits.weekday, draws("times").random(count))
    soc = habits.soc.at(draws("soc").random(count))
    wish = (habits.asked_wh or habits.target_soc or _FULL).at(draws("wish").random(count))
    patience_h = (habits.patience_min or _NO_PATIENCE).at(draws("patience").random(count)) / 60.0
    stay_h = _stays_h(habits, arrives_h, draws("stay").random(count))
    vehicles = _vehicles(mix, draws("vehicles").random(count))
    midnight, date = day * MS_PER_DAY - utc_offset_ms, utc(day * MS_PER_DAY).date().isoformat()
    return [
        Visit(
            id=f"{habits.name}-{date}-{i + 1:03d}",
            vehicle=Vehicle(f"{habits.name}-{date}-{i + 1:03d}", vehicles[i], float(soc[i])),
            asked_wh=_asked_wh(habits, vehicles[i], float(soc[i]), float(wish[i])),
            arrives_at=midnight + int(arrives_h[i] * MS_PER_HOUR),
            departs_at=midnight + int((arrives_h[i] + patience_h[i] + stay_h[i]) * MS_PER_HOUR),
            leaves_satisfied=habits.hurried and _takes_dc(vehicles[i]),
            patience_ms=round(patience_h[i] * 60 * MS_PER_MINUTE),
        )
        for i in range(count)
    ]


_FULL = Spread((0, 100), (1.0, 1.0))
_NO_PATIENCE = Spread((0, 100), (0.0, 0.0))


def _times_h(rates: Sequence[float], chance: Floats) -> Floats:
    """Rising times of day in h, with the density that hourly rates give."""
    reached = np.concatenate(([0.0], np.cumsum(rates))) / sum(rates)
    return np.sort(np.interp(chance, reached, np.arange(len(rates) + 1.0)))


def _stays_h(habits: Pattern, arrives_h: Floats, chance: Floats) -> Floats:
    """How long each stays, in h; who leaves at a time of day stays an hour at least."""
    if habits.stay_h is not None:
        return np.maximum(habits.stay_h.at(chance), _LEAST_STAY_H)
    assert habits.leaves_h is not None
    return np.asarray((habits.leaves_h.at(chance) - arrives_h - 1.0) % 24.0 + 1.0)


def _vehicles(mix: Mix, chance: Floats) -> list[VehicleModel]:
    """A model for each chance. The order in which the mix is written does not matter."""
    ordered = sorted(mix, key=lambda part: part[0].id)
    reached = np.cumsum([weight for _, weight in ordered])
    chosen = np.searchsorted(reached, chance * reached[-1], side="right")
    return [ordered[min(int(i), len(ordered) - 1)][0] for i in chosen]


def _asked_wh(habits: Pattern, model: VehicleModel, soc: float, wish: float) -> float:
    """Energy wanted at the connector; never more than the pack has room for."""
    on_dc = habits.on_dc and _takes_dc(model)
    onboard = 1.0 if on_dc or model.ac is None else model.ac.efficiency
    room_wh = (1.0 - soc) * model.usable_capacity_wh / onboard
    if habits.asked_wh is not None:
        return min(wish, room_wh)
    return max(0.0, wish - soc) * model.usable_capacity_wh / onboard


def _takes_dc(model: VehicleModel) -> bool:
    return any(CONNECTOR_TYPES[inlet] == "dc" for inlet in model.inlets)


def _habits(pattern: str, dc: bool | None) -> Pattern:
    if pattern not in PATTERNS:
        raise InvalidInput("pattern", "is unknown", found=pattern, allowed=", ".join(PATTERNS))
    habits = PATTERNS[pattern]
    if pattern == "public" and dc is False:
        return PUBLIC_AC
    return habits if dc is None else replace(habits, on_dc=dc, hurried=habits.hurried and dc)


def _check(per_day: float, days: float, mix: Mix, patience_min: float | None) -> None:
    for name, found in (("per_day", per_day), ("days", days), ("patience_min", patience_min or 0.0)):
        if not (isfinite(found) and found >= 0.0):
            raise InvalidInput(name, "is out of range", found=found, allowed="0 or more")
    if per_day * (days + 1) > MOST_VISITS:
        raise InvalidInput("per_day", "brings too many visits", found=per_day, allowed=f"{MOST_VISITS:,} in all")
    if not mix or any(not (isfinite(weight) and weight >= 0.0) for _, weight in mix):
        raise InvalidInput("mix", "has no weights to choose by", allowed="0 or more for each model, at least one model")
    if sum(weight for _, weight in mix) <= 0.0:
        raise InvalidInput("mix", "weighs nothing", allowed="one weight above 0")
