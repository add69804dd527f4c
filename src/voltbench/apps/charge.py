"""`voltbench charge`: the client of a home station, which charges when it is cheap and leaves the charger off."""

from __future__ import annotations

import asyncio
import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from voltbench.adapters.home_charging import HomeCharging
from voltbench.adapters.home_station import HomeStation
from voltbench.adapters.reports.charge_page import charge_json, charge_text, write_charge_report
from voltbench.adapters.reports.files import require_writable
from voltbench.errors import InvalidInput, VoltbenchError
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, DurationMs
from voltbench.running.home_client.client import ChargingClient, Ending
from voltbench.running.home_client.money import hundredth, in_words
from voltbench.running.home_client.report import ChargeReport, report_on
from voltbench.running.home_client.wishes import Mode, Wishes

LACKING, NOT_OFF = 1, 3
"""Exit codes: the target was not reached; nobody knows whether the charger is off."""

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)

AS_WISHED = Wishes()


def charge(
    url: Annotated[
        str, typer.Option(help="The station, as http://HOST:PORT or .../homes/ID.")
    ] = "http://127.0.0.1:5000",
    mode: Annotated[
        Mode, typer.Option(help="Below a price, in the cheapest hours before departure, or at once.")
    ] = AS_WISHED.mode,
    until_soc: Annotated[
        float, typer.Option(help="The state of charge to reach, 0 to 1; half a portion of 15 min less will do.")
    ] = AS_WISHED.until_soc,
    at_least: Annotated[bool, typer.Option("--at-least", help="Not a bit less than that.")] = False,
    below: Annotated[float, typer.Option(help="For the threshold: öre/kWh, or cents.")] = AS_WISHED.below_ore,
    currency: Annotated[
        str | None, typer.Option(help="Prices are in hundredths of it.", show_default="what the home says, or SEK")
    ] = None,
    fuse_w: Annotated[float, typer.Option(help="What household and car may draw together.")] = AS_WISHED.fuse_w,
    household_only: Annotated[
        bool, typer.Option("--household-only", help="Hold the household alone against the fuse, as the course did.")
    ] = False,
    departure: Annotated[
        str | None, typer.Option(help="HH:MM on the station's clock.", show_default="in a day, for a plan")
    ] = None,
    power_w: Annotated[float, typer.Option(help="What the charger draws.")] = AS_WISHED.power_w,
    capacity_wh: Annotated[
        float | None, typer.Option(help="What the battery holds.", show_default="what the station's figures say")
    ] = None,
    efficiency: Annotated[float, typer.Option(help="Part of it that the battery gets.")] = AS_WISHED.efficiency,
    reset: Annotated[bool, typer.Option(help="Let the station begin anew first (POST /discharge).")] = False,
    patience_s: Annotated[
        float, typer.Option(help="How long the station may not answer, before the end and at it.")
    ] = 60.0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.txt, report.json and report.html there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    token: Annotated[str | None, typer.Option(envvar="VOLTBENCH_TOKEN", help="What the station wants to see.")] = None,
) -> None:
    """Charge a car at a home station when it is cheap, and leave the charger off.

    Exit code 1: the target was not reached; 3: nobody knows whether the charger is off; 128 + N: signal N
    (SIGHUP, SIGINT, SIGQUIT, SIGTERM) interrupted it.
    """
    if not 0.0 <= patience_s <= 86_400.0:
        raise InvalidInput("patience-s", "is out of range", found=patience_s, allowed="0 to 86400")
    wishes = Wishes(
        mode=mode,
        until_soc=until_soc,
        at_least=at_least,
        below_ore=below,
        fuse_w=fuse_w,
        household_only=household_only,
        departure_ms=None if departure is None else _time_of_day(departure),
        power_w=power_w,
        capacity_wh=capacity_wh,
        efficiency=efficiency,
    )
    if out is not None:
        require_writable(out)
    code = asyncio.run(_Run(wishes, HomeStation(url, token, currency), patience_s).go(reset, out, json))
    raise typer.Exit(code)


def _time_of_day(text: str) -> DurationMs:
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", text.strip())
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (24, 0)
    if hour > 23 or minute > 59:
        raise InvalidInput("departure", "is no time of day", found=text, allowed="HH or HH:MM, as 07:00")
    return hour * MS_PER_HOUR + minute * MS_PER_MINUTE


