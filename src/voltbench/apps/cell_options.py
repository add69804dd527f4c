"""What the commands about cells are asked in the same words, and the load that is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_type_hints

import msgspec
import typer

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells.drive_cycles import RoadVehicle, load_from_speed, speed_trace
from voltbench.adapters.record_files.profiles import SIGNS, Sign, profile_load
from voltbench.adapters.rows import read_bytes
from voltbench.battery.cell import Cell
from voltbench.battery.cycling import LONGEST_S, ConstantCurrent
from voltbench.battery.simulation import (
    CurrentLoad,
    DriveCycleLoad,
    ExperimentLoad,
    Load,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
)
from voltbench.errors import InvalidInput

LENGTHS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}

BEYOND, FAR_BEYOND = 1.5, 10.0
"""How much longer than its nominal capacity lasts a cell is charged or discharged where nobody says how long; and where
its numbers, or the current, may be others."""

Bpx: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", help="A cell of yours, as BPX (JSON).")]
Soc: TypeAlias = Annotated[float, typer.Option(help="State of charge at the start, 0 to 1.")]
Ambient: TypeAlias = Annotated[float, typer.Option(metavar="DEGC", help="How warm it is around the cell.")]
Thermal: TypeAlias = Annotated[str, typer.Option(help="isothermal, or lumped: the cell warms up.")]
Every: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="Rows so often, as 1s.")]
Set: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=NUMBER", help="Another number, by PyBaMM's name. Repeatable.")
]


@dataclass(frozen=True)
class LoadOptions:
    """What is done to the cell, as it was typed: each field is an option of the commands that take a load."""

    current: Annotated[float | None, typer.Option(metavar="A", help="One current. Positive is charging.")] = None
    c_rate: Annotated[float | None, typer.Option(metavar="RATE", help="One current, as a rate of the capacity.")] = None
    power: Annotated[float | None, typer.Option(metavar="W", help="One power at the terminals.")] = None
    experiment: Annotated[
        list[str] | None, typer.Option(metavar="SENTENCE", help="A step, as 'Charge at C/3 until 4.2 V'. Repeatable.")
    ] = None
    protocol: Annotated[Path | None, typer.Option(metavar="FILE", help="Steps of a cycling protocol (JSON).")] = None
    profile: Annotated[Path | None, typer.Option(metavar="FILE", help="Times and currents or powers (CSV).")] = None
    positive: Annotated[
        str | None, typer.Option(metavar="charge|discharge", help="What is positive in the profile's file.")
    ] = None
    drive_cycle: Annotated[str | None, typer.Option(metavar="NAME", help="A drive cycle; see cell cycles.")] = None
    speed_trace: Annotated[
        str | None, typer.Option(metavar="NAME", help="A compact car's cell at these speeds; see cell cycles.")
    ] = None
    pack: Annotated[str, typer.Option(help="Cells of that car, in series and in parallel.")] = "96s44p"
    scale: Annotated[
        float, typer.Option(help="What drive cycle, speed trace's powers or profile are multiplied by.")
    ] = 1.0
    times: Annotated[int, typer.Option(help="How many times drive cycle or experiment are done.")] = 1
    duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long one current or power, as 90s, 15min or 1h; else until the end."),
    ] = None

    def load(self, cell: Cell, beyond: float = BEYOND) -> Load:
        """The load for a cell. Raises InvalidInput where none is asked for, or several, or what it has no use for."""
        numbers = {option_of(name): getattr(self, name) for name in _NUMBERS}
        strict.refuse_odd_values({option: number for option, number in numbers.items() if number is not None})
        asked = [name for name in _KINDS if getattr(self, name) not in (None, [])]
        if len(asked) != 1:
            problem = "say several things to do" if asked else "say nothing to do to the cell"
            found = ", ".join(map(option_of, asked)) or None
            raise InvalidInput("options", problem, found=found, allowed="one of " + ", ".join(map(option_of, _KINDS)))
        become, takes = _KINDS[asked[0]]
        for name, default in _DEFAULTS.items():
            if name not in takes and getattr(self, name) != default:
                kinds = [option_of(kind) for kind, (_, theirs) in _KINDS.items() if name in theirs]
                problem = f"says nothing of {option_of(asked[0])}"
                raise InvalidInput(
                    option_of(name), problem, found=getattr(self, name), allowed=f"with {' or '.join(kinds)}"
                )
        return become(self, cell, beyond)

    def seconds(self, takes_h: float, beyond: float) -> float:
        """How long: what was typed, or long enough that a cell that takes so many hours is full or empty."""
        if self.duration is not None:
            return length_s(self.duration, "--duration")
        return min(max(takes_h * beyond * 3_600.0, 1.0), LONGEST_S)


NO_LOAD = LoadOptions()

Command = Callable[..., None]


def takes_load(command: Command) -> Command:
    """Let a command with a parameter `load: LoadOptions` be asked for it by an option for each of its fields."""
    own = signature(command, eval_str=True).parameters
    hints = get_type_hints(LoadOptions, include_extras=True)
    options = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(LoadOptions)
    ]

    @wraps(command)
    def asked(**typed: Any) -> None:
        load = LoadOptions(**{option.name: typed.pop(option.name) for option in options})
        command(**typed, load=load)

    wanted = [
        option
        for parameter in own.values()
        for option in (options if parameter.annotation is LoadOptions else [parameter])
    ]
    asked.__dict__["__signature__"] = Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in wanted])
    asked.__annotations__ = {each.name: each.annotation for each in wanted}
    del asked.__wrapped__
    return asked


def typed_options(context: typer.Context) -> list[str]:
    """The parameters of a command that somebody typed."""
    return [name for name in context.params if _is_typed(context, name)]


def require_unused(context: typer.Context, beside: str, *others: str, allowed: str) -> None:
    """Raise InvalidInput where one of these parameters was typed beside another that leaves it no meaning."""
    for name in typed_options(context):
        if name in others:
            found = context.params[name]
            raise InvalidInput(option_of(name), f"says nothing beside {beside}", found=found, allowed=allowed)


def option_of(name: str) -> str:
    """What a parameter is called on the command line."""
    return "--set" if name == "numbers" else f"--{name.replace('_', '-')}"


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def length_s(text: str, option: str) -> float:
    """The seconds that `90s`, `15min`, `1h` or `2d` say."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(s|min|h|d)?", text.strip())
    seconds = float(match[1]) * LENGTHS[match[2] or "s"] if match else 0.0
    if not 0.0 < seconds <= LONGEST_S:
        raise InvalidInput(option, "is no length of time", found=text, allowed="more than 0s, up to 7d, as 90s or 1h")
    return seconds


