"""`make docs`: write the reference pages (docs/reference) from the code they describe.

Whatever can be read off the code is read off it, so that a page cannot say something else than the program does.
`tests/golden/test_reference_pages.py` compares the pages with what `pages()` gives.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import typer
from typer.testing import CliRunner

from voltbench.adapters import station_json
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.cells.catalog import cells
from voltbench.adapters.prices import tariff_tables
from voltbench.adapters.scenario_files import quantity, sessions, tables
from voltbench.apps.api.app import make_app
from voltbench.apps.api.trust import Trust
from voltbench.apps.cli import COMMANDS, GROUPS, app
from voltbench.apps.compose import Bench
from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.cell import Cell
from voltbench.battery.charge_map import CellChargeMap
from voltbench.battery.circuit import EquivalentCircuit
from voltbench.battery.pack import PackModel
from voltbench.battery.thermal import ThermalNode
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import CONNECTOR_TYPES, Acceptance, OnboardCharger, VehicleModel
from voltbench.energy.allocate import STRATEGIES
from voltbench.energy.control import ControlOptions
from voltbench.site.storage import StorageModel

FOLDER = Path(__file__).parent / "reference"
NAMED = ("/sites/{site_id}", "/homes/{home_id}")
"""Where the routes of the default site and home are there for every other one."""

WIDTH = 100
"""Columns that help texts are set in, whatever terminal this runs in."""

Row = Sequence[str]
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Every reference page by its file name, as the code has it now."""
    described = _openapi()
    return {
        "api.md": _api_page(described),
        "catalog.md": _catalog_page(Catalog()),
        "cli.md": _cli_page(),
        "openapi.json": json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        "scenario-format.md": _format_page(),
    }


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


# --- Markdown ------------------------------------------------------------------------------------------------------


def _page(title: str, introduction: str, *parts: str) -> str:
    note = "*Written by `make docs` from the code; changes belong there.*"
    return "\n\n".join([f"# {title}", note, introduction, *(part.strip("\n") for part in parts if part)]) + "\n"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _words(documented: object) -> str:
    """A docstring as Markdown: its paragraphs, each on lines of its own."""
    return cleandoc(documented.__doc__ or "")


# --- the API -------------------------------------------------------------------------------------------------------


def _openapi() -> dict[str, Any]:
    """The application's own description. It is not asked anything, so it needs no sites."""
    nothing = cast(Any, None)
    return make_app(Bench(nothing, nothing, nothing, nothing), Trust()).openapi()


def _api_page(described: Schema) -> str:
    by_tag: dict[str, list[Row]] = {}
    paths = described["paths"]
    for path, methods in paths.items():
        if any(path.startswith(f"{below}/") and path.removeprefix(below) in paths for below in NAMED):
            continue  # said once, for the default site or home
        for method, operation in methods.items():
            row = [f"`{method.upper()}`", f"`{path}`", _summary(operation), *_bodies(operation), _codes(operation)]
            by_tag.setdefault(operation["tags"][0], []).append(row)
    head = ("method", "path", "what it does", "body", "answer", "codes")
    routes = [f"## {tag.capitalize()}\n\n{_table(head, rows)}" for tag, rows in by_tag.items()]
    introduction = f"""\
{described["info"]["description"].strip()}

The same description, for machines: [openapi.json](openapi.json); a running site serves it at `/openapi.json`, and as
pages to try it at `/docs`. Routes of *station*, *sessions* and *events* stand here as those of the default site. They
are there under `/api/v1` too, and for every site under `/sites/{{site_id}}`; those of *home station* are there for
every home under `/homes/{{home_id}}`."""
    schemas = described["components"]["schemas"]
    bodies = [_schema(name, schemas[name]) for name in sorted(schemas) if {"properties", "enum"} & set(schemas[name])]
    return _page("API", introduction, *routes, "# Bodies", *bodies)


def _summary(operation: Schema) -> str:
    described = str(operation.get("description") or operation.get("summary", ""))
    return described.partition("\n\n")[0]


def _bodies(operation: Schema) -> tuple[str, str]:
    asked = operation.get("requestBody", {}).get("content", {})
    answers: dict[str, Schema] = operation["responses"]
    told = next((answer for code, answer in answers.items() if code.startswith("2")), {})
    return _body(asked), _body(told.get("content", {}))


def _body(content: Schema) -> str:
    for kind, media in content.items():
        name = _type(media.get("schema", {}))
        return name if kind == "application/json" else f"`{kind}`"
    return ""


def _codes(operation: Schema) -> str:
    return " ".join(sorted(operation["responses"]))


