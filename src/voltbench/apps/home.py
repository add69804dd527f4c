"""`voltbench home`: a home with a car, and its charging station's API, in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from voltbench.adapters import home_json, json_text
from voltbench.apps.api.home_app import make_home_app
from voltbench.apps.api.trust import Trust, trust_for
from voltbench.apps.homes import Homes
from voltbench.apps.serving import listening, log_to, serve, told_to_stop
from voltbench.errors import InvalidInput
from voltbench.running.home.model import COURSE, COURSE_SPEED, HomeModel

_log = logging.getLogger("voltbench")


def home(
    host: Annotated[str, typer.Option(help="Where to listen; anything but loopback needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes one that is free.")] = 5000,
    speed: Annotated[float, typer.Option(help="Virtual seconds per second; 900: an hour in 4 s.")] = COURSE_SPEED,
    capacity_wh: Annotated[float, typer.Option(help="What the car's battery holds.")] = COURSE.capacity_wh,
    start_soc: Annotated[float, typer.Option(help="Its state of charge at the start, 0 to 1.")] = COURSE.start_soc,
    cap_soc: Annotated[
        float | None, typer.Option(help="The car stops there, as at 0.8.", show_default="full")
    ] = COURSE.cap_soc,
    power_w: Annotated[float, typer.Option(help="What the charger gives.")] = COURSE.power_w,
    efficiency: Annotated[float, typer.Option(help="Part of it that the battery gets.")] = COURSE.efficiency,
    fuse_w: Annotated[
        float | None, typer.Option(help="The charger keeps household and car below.", show_default="nobody does")
    ] = COURSE.fuse_w,
    load: Annotated[
        Path | None, typer.Option(dir_okay=False, help="JSON list: W in each hour.", show_default="the course's")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="JSON list: öre per kWh, of hours or quarters.", show_default="the course's"),
    ] = None,
    currency: Annotated[str, typer.Option(help="Prices are in hundredths of it.")] = COURSE.currency,
    quarter_hours: Annotated[
        bool, typer.Option("--quarter-hours", help="Tell prices of hours by the quarter hour.")
    ] = False,
    token: Annotated[
        str | None, typer.Option(envvar="VOLTBENCH_TOKEN", help="What every request must show, but /health.")
    ] = None,
) -> None:
    """Be a home with a car, its charging station's API on http://HOST:PORT, in ticks as the course's own.

    Once anything but the speed is chosen, it is a house on the engine, which moves exactly.
    """
    trust = trust_for(host, token)
    if not 0 <= port <= 65_535:
        raise InvalidInput("port", "is out of range", found=port, allowed="0 to 65535")
    numbers = {"capacity_wh": capacity_wh, "start_soc": start_soc, "power_w": power_w, "efficiency": efficiency}
    told: dict[str, Any] = {**numbers, "cap_soc": cap_soc, "fuse_w": fuse_w, "speed": speed}
    lists = {"load_w": _list_in("load", load), "price_ore_per_kwh": _list_in("prices", prices)}
    told |= {name: found for name, found in lists.items() if found is not None}
    model = home_json.model_of(told | {"quarter_hours": quarter_hours, "currency": currency})
    with listening(host, port) as door:
        asyncio.run(_serve(model, trust, door))


def _list_in(option: str, file: Path | None) -> Any:
    """What a file says; whether that is a list of numbers is seen with the rest."""
    if file is None:
        return None
    try:
        return json_text.parse(file.read_bytes())
    except OSError as error:
        raise InvalidInput(option, f"cannot be read: {error.strerror}", found=str(file)) from error
    except InvalidInput as error:
        raise error.within(str(file)) from error


async def _serve(model: HomeModel, trust: Trust, door: socket.socket) -> None:
    log_to(Console())
    stop = told_to_stop()
    host, port = door.getsockname()[:2]
    kind = "the course's home" if model.is_of_course else "a house on the engine"
    _log.info("listening on http://%s:%d (docs at /docs): %s", f"[{host}]" if ":" in host else host, port, kind)
    await serve(make_home_app(Homes(model), trust), door, stop)
    _log.info("stopped")