def parameters(pairs: list[str] | None) -> dict[str, float]:
    """The numbers that `NAME=NUMBER` say."""
    named: dict[str, float] = {}
    for pair in pairs or []:
        name, mark, number = pair.rpartition("=")
        if name.strip() in named:
            raise InvalidInput("--set", "says a number twice", found=name.strip(), allowed="each of them once")
        try:
            named[name.strip()] = float(number)
        except ValueError:
            mark = ""
        if not (mark and name.strip()):
            raise InvalidInput("--set", "is no name and number", found=pair, allowed='"Name [unit]=number"')
    return named


# --- each kind of load -----------------------------------------------------------------------------------------------


def _current(options: LoadOptions, cell: Cell, beyond: float) -> Load:
    current_a = options.current or 0.0
    takes_h = cell.capacity_ah / abs(current_a) if current_a else 1.0 / beyond
    return CurrentLoad(current_a=current_a, duration_s=options.seconds(takes_h, beyond))


def _c_rate(options: LoadOptions, cell: Cell, beyond: float) -> Load:
    rate = options.c_rate or 0.0
    takes_h = 1.0 / abs(rate) if rate else 1.0 / beyond
    return CurrentLoad(current_a=rate * cell.capacity_ah, duration_s=options.seconds(takes_h, beyond))


