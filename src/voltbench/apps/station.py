"""`voltbench station`: one station twin, whose driver sits at the keyboard."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voltbench.adapters.aside import aside
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import HostedStation
from voltbench.adapters.strict import chosen
from voltbench.apps.station_choices import LONGEST_ID, LONGEST_TAG, StationChoices, Stations, keys_of, require_name
from voltbench.charging.happenings import (
    Blinked,
    Happening,
    StatusChanged,
    TokenRefused,
    TransactionEnded,
    TransactionStarted,
)
from voltbench.charging.path import can_plug_in
from voltbench.charging.vehicle import Vehicle, VehicleModel
from voltbench.errors import Conflict, InvalidInput, NotFound, VoltbenchError
from voltbench.ocpp.v16.station.keys import KEYS
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import Instant, utc

HELP = """plug [EVSE] [VEHICLE] [PERCENT]   plug a car in (of the catalog, with so much in its battery)
tap TAG [EVSE]                    show an id tag to the reader
unplug [EVSE]                     pull the plug
fault [EVSE] [ERROR]              let something break (an error code of OCPP, as GroundFailure, or one and its vendor's,
                                  as GroundFailure/E17); EVSE 0: the station, which with ResetFailure cannot boot anew
repair [EVSE]                     mend it
status                            what every EVSE does and shows, and why no more
keys [KEY]                        configuration keys
quit                              hang up and go"""


INTERRUPTING = (signal.SIGINT, signal.SIGTERM)
STDIN, CHUNK = 0, 4_096


def station(
    csms: Annotated[str, typer.Option(help="Where the CSMS is, without the station's id: ws://HOST:PORT/PATH.")],
    id: Annotated[str, typer.Option(help="The station's id.")] = "VB-00001",
    model: Annotated[str, typer.Option(help="Its model, from the catalog.")] = "alfen-eve-double-pro",
    speed: Annotated[float, typer.Option(help="Virtual seconds a second.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of what is left to chance.")] = 0,
    key: Annotated[list[str] | None, typer.Option(help="A configuration key, as KEY=VALUE; may be repeated.")] = None,
    ca: Annotated[Path | None, typer.Option(dir_okay=False, help="Certificates to trust, for wss.")] = None,
    data: Annotated[Path | None, typer.Option(file_okay=False, help="Let it survive a kill, in here.")] = None,
) -> None:
    """Be the driver at one station: plug in, tap a tag, unplug, break something.

    Exit code 128 + N: signal N (SIGINT, SIGTERM) interrupted it.
    """
    choices = StationChoices(csms, model, speed, seed, data, "websockets", ca, keys=keys_of(key or []))
    require_name("id", id, LONGEST_ID)
    raise typer.Exit(asyncio.run(_at(choices, id)))


async def _at(choices: StationChoices, id: str) -> int:
    """Do what is typed, until it is over or a signal says so; then hang up. Return the exit code."""
    catalog = Catalog(None if choices.data is None else choices.data / "catalog")
    made, signals = Stations(choices, catalog), list[int]()
    driving = asyncio.create_task(_drive(made.add(id), catalog))

    def interrupted(number: int) -> None:
        signals.append(number)
        driving.cancel()

    for number in INTERRUPTING:
        asyncio.get_running_loop().add_signal_handler(number, interrupted, number)
    try:
        await asyncio.wait({driving})
        if driving.cancelled():
            print(f"\n{id} hangs up", flush=True)
        else:
            driving.result()
    finally:
        await made.host.close()
    return 128 + signals[0] if signals else 0


async def _drive(hosted: HostedStation, catalog: Catalog) -> None:
    driver = _Driver(hosted, catalog)
    print(HELP, flush=True)
    await _accepted(hosted)
    async for line in _typed():
        driver.obey(line)
        if driver.has_quit:
            return


async def _typed() -> AsyncIterator[str]:
    """Each line that is typed, until there are no more. Whoever stops listening leaves nobody behind who waits."""
    line = b""
    while chunk := await aside(_read):
        *lines, line = (line + chunk).split(b"\n")
        for whole in lines:
            yield whole.decode(errors="replace")
    yield line.decode(errors="replace")


def _read() -> bytes:
    """What is typed next, and nothing at the end.

    It is read past Python's own buffer, whose lock the process would wait for when it ends.
    """
    with suppress(OSError):  # the terminal is gone, or there never was one
        return os.read(STDIN, CHUNK)
    return b""


async def _accepted(hosted: HostedStation) -> None:
    """Wait a little until the CSMS has accepted the station; then go on all the same."""
    for _ in range(50):
        if hosted.station.is_accepted:
            break
        await asyncio.sleep(0.1)
    where = "accepted by" if hosted.station.is_accepted else "has not reached"
    print(f"{hosted.station.id} {where} its CSMS", flush=True)


class _Driver:
    """Does what is typed, and prints what happens."""

    def __init__(self, hosted: HostedStation, catalog: Catalog) -> None:
        self._hosted = hosted
        self._catalog = catalog
        self._console = Console()
        self.has_quit = False
        hosted.station.on_fact = self._tell
        self._words: dict[str, Callable[[list[str]], None]] = {
            "plug": self._plug,
            "tap": self._tap,
            "unplug": self._unplug,
            "fault": self._fault,
            "repair": self._repair,
            "status": lambda _: self._hosted.do(self._status),
            "keys": self._keys,
            "help": lambda _: print(HELP, flush=True),
            "quit": self._quit,
        }

    def obey(self, line: str) -> None:
        """Do what a line says; what is wrong with it is told."""
        words = line.split()
        if not words:
            return
        try:
            if words[0] not in self._words:
                raise InvalidInput("command", "is unknown", found=words[0], allowed=", ".join(self._words))
            self._words[words[0]](words[1:])
        except VoltbenchError as error:
            print(f"! {error}", flush=True)

    def _quit(self, _words: list[str]) -> None:
        self.has_quit = True

    def _plug(self, words: list[str]) -> None:
        evse = self._evse(words)
        named = next((word for word in words if not word.rstrip("%").isdecimal()), None)
        model = self._catalog.vehicle(named) if named is not None else self._usual(evse)
        percents = [float(word.rstrip("%")) for word in words[1:] if word.rstrip("%").isdecimal()]
        vehicle = Vehicle("car", model, (percents[0] if percents else 30.0) / 100.0)
        self._hosted.do(lambda one, now: one.plug_in(now, evse, vehicle))

    def _usual(self, evse: int) -> VehicleModel:
        connector = self._hosted.station.life.evse(evse).feed.model
        for model in self._catalog.vehicles():
            if can_plug_in(Vehicle("", model, 0.5), connector):
                return model
        raise InvalidInput("vehicle", "is needed: no car of the catalog fits", found=connector.type)

    def _tap(self, words: list[str]) -> None:
        if not words:
            raise InvalidInput("tap", "needs an id tag")
        require_name("tag", words[0], LONGEST_TAG)
        evse = self._known(words[1]) if len(words) > 1 else None
        self._hosted.do(lambda one, now: one.present(now, words[0], evse))

    def _unplug(self, words: list[str]) -> None:
        evse = self._evse(words)
        if not self._hosted.station.life.evse(evse).is_plugged:
            raise Conflict("evse", str(evse), "has no car plugged in")
        self._hosted.do(lambda one, now: one.unplug(now, evse))

    def _fault(self, words: list[str]) -> None:
        evse, error = self._evse(words, least=0), next((word for word in words if not word.isdecimal()), "OtherError")
        self._hosted.do(lambda one, now: one.fail(now, evse, error))

    def _repair(self, words: list[str]) -> None:
        evse = self._evse(words, least=0)
        self._hosted.do(lambda one, now: one.repair(now, evse))

    def _evse(self, words: list[str], least: int = 1) -> int:
        """The EVSE that is meant, the first where none is named. Raises InvalidInput where there is none such."""
        return self._known(words[0], least) if words and words[0].isdecimal() else 1

    def _known(self, word: str, least: int = 1) -> int:
        return int(chosen(word, [str(id) for id in range(least, len(self._hosted.evses()) + 1)], "evse"))

    def _keys(self, words: list[str]) -> None:
        keys, asked = self._hosted.station.configuration, words[:1]
        found = [key.name for key in KEYS if not asked or key.name.lower() == asked[0].lower()]
        if not found:
            raise NotFound("key", asked[0])
        for name in found:
            print(f"{name} = {keys.text(name)}", flush=True)

    def _status(self, one: Station, now: Instant) -> None:
        table = Table("EVSE", "status", "kW", "allowed kW", "because of", "kWh", "car", "lights")
        for evse in one.life.evses:
            reading, why = evse.feed.reading(now), one.life.powering.why.get(evse.id, "")
            car = "" if evse.feed.vehicle is None else evse.feed.vehicle.model.id
            charge = "" if reading.soc is None else f" {reading.soc:.0%}"
            figures = (f"{w / 1e3:.2f}" for w in (reading.power_w, reading.offered_w))
            register, lights = f"{reading.register_wh / 1e3:.2f}", one.life.lights.shown(now, evse.id, evse.status())
            table.add_row(str(evse.id), evse.status(), *figures, why, register, f"{car}{charge}", str(lights))
        line = "accepted" if one.is_accepted else "connected" if one.is_connected else "offline"
        self._console.print(table)
        print(f"{one.id}: {line}, {len(one.transactions.outbox)} messages wait", flush=True)

    def _tell(self, now: Instant, fact: Happening) -> None:
        clock = f"{utc(now):%H:%M:%S}"
        if isinstance(fact, StatusChanged):
            print(f"{clock}  EVSE {fact.evse}: {fact.status}{f' ({fact.error})' if fact.error else ''}", flush=True)
        elif isinstance(fact, TokenRefused):
            offline = "" if self._hosted.station.is_accepted else ", offline"
            print(f"{clock}  EVSE {fact.evse}: {fact.token} is refused ({fact.why}{offline})", flush=True)
        elif isinstance(fact, Blinked):
            print(f"{clock}  EVSE {fact.evse}: blinks {fact.colour}, {fact.times} times", flush=True)
        elif isinstance(fact, TransactionStarted):
            print(f"{clock}  EVSE {fact.transaction.evse}: transaction of {fact.transaction.token}", flush=True)
        elif isinstance(fact, TransactionEnded):
            energy_wh = fact.reading.register_wh - fact.transaction.register_start_wh
            print(f"{clock}  EVSE {fact.transaction.evse}: ended, {energy_wh:.0f} Wh, {fact.reason}", flush=True)
