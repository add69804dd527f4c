"""`voltbench up`: the live sites and their API in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.apps.api.app import make_app
from voltbench.apps.api.trust import Trust, trust_for
from voltbench.apps.board import Panel, board
from voltbench.apps.cells.facing import Face, FaceChoices, face_opened
from voltbench.apps.cells.opening import CellChoices, cells_opened, is_installed
from voltbench.apps.cells.options import RabbitMQ, SeedCallback, SeedPorts, WebhookHosts, WebhookSecret, face_choices
from voltbench.apps.cells.service import Cells
from voltbench.apps.compose import Bench, Choices, opened
from voltbench.apps.csms_options import (
    ForgetUnknown,
    MostStations,
    Ping,
    TlsCa,
    TlsCert,
    TlsKey,
    TlsPort,
    Unknown,
    UnknownTokens,
    certificates_of,
    policy_of,
)
from voltbench.apps.csms_service import CsmsChoices, Doors, announce, csms_opened
from voltbench.apps.options import require, require_range
from voltbench.apps.seed_ports import seed_ports_listening, serve_all
from voltbench.apps.serving import answer_first, listening, log_to, told_to_stop
from voltbench.apps.sites import DEFAULT, DEMO
from voltbench.errors import Unavailable
from voltbench.ocpp.v16.csms.central import MOST_STATIONS

_log = logging.getLogger("voltbench")

REFRESH_S = 0.5


def up(
    host: Annotated[str, typer.Option(help="Where to listen; anything but loopback needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes one that is free.")] = 8000,
    data: Annotated[Path, typer.Option(file_okay=False, help="What is kept is kept in here.")] = Path("data"),
    store: Annotated[
        str | None, typer.Option(help="Keep it there instead: sqlite:///FILE or postgresql://...", show_default="DATA")
    ] = None,
    speed: Annotated[float, typer.Option(help="Virtual seconds per second on the demo site.")] = 60.0,
    demo: Annotated[bool, typer.Option(help="Whether there is a demo site.")] = True,
    token: Annotated[
        str | None, typer.Option(envvar="VOLTBENCH_TOKEN", help="What every request must show, but /health.")
    ] = None,
    full_sync: Annotated[bool, typer.Option("--full-sync", help="Let SQLite survive a power cut too.")] = False,
    retention: Annotated[
        float, typer.Option(help="Days for which telemetry, and what came of cells, are kept.")
    ] = 30.0,
    csms: Annotated[bool, typer.Option(help="Whether there is a CSMS for stations of OCPP.")] = True,
    csms_port: Annotated[int, typer.Option(help="For stations, ws://; 0 takes one that is free.")] = 9000,
    cells: Annotated[bool, typer.Option(help="Whether cells are simulated, where that is installed.")] = True,
    cell_processes: Annotated[
        int, typer.Option(help="Processes that solve; 0 leaves it to `voltbench worker`.", show_default="one a core")
    ] = CellChoices.processes,
    dask: Annotated[str | None, typer.Option(help="Solve on this Dask cluster instead: tcp://HOST:PORT.")] = None,
    webhook_host: WebhookHosts = None,
    webhook_secret: WebhookSecret = "",
    seed_callback: SeedCallback = None,
    seed_ports: SeedPorts = False,
    rabbitmq: RabbitMQ = None,
    tls_port: TlsPort = 9443,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
    unknown: Unknown = "accepted",
    unknown_tokens: UnknownTokens = "invalid",
    most_stations: MostStations = MOST_STATIONS,
    forget_unknown: ForgetUnknown = CsmsChoices.stranger_days,
    ping: Ping = Rules.ping_s,
) -> None:
    """Let charging sites live, with their API on http://HOST:PORT, and a CSMS for stations on ws://HOST:CSMS_PORT."""
    trust = trust_for(host, token)
    require_range("port", port, 0, 65_535)
    require(0.0 < speed <= 100_000.0, "speed", speed, "above 0, up to 100000")
    require_range("retention", retention, 0, 100_000)
    for option, found in (("csms-port", csms_port), ("tls-port", tls_port)):
        require_range(option, found, 0, 65_535)
    require_range("forget-unknown", forget_unknown, 0, 100_000)
    require_range("ping", ping, 0, 86_400)
    require_range("cell-processes", cell_processes, 0, 256)
    wanted = CellChoices(data, store, cell_processes, dask, retention, full_sync)
    cell_choices = wanted if cells and is_installed() else None
    face = face_choices(seed_callback, webhook_host, webhook_secret, rabbitmq)
    choices = Choices(data, store, speed if demo else None, full_sync, retention)
    certificates = certificates_of(tls_cert, tls_key, tls_ca)
    policy, rules = policy_of(unknown, unknown_tokens, most_stations), Rules(ping_s=ping)
    csms_choices = CsmsChoices(
        data, store, policy, rules, full_sync, retention_days=retention, stranger_days=forget_unknown
    )
    with ExitStack() as sockets:
        door = sockets.enter_context(listening(host, port))
        plain = sockets.enter_context(listening(host, csms_port, "csms-port")) if csms else None
        tls = sockets.enter_context(listening(host, tls_port, "tls-port")) if csms and certificates else None
        seed_doors = sockets.enter_context(seed_ports_listening(host, seed_ports))
        doors = Doors(plain, tls, certificates)
        asyncio.run(_live(choices, cell_choices, face, csms_choices, doors, trust, door, seed_doors))