def at_own_rate(options: LoadOptions) -> Load:
    """The same rate for cells of different capacities, each of its own."""
    rate = options.c_rate or 0.0
    step = ConstantCurrent(c_rate=rate, until_s=options.seconds(1.0 / abs(rate) if rate else 1.0 / BEYOND, BEYOND))
    return ProtocolLoad(steps=[step])


def _power(options: LoadOptions, cell: Cell, beyond: float) -> Load:
    power_w = options.power or 0.0
    takes_h = cell.energy_wh / abs(power_w) if power_w else 1.0 / beyond
    return PowerLoad(power_w=power_w, duration_s=options.seconds(takes_h, beyond))


def _experiment(options: LoadOptions, *_: object) -> Load:
    return _converted({"steps": options.experiment, "times": options.times}, ExperimentLoad, "--experiment")


def _protocol(options: LoadOptions, *_: object) -> Load:
    assert options.protocol is not None
    with strict.within(str(options.protocol)):
        told = json_text.parse(read_bytes(options.protocol, "--protocol"))
        return strict.convert({"steps": told} if isinstance(told, list) else told, ProtocolLoad)


def _profile(options: LoadOptions, *_: object) -> Load:
    assert options.profile is not None
    with strict.within(str(options.profile)):
        try:
            load = profile_load(read_bytes(options.profile, "--profile"), _sign(options.positive))
        except InvalidInput as error:
            raise (error.at("--positive") if error.field == "positive" else error) from error
    return _scaled(load, options.scale)


def _drive_cycle(options: LoadOptions, *_: object) -> Load:
    asked = {"name": options.drive_cycle, "scale": options.scale, "times": options.times}
    return _converted(asked, DriveCycleLoad, "--drive-cycle")


def _speed_trace(options: LoadOptions, *_: object) -> Load:
    match = re.fullmatch(r"(\d{1,4})s(\d{1,4})p", options.pack.strip())
    if match is None:
        raise InvalidInput("--pack", "is no number of cells", found=options.pack, allowed="as 96s44p")
    load = load_from_speed(speed_trace(options.speed_trace or ""), RoadVehicle(), int(match[1]), int(match[2]))
    return _scaled(load, options.scale)


_KINDS: dict[str, tuple[Callable[[LoadOptions, Cell, float], Load], tuple[str, ...]]] = {
    "current": (_current, ("duration",)),
    "c_rate": (_c_rate, ("duration",)),
    "power": (_power, ("duration",)),
    "experiment": (_experiment, ("times",)),
    "protocol": (_protocol, ()),
    "profile": (_profile, ("positive", "scale")),
    "drive_cycle": (_drive_cycle, ("scale", "times")),
    "speed_trace": (_speed_trace, ("pack", "scale")),
}
"""Each option that says what is done, how it becomes a load, and which other options it takes."""

_NUMBERS = ("current", "c_rate", "power", "scale")

_DEFAULTS = {field.name: field.default for field in fields(LoadOptions) if field.name not in _KINDS}


def _converted(table: Mapping[str, object], kind: type[Load], option: str) -> Load:
    try:
        load: Load = strict.convert(table, kind)
    except InvalidInput as error:
        raise error.at(f"{option} ({error.field})") from error
    return load


def _scaled(load: ProfileLoad, scale: float) -> ProfileLoad:
    if scale == 1.0:
        return load
    changed = {
        name: [number * scale for number in series]
        for name in ("current_a", "power_w")
        if (series := getattr(load, name)) is not None
    }
    return msgspec.structs.replace(load, **changed)


def _sign(positive: str | None) -> Sign | None:
    if positive is None:
        return None
    for sign in SIGNS:
        if positive == sign:
            return sign
    raise InvalidInput("--positive", "is unknown", found=positive, allowed=" or ".join(SIGNS))
