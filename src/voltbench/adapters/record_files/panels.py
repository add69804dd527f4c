"""Records as curves above each other, for whoever draws them: what is drawn, in which unit, over which time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from voltbench.adapters.record_files.thin import thinned
from voltbench.adapters.reports import colours
from voltbench.battery.analysis import differences_mv
from voltbench.battery.record import Floats, Record

POINTS = 4_000
"""Rows of a curve: more than there are dots across a page."""

TITLES = {
    "voltage_v": ("Voltage, V", 1.0),
    "current_a": ("Current, A (positive while charging)", 1.0),
    "power_w": ("Power, W (positive while charging)", 1.0),
    "energy_wh": ("Energy since the start, Wh", 1.0),
    "soc": ("State of charge, %", 100.0),
    "temperature_degc": ("Temperature, °C", 1.0),
    "resistance_ohm": ("Resistance, mΩ", 1e3),
    "anode_potential_v": ("Anode potential, mV (below 0 lithium may plate)", 1e3),
    "negative_stoichiometry": ("Lithium in the negative electrode, part", 1.0),
    "positive_stoichiometry": ("Lithium in the positive electrode, part", 1.0),
    "sei_loss_ah": ("Bound in SEI, mAh", 1e3),
    "plating_loss_ah": ("Plated, mAh", 1e3),
    "capacity_loss_ah": ("Lithium that is lost, mAh", 1e3),
    "negative_active_fraction": ("Active material of the negative electrode, part", 1.0),
    "positive_active_fraction": ("Active material of the positive electrode, part", 1.0),
    "step": ("Step", 1.0),
    "cycle": ("Cycle", 1.0),
}
"""What a column is called in a picture, and what it is multiplied by."""

NOT_ALONE = ("time_s", "charge_ah", "ocv_v")
"""Columns that are the axis, that say what another one says, or that are drawn with another one."""

OF_ONE = {"voltage_v": colours.VEHICLES, "current_a": colours.GRID, "temperature_degc": colours.LIMIT}


@dataclass(frozen=True, slots=True)
class Curve:
    """A line, over time."""

    name: str
    time: Floats
    heights: Floats
    colour: str
    is_dotted: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one unit, and how high they are drawn beside the others."""

    title: str
    curves: tuple[Curve, ...]
    height: float = 1.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """Panels above each other that share a time axis."""

    title: str
    facts: str
    time_unit: str
    panels: tuple[Panel, ...]


def drawing_of(records: Mapping[str, Record], title: str, facts: str) -> Drawing:
    """A drawing of records by name; of several, also how far their voltages are from that of the last."""
    unit, seconds = _time_unit(max(float(record.columns["time_s"][-1]) for record in records.values()))
    panels = [_panel(column, records, seconds) for column in _columns(records)]
    if len(records) > 1:
        panels.insert(1, _differences(records, seconds))
    return Drawing(title, facts, unit, tuple(panels))


def _columns(records: Mapping[str, Record]) -> list[str]:
    found = dict.fromkeys(column for record in records.values() for column in record.columns)
    first = [column for column in ("voltage_v", "current_a") if column in found]
    return [*first, *(column for column in found if column not in (*first, *NOT_ALONE))]


def _panel(column: str, records: Mapping[str, Record], seconds: float) -> Panel:
    title, factor = TITLES.get(column, (column, 1.0))
    curves = tuple(_curves(column, records, seconds, factor))
    return Panel(title, curves, 1.6 if column == "voltage_v" else 1.0)


def _curves(column: str, records: Mapping[str, Record], seconds: float, factor: float) -> Iterator[Curve]:
    is_one = len(records) == 1
    for colour, (name, record) in zip(_palette(len(records)), records.items(), strict=True):
        fewer = thinned(record, POINTS).columns
        if column not in fewer:
            continue
        time = fewer["time_s"] / seconds
        own = OF_ONE.get(column, colours.STORAGE) if is_one else colour
        yield Curve("voltage" if is_one else name, time, fewer[column] * factor, own)
        if column == "voltage_v" and "ocv_v" in fewer:
            open_circuit = "open-circuit voltage" if is_one else f"{name}, open-circuit"
            yield Curve(open_circuit, time, fewer["ocv_v"], colours.FAINT if is_one else colour, is_dotted=True)


def _differences(records: Mapping[str, Record], seconds: float) -> Panel:
    *others, last = records
    curves = []
    for colour, name in zip(_palette(len(others)), others, strict=True):
        time_s, off_mv = differences_mv(records[name], records[last])
        curves.append(Curve(name, time_s / seconds, off_mv, colour))
    return Panel(f"Voltage less that of {last}, mV", tuple(curves))


def _palette(count: int) -> list[str]:
    return [colours.STRATEGIES[number % len(colours.STRATEGIES)] for number in range(count)]


def _time_unit(seconds: float) -> tuple[str, float]:
    for unit, length, most in (("s", 1.0, 600.0), ("min", 60.0, 5 * 3_600.0), ("h", 3_600.0, 4 * 86_400.0)):
        if seconds <= most:
            return unit, length
    return "days", 86_400.0
