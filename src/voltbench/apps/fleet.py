"""`voltbench fleet`: a thousand life-like stations, pointed at somebody's CSMS."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.reports.files import require_writable, whole_directory
from voltbench.adapters.reports.fleet_page import write_fleet_report
from voltbench.apps.fleet_figures import FleetFigures
from voltbench.apps.options import require
from voltbench.apps.station_choices import (
    LONGEST_ID,
    LONGEST_TAG,
    StationChoices,
    Stations,
    first_connection,
    keys_of,
    require_name,
    tags_of,
)
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_SECOND, Instant, instant_of
from voltbench.running.comings import PROFILES
from voltbench.running.fleet_report import FleetReport, Moment

REFRESH_S = 1.0
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0}
MOST_STATIONS = 100_000
LONGEST_PREFIX = LONGEST_ID - len("-100000")
FIRST_DRIVER_S = 5.0
"""So long a station is there before anybody comes, and a second on the wall: it takes that to be accepted."""

LAST_WORDS_S = 10.0
"""How long nothing may come of what the stations still have to tell, at the end."""

LONGEST_END_S, TOLD_TO_STOP_S = 60.0, 4.0
"""How long the end may take, whatever comes of it; and when somebody has said stop."""


def fleet(
    csms: Annotated[str, typer.Option(help="Where the CSMS is, without the station's id: ws://HOST:PORT/PATH.")],
    stations: Annotated[int, typer.Option(help="How many.")] = 10,
    model: Annotated[str, typer.Option(help="The model of each, from the catalog.")] = "alfen-eve-double-pro",
    arrivals: Annotated[str, typer.Option(help=f"Who comes: {', '.join(PROFILES)}.")] = "always",
    per_day: Annotated[float, typer.Option(help="Cars a weekday at each station; not for `always`.")] = 8.0,
    ramp: Annotated[str, typer.Option(help="Stations that connect a second.")] = "50/s",
    speed: Annotated[float, typer.Option(help="Virtual seconds a second.")] = 1.0,
    duration: Annotated[str, typer.Option(help="How long, on the wall: 90s, 10m, 2h.")] = "1m",
    seed: Annotated[int, typer.Option(help="Who comes, and with what: the same for the same start.")] = 0,
    starts_at: Annotated[
        str | None, typer.Option(help="When it begins for the stations, as 2026-06-01T08:00Z.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Ids are PREFIX-00001 and so on.")] = "VB",
    tag: Annotated[
        list[str] | None, typer.Option(help="An id tag of the drivers, instead of one for each; may be repeated.")
    ] = None,
    key: Annotated[list[str] | None, typer.Option(help="A configuration key, as KEY=VALUE; may be repeated.")] = None,
    ca: Annotated[Path | None, typer.Option(dir_okay=False, help="Certificates to trust, for wss.")] = None,
    data: Annotated[Path | None, typer.Option(file_okay=False, help="Let stations survive a kill, in here.")] = None,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Write report.json and report.html there.")] = None,
    leave_running: Annotated[
        bool, typer.Option("--leave-running", help="End with transactions that are open.")
    ] = False,
    transport: Annotated[str, typer.Option(help="picows or websockets.")] = "picows",
) -> None:
    """Let many stations live at a CSMS, and tell how it does."""
    begins_at = None if starts_at is None else _instant(starts_at)
    choices = StationChoices(csms, model, speed, seed, data, transport, ca, begins_at, keys=keys_of(key or []))
    require(1 <= stations <= MOST_STATIONS, "stations", stations, f"1 to {MOST_STATIONS}")
    require(0.0 < per_day <= 1_000.0, "per-day", per_day, "above 0, up to 1000")
    require_name("prefix", prefix, LONGEST_PREFIX)
    for one in tag or []:
        require_name("tag", one, LONGEST_TAG)
    asked = _Asked(stations, arrivals, per_day, _rate(ramp), _seconds(duration), prefix, tag or [], leave_running)
    require(arrivals in PROFILES, "arrivals", arrivals, ", ".join(PROFILES))
    if out is not None:
        require_writable(out)
    report = uvloop.run(_run(choices, asked))
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(_table(report.figures, None))
    if out is not None:
        with whole_directory(out) as folder:
            write_fleet_report(folder, report)


@dataclass(frozen=True)
class _Asked:
    """What a fleet is to be."""

    stations: int
    arrivals: str
    per_day: float
    per_second: float
    lasts_s: float
    prefix: str
    tags: list[str]
    leave_running: bool


def _instant(text: str) -> Instant:
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
    if moment is None or moment.year < 1970:
        raise InvalidInput("starts-at", "is no time", found=text, allowed="as 2026-06-01T08:00:00+02:00, UTC without")
    return instant_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _rate(text: str) -> float:
    number = text.removesuffix("/s")
    try:
        rate = float(number)
    except ValueError:
        rate = 0.0
    require(0.0 < rate <= 100_000.0, "ramp", text, "stations a second, as 50/s")
    return rate


def _seconds(text: str) -> float:
    try:
        seconds = float(text[:-1]) * UNITS_S[text[-1:]] if text[-1:] in UNITS_S else float(text)
    except ValueError:
        seconds = 0.0
    require(0.0 < seconds <= 31_536_000.0, "duration", text, "as 90s, 10m, 2h")
    return seconds


async def _run(choices: StationChoices, asked: _Asked) -> FleetReport:
    """Let the fleet live for as long as it shall, or until somebody says stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    made = Stations(choices, Catalog(None if choices.data is None else choices.data / "catalog"))
    figures = FleetFigures(made, asked.stations)
    peopling = asyncio.create_task(_people(made, asked, figures))
    try:
        async with _shown(figures) as show:
            await _live(figures, asked.lasts_s, stop, show, peopling)
            peopling.cancel()
            if not asked.leave_running:
                longest_s = TOLD_TO_STOP_S if stop.is_set() else LONGEST_END_S
                stop.clear()
                await _end(figures, longest_s, stop, show)
        return figures.report(choices, asked.arrivals)
    finally:
        peopling.cancel()
        await made.host.close()