def _schema(name: str, schema: Schema) -> str:
    words, anchor = cleandoc(str(schema.get("description", ""))), f'<a id="{name.lower()}"></a>{name}'
    if "enum" in schema:
        return f"## {anchor}\n\n{words}\n\n{_type(schema)}"
    required = schema.get("required", [])
    rows = [
        [f"`{field}`", _type(of), "yes" if field in required else "", of.get("description", "")]
        for field, of in schema["properties"].items()
    ]
    return f"## {anchor}\n\n{words}\n\n{_table(('field', 'type', 'required', ''), rows)}"


def _type(schema: Schema) -> str:
    """The type of a JSON schema, in short."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " ".join(filter(None, [str(schema.get("type", "any")), _json_range(schema)]))


def _json_range(schema: Schema) -> str:
    words = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return ", ".join(f"{sign} {schema[key]:,.10g}" for key, sign in words.items() if key in schema)


# --- the command line ----------------------------------------------------------------------------------------------


def _cli_page() -> str:
    introduction = (
        "`voltbench` is installed in `.venv/bin`. An error is one line on stderr and exit code 2; a summary goes to "
        "stdout, progress to stderr."
    )
    commands = [f"## voltbench {' '.join(names)}\n\n```text\n{_help(*names)}\n```" for names in _commands()]
    return _page("Command line", introduction, f"```text\n{_help()}\n```", *commands)


def _commands() -> Iterator[tuple[str, ...]]:
    """Every command, after its group if it is in one."""
    for name in COMMANDS:
        yield (name,)
        if name in GROUPS:
            group = typer.main.get_command(app([name])).commands[name]  # type: ignore[attr-defined]
            yield from ((name, inner) for inner in group.commands)


def _help(*names: str) -> str:
    shown = CliRunner().invoke(
        app(names),
        [*names, "--help"],
        prog_name="voltbench",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        env={"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb", "VOLTBENCH_TOKEN": None},
    )
    if shown.exit_code:
        raise RuntimeError(f"voltbench {' '.join(names)} --help: {shown.output}")
    return "\n".join(line.rstrip() for line in shown.output.strip("\n").splitlines())


# --- the catalog ---------------------------------------------------------------------------------------------------


def _catalog_page(catalog: Catalog) -> str:
    introduction = """\