async def _live(
    choices: Choices,
    cell_choices: CellChoices | None,
    face_choices: FaceChoices,
    csms: CsmsChoices,
    doors: Doors,
    trust: Trust,
    door: socket.socket,
    seed_doors: dict[int, socket.socket],
) -> None:
    console = Console()
    log_to(console)
    answer_first()
    stop = told_to_stop()
    async with AsyncExitStack() as open_things:
        bench = await open_things.enter_async_context(opened(choices))
        service = await open_things.enter_async_context(csms_opened(csms, doors)) if doors.plain is not None else None
        cells, face = await open_things.enter_async_context(_cells(cell_choices, face_choices))
        await open_things.enter_async_context(_shown(console, bench))
        announce(doors)
        _announce(choices, door)
        app = make_app(bench, trust, service, cells, face)
        await serve_all(app, door, seed_doors, face, trust, stop)
        _log.info("stopping: sites are put down")
    _log.info("stopped")


@asynccontextmanager
async def _cells(choices: CellChoices | None, face: FaceChoices) -> AsyncIterator[tuple[Cells | None, Face | None]]:
    """The simulation of cells, where it is wanted, and what stands around it."""
    if choices is None:
        yield None, None
        return
    async with cells_opened(choices) as cells, face_opened(cells, face) as opened_face:
        yield cells, opened_face


def _announce(choices: Choices, door: socket.socket) -> None:
    host, port = door.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    kept = choices.store or choices.data.absolute()
    _log.info("listening on %s (docs at /docs, live page at /ui), kept in %s", address, kept)


@asynccontextmanager
async def _shown(console: Console, bench: Bench) -> AsyncIterator[None]:
    """In a terminal, show the sites for as long as this lasts."""
    if not console.is_terminal:
        yield
        return
    with Live(console=console, auto_refresh=False) as screen:
        showing = asyncio.create_task(_show(screen, bench))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing


async def _show(screen: Live, bench: Bench) -> None:
    known = [site_id for site_id in (DEMO, DEFAULT) if site_id in bench.sites.ids()]
    while True:
        try:
            panels = [Panel(id, bench.sites.speed(id), await bench.sites.status(id)) for id in known]
            screen.update(board(panels), refresh=True)
        except Unavailable as error:
            _log.warning("the table waits: %s", error)
        await asyncio.sleep(REFRESH_S)
