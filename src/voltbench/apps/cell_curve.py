"""`voltbench cell curve`: what a cell lets itself be charged with, as an entry of the catalog that packs can name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from voltbench.adapters import strict
from voltbench.adapters.cells import curve as curves
from voltbench.adapters.record_files.forms import write_whole
from voltbench.apps.cell_solve import Processes, each_solved
from voltbench.apps.options import require
from voltbench.battery.charge_map import CellChargeMap, toml_text
from voltbench.battery.record import Floats
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput
from voltbench.quantities import utc

TYPED = {
    "temperature_degc": "--temperatures",
    "lam": "--lam",
    "resistance": "--resistance",
    "most_c_rate": "--most-c-rate",
    "margin_v": "--margin-mv",
    "model": "--model",
    "cell": "CELL",
}

SHOWN = range(10, 100, 10)
"""The percentages that are printed."""

PICTURES: tuple[Literal["png"], Literal["svg"]] = ("png", "svg")


def curve(
    cell: Annotated[str, typer.Argument(metavar="CELL", help="A cell of the catalog; see cell cells.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write the entry of the catalog (.toml).")],
    temperatures: Annotated[
        str, typer.Option(metavar="DEGC,...", help="Temperatures of the cell.")
    ] = "-10,0,10,20,25,30,40,45",
    lam: Annotated[str, typer.Option(metavar="PART,...", help="Parts of active material that are lost.")] = "0,0.1,0.2",
    resistance: Annotated[
        str, typer.Option(metavar="FACTOR,...", help="Resistances, as multiples of a fresh cell's.")
    ] = "1,1.5",
    most_c_rate: Annotated[float, typer.Option(metavar="RATE", help="Never more than this rate.")] = 3.0,
    margin_mv: Annotated[float, typer.Option(metavar="MV", help="Keep the anode so far above lithium.")] = 0.0,
    model: Annotated[str, typer.Option(help="DFN, or SPMe (locally 0.4C off, and no faster).")] = "DFN",
    series: Annotated[int, typer.Option(help="Tell of a pack: so many cells one after the other.")] = 1,
    parallel: Annotated[int, typer.Option(help="And so many beside each other.")] = 1,
    name: Annotated[str, typer.Option(help="What people call the cell.")] = "",
    nominal_voltage: Annotated[
        float | None, typer.Option(metavar="V", help="Its nominal voltage; without, the mean open-circuit one.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw as .png or .svg.")] = None,
    processes: Processes = None,
) -> None:
    """Tell what a cell lets itself be charged with over SoC, temperature, ageing and resistance: by a model."""
    require(series >= 1 and parallel >= 1, "--series and --parallel", f"{series} and {parallel}", "1 or more")
    require(nominal_voltage is None or nominal_voltage > 0.0, "--nominal-voltage", nominal_voltage, "more than 0")
    require(out.suffix == ".toml", "--out", out.name, "a name that ends with .toml")
    _picture_form(plot)
    asked = _asked(
        cell=cell,
        model=model,
        temperature_degc=_numbers("--temperatures", temperatures),
        lam=_numbers("--lam", lam),
        resistance=_numbers("--resistance", resistance),
        most_c_rate=most_c_rate,
        margin_v=margin_mv / 1e3,
    )
    fresh = each_solved("the fresh cell", curves.facts, [asked], 1)[0]
    points = curves.points(asked, fresh)
    found = each_solved(f"{len(points)} curves", curves.solve, points, processes)
    made_on = utc(wall_instant()).date().isoformat()
    map = curves.charge_map(out.stem, asked, fresh, found, made_on, name, nominal_voltage)
    write_whole(out, toml_text(map).encode())
    rows, unit = _rows(map, series, parallel)
    Console().print(_table(map, rows, unit))
    if plot is not None:
        _draw(plot, map, rows, unit)
    print(f"A model, not a measurement. Written to {out}" + (f" and {plot}" if plot is not None else ""))


def _asked(**fields: Any) -> curves.CurvesAsked:
    """Raises InvalidInput, by the names of the options, where it makes no sense."""
    try:
        asked = strict.convert(fields, curves.CurvesAsked)
        curves.checked(asked)
    except InvalidInput as error:
        raise error.at(TYPED.get(error.field, error.field)) from error
    return asked


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise InvalidInput(option, "are no numbers", found=text, allowed="numbers with commas between") from None


def _rows(map: CellChargeMap, series: int, parallel: int) -> tuple[Floats, str]:
    """What is told of it, fresh, by temperature and SoC: rates of a cell, or kW of a pack."""
    rates = map.currents[0, 0]
    if series * parallel == 1:
        return rates, "C"
    return rates * map.voltages[0, 0] * (map.capacity_ah * series * parallel / 1e3), "kW"


def _table(map: CellChargeMap, rows: Floats, unit: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{map.name}, fresh, {unit}", title_justify="left")
    table.add_column("°C", justify="right", style="bold")
    for percent in SHOWN:
        table.add_column(f"{percent} %", justify="right")
    table.add_column("10 to 80 %, min", justify="right")
    for degc, row, rates in zip(map.temperature_degc, rows, map.currents[0, 0], strict=True):
        figures = [f"{row[percent]:.2f}" if unit == "C" else f"{row[percent]:.0f}" for percent in SHOWN]
        table.add_row(f"{degc:g}", *figures, f"{curves.minutes(np.asarray(rates)):.1f}")
    return table


def _picture_form(path: Path | None) -> Literal["png", "svg"]:
    for form in PICTURES:
        if path is None or path.suffix.lower() == f".{form}":
            return form
    raise InvalidInput("--plot", "ends like no picture", found=path.name if path else None, allowed=".png, .svg")


def _draw(path: Path, map: CellChargeMap, rows: Floats, unit: str) -> None:
    from voltbench.adapters.cells.curve_picture import curve_picture  # noqa: PLC0415  it takes a second to import

    write_whole(path, curve_picture(map, rows, unit, _picture_form(path)), "--plot")