The models that come with voltbench, and what a file of one may hold. `voltbench catalog` lists them in a terminal.
Figures are public ones; each model says where they come from and what was approximated."""
    vehicles, stations, storages = catalog.vehicles(), catalog.stations(), catalog.storages()
    return _page(
        "Catalog",
        introduction,
        "## Vehicles\n\nBy the curve: from 10 to 80 % of state of charge on DC, with all the power it accepts.",
        _table(
            ("id", "name", "usable kWh", "DC kW", "AC kW", "10-80 % published, min", "by the curve", "inlets"),
            map(_vehicle, vehicles),
        ),
        _sources(vehicles),
        "## Stations",
        _table(("id", "name", "kW", "connectors", "efficiency", "step"), map(_station, stations)),
        _sources(stations),
        "## Storage",
        _table(
            ("id", "name", "kWh", "charge kW", "discharge kW", "efficiency in, out", "SoC window"),
            map(_storage, storages),
        ),
        _sources(storages),
        "## Packs\n\nModels of batteries, by which a vehicle charges as its cells would: see "
        "[physics](../explanation/physics.md).",
        _table(("id", "name", "cells", "kW", "charge map"), map(_pack, catalog.packs())),
        _sources(catalog.packs()),
        "## Charge maps\n\nWhat one cell takes, over state of charge, temperature, active material and resistance; "
        "made by `voltbench cell curve`.",
        _table(("id", "cell", "model", "simulator", "made on", "degrees"), map(_charge_map, catalog.charge_maps())),
        _sources(catalog.charge_maps()),
        "## Circuits\n\nA cell's voltage by a source, a series resistance and two RC pairs; made by "
        "`voltbench cell circuit`.",
        _table(("id", "cell", "model", "simulator", "made on"), map(_circuit, catalog.circuits())),
        _sources(catalog.circuits()),
        "## Cells\n\nPyBaMM's parameter sets, and the models that go with them.",
        _table(("id", "chemistry", "Ah", "V", "most C", "models", "where not, why"), map(_battery_cell, cells())),
        "## What a file may hold",
        "The `id` is the file's name. Connector types: "
        + ", ".join(f"`{t}` ({c})" for t, c in CONNECTOR_TYPES.items()),
        *(_struct_part(_named(model), model, leave_out=("id",)) for model in _MODELS),
    )


_MODELS = (VehicleModel, Acceptance, OnboardCharger, StationModel, ConnectorModel, StorageModel, PackModel, ThermalNode)


def _named(model: type) -> str:
    places = {"Acceptance": "[acceptance] of a vehicle", "OnboardCharger": "[ac] of a vehicle"}
    places["ThermalNode"] = "[thermal] of a pack"
    places["ConnectorModel"] = "[[connectors]] of a station"
    return places.get(model.__name__, f"A {model.__name__.removesuffix('Model').lower()}")


def _vehicle(model: VehicleModel) -> Row:
    takes_dc = any(CONNECTOR_TYPES[inlet] == "dc" for inlet in model.inlets)
    return (
        f"`{model.id}`",
        model.name,
        _kilo(model.usable_capacity_wh),
        f"{model.curve.peak_w / 1e3:.0f}" if takes_dc else "",
        _kilo(model.ac.max_power_w()) if model.ac is not None else "",
        f"{model.published_10_80_min:g}" if model.published_10_80_min is not None else "",
        f"{_minutes(model.curve, 0.1, 0.8):.1f}" if takes_dc else "",
        " ".join(model.inlets),
    )


def _minutes(curve: AcceptanceCurve, soc: float, target_soc: float) -> float:
    """How long a pack takes from one state of charge to another when it gets all it accepts."""
    stored_wh, target_wh, seconds = soc * curve.capacity_wh, target_soc * curve.capacity_wh, 0.0
    while stored_wh < target_wh:
        piece = curve.piece(stored_wh, curve.peak_w, target_wh)
        stored_wh, seconds = piece.end_wh, seconds + piece.duration_s
    return seconds / 60.0


def _station(model: StationModel) -> Row:
    kinds = [f"{c.type} {_kilo(c.max_power_w)} kW" for c in model.connectors]
    plugs = ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))
    step = f"{model.step_a:g} A" if model.step_a else f"{model.step_w:g} W" if model.step_w else "none"
    return f"`{model.id}`", model.name, _kilo(model.max_power_w), plugs, f"{model.efficiency:g}", step


def _storage(model: StorageModel) -> Row:
    window = f"{model.soc_min:g} to {model.soc_max:g}"
    figures = (_kilo(w) for w in (model.capacity_wh, model.charge_max_w, model.discharge_max_w))
    ways = f"{model.charge_efficiency:g}, {model.discharge_efficiency:g}"
    return f"`{model.id}`", model.name, *figures, ways, window


def _pack(model: PackModel) -> Row:
    power = "" if model.max_power_w is None else _kilo(model.max_power_w)
    return f"`{model.id}`", model.name, f"{model.series} x {model.parallel}", power, f"`{model.charge_map.id}`"


def _charge_map(model: CellChargeMap) -> Row:
    made, degrees = model.provenance, model.temperature_degc
    warm = f"{degrees[0]:g} to {degrees[-1]:g}"
    return f"`{model.id}`", model.cell, made.model, made.simulator, str(made.made_on), warm


def _circuit(model: EquivalentCircuit) -> Row:
    made = model.provenance
    return f"`{model.id}`", model.cell, made.model, made.simulator, made.made_on


def _battery_cell(cell: Cell) -> Row:
    volts = f"{cell.lower_voltage_v:g} to {cell.upper_voltage_v:g}"
    why_not = " ".join(dict.fromkeys(f"{reason}." for reason in cell.why_not.values()))
    models = ", ".join(cell.models) or "none"
    return f"`{cell.name}`", cell.chemistry, f"{cell.capacity_ah:g}", volts, f"{cell.most_c_rate:g}", models, why_not


def _sources(
    models: Iterable[VehicleModel | StationModel | StorageModel | PackModel | CellChargeMap | EquivalentCircuit],
) -> str:
    told = "\n".join(f"* `{model.id}`: {' '.join(model.source.split())}" for model in models)
    return f"<details><summary>Where the figures come from</summary>\n\n{told}\n\n</details>"


def _kilo(watts: float) -> str:
    return f"{watts / 1e3:,.1f}"


# --- file formats --------------------------------------------------------------------------------------------------


def _format_page() -> str:
    introduction = f"""\
