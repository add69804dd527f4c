"""What became of cells, in words and in a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from voltbench.adapters.record_files.forms import write_whole
from voltbench.adapters.record_files.words import ending, in_words
from voltbench.battery.analysis import difference, figures
from voltbench.battery.record import Record
from voltbench.errors import InvalidInput

PlotForm: TypeAlias = Literal["html", "png", "svg"]

FORMS: tuple[PlotForm, ...] = ("html", "png", "svg")


def figure_of(record: Record) -> dict[str, str]:
    """The figures of a record, each in a few words."""
    told, made = figures(record), record.made_with
    lines = {
        "ended": f"{ending(record)}, after {in_words(record.ending.at_s)}",
        "charge": _in_and_out(told.charged_ah, told.discharged_ah, "Ah"),
        "energy": _in_and_out(told.charged_wh, told.discharged_wh, "Wh"),
        "voltage": f"{told.mean_voltage_v:.3f} V mean, {told.least_voltage_v:.3f} to {told.most_voltage_v:.3f} V",
    }
    if "temperature_degc" in record.columns:
        warmth = record.columns["temperature_degc"]
        lines["temperature"] = f"{warmth.min():.1f} to {warmth.max():.1f} °C"
    lines["rows"] = f"{len(record)}"
    lines["solved in"] = f"{made.solve_s:.3g} s by {made.solver} of {made.simulator} {made.version}"
    return lines | {f"warning {number}": words for number, words in enumerate(record.warnings, 1)}


def facts(record: Record) -> str:
    """The same in one line, for a heading."""
    lines = figure_of(record)
    return "   ·   ".join([f"ended {lines['ended']}", lines["charge"], lines["energy"]])


def differences(records: Mapping[str, Record]) -> dict[str, tuple[str, str]]:
    """By name: how far a voltage is from that of the last record, as rms and at most, in mV. Nothing for the last."""
    *others, last = records
    apart = {name: difference(records[name], records[last]) for name in others}
    told = {name: (f"{off.rms_mv:.2f}", f"{off.most_mv:+.2f}") for name, off in apart.items()}
    return told | {last: ("", "")}


def plot_form(path: Path) -> PlotForm:
    """The form of a drawing that a file's name ends with. Raises InvalidInput."""
    for form in FORMS:
        if path.suffix.lower() == f".{form}":
            return form
    raise InvalidInput(
        "--plot", "ends like no drawing", found=path.name, allowed=", ".join(f".{form}" for form in FORMS)
    )


def draw(path: Path, records: Mapping[str, Record], title: str, facts: str, table: Mapping[str, str]) -> None:
    """Draw records into a file; a page has a table of figures as well."""
    from voltbench.adapters.record_files.panels import drawing_of  # noqa: PLC0415  the libraries behind take seconds

    drawing, form = drawing_of(records, title, facts), plot_form(path)
    if form == "html":
        from voltbench.adapters.record_files.page import page  # noqa: PLC0415

        write_whole(path, page(drawing, table), "--plot")
    else:
        from voltbench.adapters.record_files.picture import picture  # noqa: PLC0415

        write_whole(path, picture(drawing, form), "--plot")


def _in_and_out(into: float, out: float, unit: str) -> str:
    parts = [f"{amount:.4g} {unit} {way}" for amount, way in ((into, "in"), (out, "out")) if amount > 0.0]
    return ", ".join(parts) or f"0 {unit}"