class _WhoeverListens(io.TextIOWrapper):
    """A terminal that may be closed: what is said then is lost, and nothing else."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _whoever_listens() -> _WhoeverListens:
    """Stderr."""
    return _WhoeverListens(open(sys.stderr.fileno(), "wb", closefd=False), sys.stderr.encoding, line_buffering=True)


class _Run:
    """One client at work, and what is seen of it: lines and a table on stderr, the report on stdout."""

    def __init__(self, wishes: Wishes, station: HomeStation, patience_s: float) -> None:
        self._client = ChargingClient(wishes)
        self._station, self._patience_s = station, patience_s
        self._console = Console(file=_whoever_listens())
        self._signal = 0

    async def go(self, reset: bool, out: Path | None, as_json: bool) -> int:
        """Charge, and report; return the exit code. Raises what went wrong, after the report."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in INTERRUPTING:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup
            loop.add_signal_handler(number, self._interrupted, stop, number)
        loop.add_signal_handler(signal.SIGTSTP, self._not_suspended)
        failure: VoltbenchError | None = None
        async with self._station as station:
            with self._shown() as tell:
                charging = HomeCharging(self._client, station, stop, tell, self._patience_s)
                try:
                    await charging.live(reset)
                except VoltbenchError as error:
                    failure = error
        report = report_on(self._client, self._station.url, self._ending(charging, failure), charging.left_off)
        if report is not None:
            self._tell(report, out, as_json)
        if failure is not None and (charging.left_off or report is None):
            raise failure
        return self._code(charging.left_off)

    def _interrupted(self, stop: asyncio.Event, number: int) -> None:
        if number == signal.SIGHUP and self._signal:
            return  # a terminal and its shell may both say it: that is nobody who cannot wait
        self._signal = self._signal or number
        stop.set()

    def _not_suspended(self) -> None:
        """Go on: who is suspended (Ctrl-Z) switches nothing off."""
        self._console.print("not suspended, for nobody would switch the charger off; Ctrl-C does", highlight=False)

    def _ending(self, charging: HomeCharging, failure: VoltbenchError | None) -> str:
        if failure is not None:
            return f"failed: {failure}"
        if self._client.ended is not None:
            return self._client.ended.value
        return "interrupted" if charging.was_stopped else "ended"

    def _code(self, left_off: bool) -> int:
        if not left_off:
            self._console.print("voltbench: nobody knows whether the charger is off", style="bold red", highlight=False)
            return NOT_OFF
        if self._client.ended is not None:
            return 0 if self._client.ended is Ending.REACHED else LACKING
        return 128 + self._signal

    def _tell(self, report: ChargeReport, out: Path | None, as_json: bool) -> None:
        with suppress(OSError) if self._signal == signal.SIGHUP else nullcontext():
            print(charge_json(report) if as_json else charge_text(report), end="", flush=True)
        if out is not None:
            write_charge_report(out, report)

    @contextmanager
    def _shown(self) -> Iterator[Callable[[str], None]]:
        """Lines; in a terminal with a table below that lives."""
        if not self._console.is_terminal:
            yield lambda line: self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            return
        with Live(console=self._console, get_renderable=self._table, refresh_per_second=4) as live:
            yield lambda line: live.console.print(line, highlight=False, markup=False)

    def _table(self) -> Table:
        """The moment, as the client knows it."""
        table = Table.grid(padding=(0, 2))
        watch = self._client.watch
        if watch is None or watch.info is None:
            table.add_row("station", f"{self._station.url}, waiting")
            return table
        info, at, household = watch.info, watch.quarter_at, watch.household
        soc, wanted = info.energy_wh / self._client.capacity_wh, self._client.wishes.until_soc
        table.add_row("station", f"{self._station.url}  {self._client.clock()}")
        table.add_row("price", f"{household.price_at(at):.2f} {hundredth(household.currency)}/kWh")
        load = f"household {household.load_at(at) / 1e3:.2f} kW, all {info.load_w / 1e3:.2f} kW"
        table.add_row("load", f"{load}, fuse {self._client.wishes.fuse_w / 1e3:g} kW")
        table.add_row("battery", f"{soc * 100:.2f} % of {wanted * 100:g} %, charger {'on' if info.is_on else 'off'}")
        spent = f"{watch.ledger.drawn_wh / 1e3:.2f} kWh for {in_words(watch.ledger.cost_ore, household.currency)}"
        table.add_row("charged", spent)
        return table