What `voltbench simulate` reads: a [scenario](#scenario-toml) (TOML), recorded [sessions](#sessions-csv-or-json) (CSV or
JSON), or a [station configuration](#station-configuration-json) (JSON). What a file is, is told by its name's end, else
by how it begins. Unknown fields are refused. Strategies: {", ".join(f"`{name}`" for name in STRATEGIES)}."""
    return _page(
        "File formats",
        introduction,
        "## Scenario (TOML)",
        _scenario_overview(),
        *(_struct_part(place, table) for place, table in _TABLES.items()),
        "### Quantities over time",
        _blocks(cleandoc(quantity.__doc__ or "")),
        _fields(quantity.QuantityTable),
        "## Sessions (CSV or JSON)",
        _blocks(cleandoc(sessions.__doc__ or "")),
        "## Station configuration (JSON)",
        _blocks(cleandoc(station_json.__doc__ or ""), "js"),
        *(_struct_part(place, table) for place, table in _STATION.items()),
    )


def _scenario_overview() -> str:
    """The tables at a glance, from the module that holds them; its first paragraph is for those who read code."""
    glance = cleandoc(tables.__doc__ or "").split("\n\n", 1)[1]
    return _blocks(f"At a glance (one setting a line in a real file):\n\n{glance}").replace(
        "see `quantity.py`", "see [quantities over time](#quantities-over-time)"
    )


_TABLES: dict[str, type[msgspec.Struct]] = {
    "Top level": tables.ScenarioTable,
    "[horizon]": tables.Horizon,
    "[site]": tables.SiteTable,
    "[[site.nodes]]": tables.NodeTable,
    "[[site.limits]]": tables.LimitTable,
    "[[site.lines]]": tables.LineTable,
    "[[site.lines.terms]]": tables.TermTable,
    "[site.pv]": tables.PvTable,
    "[site.storage]": tables.StorageTable,
    "[[stations]]": tables.StationTable,
    "[control]": tables.ControlTable,
    "[arrivals]": tables.ArrivalsTable,
    "[tariff]": tables.ScenarioTariff,
    "[tariff.time_of_use], [tariff.grid_fee]": tariff_tables.TimeOfUseTable,
    "[[tariff.time_of_use.rates]], [[tariff.grid_fee.rates]]": tariff_tables.RateTable,
    "[tariff.feed_in]": tariff_tables.FeedInTable,
    "[tariff.peak]": tariff_tables.PeakTable,
    "[[tariff.peak.weights]]": tariff_tables.WeightTable,
}
_STATION: dict[str, type[msgspec.Struct]] = {
    "The station": station_json.StationConfig,
    "`chargers[]`": station_json.ChargerConfig,
    "`connectors[]`": station_json.ConnectorConfig,
    "`battery`": station_json.BatteryConfig,
}
_MORE: dict[type, Callable[[], str]] = {
    tables.ControlTable: lambda: "`energy.control.ControlOptions` says: " + _words(ControlOptions).split("\n\n", 1)[1],
    tables.StorageTable: lambda: (
        "Instead of `model`, the fields of a [storage model](catalog.md#what-a-file-may-hold) may stand here; `id`, "
        "`name` and `source` may then be left out."
    ),
}
"""What is to be said beside a struct's own words."""


def _struct_part(place: str, struct: type[msgspec.Struct], leave_out: Sequence[str] = ()) -> str:
    more = _MORE[struct]() + "\n\n" if struct in _MORE else ""
    return f"### {place}\n\n{_words(struct)}\n\n{more}{_fields(struct, leave_out)}"


def _fields(struct: type[msgspec.Struct], leave_out: Sequence[str] = ()) -> str:
    hints = get_type_hints(struct, include_extras=True)
    rows = [
        [f"`{field.encode_name}`", _allowed(hints[field.name]), _default(field)]
        for field in msgspec.structs.fields(struct)
        if field.name not in leave_out
    ]
    return _table(("field", "allowed", "without it"), rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT or field.default is None or isinstance(field.default, msgspec.Struct):
        return ""
    if field.default == "":
        return ""
    return f"`{json.dumps(field.default)}`"


_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "a date or a time"}


def _allowed(annotation: Any) -> str:
    """The values that a field's annotation allows, in a few words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    kinds = {*inner} - {type(None)} if origin in (Union, types.UnionType) else set()
    if kinds and kinds == {*get_args(tables.Quantity)}:
        return "[quantity](#quantities-over-time)"
    if origin is Annotated:
        return " ".join(filter(None, [_allowed(inner[0]), _range(inner[1])]))
    if kinds:
        return " or ".join(_allowed(each) for each in inner if each in kinds)
    return _unmixed(annotation, origin, inner)


def _unmixed(annotation: Any, origin: Any, inner: Sequence[Any]) -> str:
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (list, tuple):
        return "list of " + _allowed(inner[0])
    if origin is dict or annotation is dict:
        return "table"
    return _PLAIN.get(annotation) or f"table ({annotation.__name__})"


def _range(meta: msgspec.Meta) -> str:
    found = [
        f"{sign} {bound:,.10g}" for sign, bound in ((">", meta.gt), ("≥", meta.ge), ("<", meta.lt)) if bound is not None
    ]
    if meta.le is not None:
        found.append(f"≤ {meta.le:,.10g}" if meta.le < 1e12 else "")
    return ", ".join(filter(None, found))


def _blocks(text: str, language: str = "text") -> str:
    """A docstring as Markdown: what is indented becomes a block of code."""
    return re.sub(
        r"(?m)(?:^ {4}.*\n|^\n(?= {4}))+",
        lambda block: f"\n```{language}\n{cleandoc(block[0])}\n```\n" if block[0].strip() else block[0],
        text + "\n",
    )


if __name__ == "__main__":
    main()
