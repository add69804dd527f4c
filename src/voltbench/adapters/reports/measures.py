"""The figures of a summary in people's words and units: what the terminal, the page and comparisons show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from voltbench.quantities import MS_PER_HOUR, utc
from voltbench.running.summary import Cost, StorageUse, Summary

Better = Literal["more", "less", ""]


class Unit(NamedTuple):
    """A unit to write a figure in: its name, its size in ours, decimal places, and from how much on it is used."""

    name: str
    size: float
    places: int
    least: float = 0.0


COUNT = (Unit("", 1.0, 0),)
INDEX = (Unit("", 1.0, 3),)
MONEY = (Unit("", 1.0, 2),)
PART = (Unit("%", 0.01, 1),)
POWER = (Unit("kW", 1e3, 1),)
ENERGY = (Unit("kWh", 1e3, 1), Unit("MWh", 1e6, 2, 1e7))
TIME = (Unit("s", 1.0, 0), Unit("min", 60.0, 1, 120.0), Unit("h", 3_600.0, 1, 7_200.0))
MASS = (Unit("kg", 1e3, 1), Unit("t", 1e6, 2, 1e7))


class Measure(NamedTuple):
    """One figure: its section and name, how to read it (None: nothing to say), its units, and which way is better."""

    section: str
    name: str
    of: Callable[[Summary], float | None]
    units: tuple[Unit, ...]
    better: Better = ""


class Row(NamedTuple):
    """One figure of several summaries, as texts in one unit, and which of them are the best."""

    section: str
    name: str
    unit: str
    texts: list[str]
    best: list[bool]


def written(number: float, units: Sequence[Unit]) -> str:
    """A figure with its unit."""
    unit = _unit_for([number], units)
    return f"{_in_unit(number, unit)} {unit.name}".rstrip()


def _battery(figure: Callable[[StorageUse], float | None]) -> Callable[[Summary], float | None]:
    return lambda s: None if s.storage is None else figure(s.storage)


def _cost(figure: Callable[[Cost], float | None]) -> Callable[[Summary], float | None]:
    return lambda s: None if s.cost is None else figure(s.cost)


def _unless_zero(number: float) -> float | None:
    return number or None


def _unless_small(energy_wh: float) -> float | None:
    return energy_wh if energy_wh >= 1.0 else None


def _cost_per_kwh(summary: Summary) -> float | None:
    if summary.cost is None or not summary.delivery.delivered_wh:
        return None
    return summary.cost.total / summary.delivery.delivered_wh * 1_000


MEASURES = (
    Measure("Visits", "came", lambda s: s.visits.came, COUNT),
    Measure("Visits", "served", lambda s: s.visits.served, COUNT, "more"),
    Measure("Visits", "got all they asked", lambda s: s.visits.satisfied, COUNT, "more"),
    Measure("Visits", "left short", lambda s: s.visits.left_short, COUNT, "less"),
    Measure("Visits", "turned away", lambda s: _unless_zero(s.visits.turned_away), COUNT, "less"),
    Measure("Visits", "still there", lambda s: _unless_zero(s.visits.still_there), COUNT),
    Measure("Energy", "asked", lambda s: s.delivery.asked_wh, ENERGY),
    Measure("Energy", "beyond the packs", lambda s: _unless_small(s.delivery.beyond_wh), ENERGY),
    Measure("Energy", "delivered", lambda s: s.delivery.delivered_wh, ENERGY, "more"),
    Measure("Energy", "part delivered", lambda s: s.delivery.part, PART, "more"),
    Measure("Energy", "unmet", lambda s: s.delivery.unmet_wh, ENERGY, "less"),
    Measure("Energy", "fairness (Jain)", lambda s: s.delivery.fairness, INDEX, "more"),
    Measure("Waiting", "queued, mean", lambda s: _unless_zero(s.waiting.queued_mean_s), TIME, "less"),
    Measure("Waiting", "queued, 95 %", lambda s: _unless_zero(s.waiting.queued_p95_s), TIME, "less"),
    Measure("Waiting", "paused, mean", lambda s: s.waiting.waited_mean_s, TIME, "less"),
    Measure("Waiting", "paused, 95 %", lambda s: s.waiting.waited_p95_s, TIME, "less"),
    Measure("Grid", "imported", lambda s: s.grid.import_wh, ENERGY),
    Measure("Grid", "exported", lambda s: _unless_zero(s.grid.export_wh), ENERGY),
    Measure("Grid", "peak, 1-min mean", lambda s: s.grid.peak_minute_w, POWER, "less"),
    Measure("Grid", "peak, 15-min mean", lambda s: s.grid.peak_quarter_hour_w, POWER, "less"),
    Measure("Grid", "peak, instant", lambda s: s.grid.peak_instant_w, POWER, "less"),
    Measure("Grid", "lowest limit", lambda s: s.grid.limit_w, POWER),
    Measure("Grid", "limit tight for", lambda s: s.grid.tight_s, TIME, "less"),
    Measure("Site", "own load", lambda s: _unless_zero(s.grid.load_wh), ENERGY),
    Measure("Site", "generation", lambda s: _unless_zero(s.grid.generation_wh), ENERGY, "more"),
    Measure("Site", "curtailed", lambda s: _unless_zero(s.grid.curtailed_wh), ENERGY, "less"),
    Measure("Site", "plugs occupied", lambda s: s.occupied, PART),
    Measure("Site", "plugs charging", lambda s: s.charging, PART),
    Measure("Battery", "charged", _battery(lambda b: b.charged_wh), ENERGY),
    Measure("Battery", "discharged", _battery(lambda b: b.discharged_wh), ENERGY),
    Measure("Battery", "losses", _battery(lambda b: b.loss_wh), ENERGY, "less"),
    Measure("Battery", "full cycles", _battery(lambda b: b.full_cycles), INDEX, "less"),
    Measure("Battery", "SoC at the start", _battery(lambda b: b.soc_start), PART),
    Measure("Battery", "SoC at the end", _battery(lambda b: b.soc_end), PART),
    Measure("Cost", "energy imported", _cost(lambda c: c.energy_import), MONEY, "less"),
    Measure("Cost", "energy exported", _cost(lambda c: _unless_zero(-c.energy_export)), MONEY, "less"),
    Measure("Cost", "demand charge", _cost(lambda c: _unless_zero(c.demand_charge)), MONEY, "less"),
    Measure("Cost", "total", _cost(lambda c: c.total), MONEY, "less"),
    Measure("Cost", "per kWh delivered", _cost_per_kwh, INDEX, "less"),
    Measure("CO2", "of import", lambda s: s.co2_g, MASS, "less"),
)
"""Every figure that is shown, in the order it is shown."""


def rows(summaries: Sequence[Summary]) -> list[Row]:
    """The figures of summaries side by side; figures that none of them has are left out."""
    known = ((m, [m.of(summary) for summary in summaries]) for m in MEASURES)
    return [_row(m, figures) for m, figures in known if any(figure is not None for figure in figures)]


def title(summary: Summary) -> str:
    """What was lived through: the scenario's name and its time."""
    start = utc(summary.starts_at).strftime("%Y-%m-%d %H:%M")
    length_h = (summary.ends_at - summary.starts_at) / MS_PER_HOUR
    length = f"{length_h:g} h" if length_h < 48 else f"{round(length_h / 24, 1):g} days"
    return f"{summary.scenario}, {length} from {start} UTC"


def section_title(section: str, summary: Summary) -> str:
    """The name of a section; costs say their currency."""
    return f"Cost, {summary.cost.currency}" if section == "Cost" and summary.cost else section


def _row(measure: Measure, figures: list[float | None]) -> Row:
    numbers = [figure or 0.0 for figure in figures]
    unit = _unit_for(numbers, measure.units)
    texts = [_in_unit(number, unit) for number in numbers]
    return Row(measure.section, measure.name, unit.name, texts, _best(measure, numbers, texts))


def _best(measure: Measure, numbers: list[float], texts: list[str]) -> list[bool]:
    if not measure.better or len(set(texts)) == 1:
        return [False] * len(texts)
    pick = max if measure.better == "more" else min
    winner = texts[numbers.index(pick(numbers))]
    return [text == winner for text in texts]


def _unit_for(numbers: Sequence[float], units: Sequence[Unit]) -> Unit:
    largest = max(map(abs, numbers))
    return next(unit for unit in reversed(units) if largest >= unit.least)


def _in_unit(number: float, unit: Unit) -> str:
    return f"{number / unit.size:,.{unit.places}f}"