async def _people(made: Stations, asked: _Asked, figures: FleetFigures) -> None:
    """Make the stations, each a moment before it connects."""
    begun = monotonic()
    for number in range(asked.stations):
        ahead_s = number / asked.per_second - (monotonic() - begun)
        if ahead_s > 0.0:
            await asyncio.sleep(ahead_s)
        begins_at = first_connection(made.started_at, number, asked.per_second, made.choices.speed)
        hosted = made.add(f"{asked.prefix}-{number + 1:05}", begins_at)
        drivers = made.let_drive(
            hosted,
            asked.arrivals,
            asked.per_day,
            tags_of(hosted.station.id, asked.tags, number),
            begins_at + round(max(FIRST_DRIVER_S, made.choices.speed) * MS_PER_SECOND),
        )
        figures.watch(hosted, drivers)


async def _live(
    figures: FleetFigures,
    lasts_s: float,
    stop: asyncio.Event,
    show: Callable[[Moment], None],
    peopling: asyncio.Task[None],
) -> None:
    ends = monotonic() + lasts_s
    while (left_s := ends - monotonic()) > 0.0 and not stop.is_set():
        await _moment(stop, min(REFRESH_S, left_s))
        if peopling.done() and not peopling.cancelled():
            peopling.result()
        show(figures.look())


async def _end(figures: FleetFigures, longest_s: float, stop: asyncio.Event, show: Callable[[Moment], None]) -> None:
    """Let everybody leave and the stations tell of it, while that goes on and nobody says stop once more."""
    figures.all_leave()
    began = since = monotonic()
    least = figures.untold()
    while (untold := figures.untold()) > 0 and not stop.is_set():
        if untold < least:
            least, since = untold, monotonic()
        if monotonic() > min(began + longest_s, since + LAST_WORDS_S):
            break
        await _moment(stop, REFRESH_S / 5)
    show(figures.look())


async def _moment(stop: asyncio.Event, lasts_s: float) -> None:
    """A moment, which is over when somebody says stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(lasts_s):
            await stop.wait()


@asynccontextmanager
async def _shown(figures: FleetFigures) -> AsyncIterator[Callable[[Moment], None]]:
    """A live table in a terminal; else a line every now and then."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as screen:
            yield lambda moment: screen.update(_table(figures.figures(), moment), refresh=True)
    else:
        yield lambda moment: print(moment.line(), flush=True) if moment.number % 10 == 1 else None


def _table(figures: dict[str, str], moment: Moment | None) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, words in figures.items():
        table.add_row(name, escape(words))  # some of them may be a CSMS's
    if moment is not None:
        table.add_row("now", moment.line())
    return table
