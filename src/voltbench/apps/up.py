"""`voltbench up`: the live sites and their API in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from voltbench.apps.api.app import make_app
from voltbench.apps.api.events import end_streams
from voltbench.apps.api.trust import Trust, trust_for
from voltbench.apps.board import Panel, board
from voltbench.apps.compose import Bench, Choices, opened
from voltbench.apps.sites import DEFAULT, DEMO
from voltbench.apps.wire import Wire
from voltbench.errors import InvalidInput, Unavailable

_log = logging.getLogger("voltbench")

REFRESH_S = 0.5
KEEP_ALIVE_S = 75
PATIENCE_S = 5
"""How long requests that are under way may take to end once we are told to stop."""


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
    retention: Annotated[float, typer.Option(help="Days for which telemetry is kept.")] = 30.0,
) -> None:
    """Let charging sites live, with their API on http://HOST:PORT."""
    trust = trust_for(host, token)
    _require(0 <= port <= 65_535, "port", port, "0 to 65535")
    _require(0.0 < speed <= 100_000.0, "speed", speed, "above 0, up to 100000")
    _require(0.0 <= retention <= 100_000.0, "retention", retention, "0 to 100000 days")
    choices = Choices(data, store, speed if demo else None, full_sync, retention)
    with listening(host, port) as door:
        asyncio.run(_live(choices, trust, door))


def _require(holds: bool, option: str, found: float, allowed: str) -> None:
    if not holds:
        raise InvalidInput(option, "is out of range", found=found, allowed=allowed)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there. InvalidInput when that cannot be, before anything else was touched."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidInput("host", f"cannot be listened on: {error.strerror}", found=host) from error
    with door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(address)
            door.listen(2048)
        except OSError as error:
            allowed = "another --port, or 0 for one that is free"
            raise InvalidInput(
                "port", f"cannot be listened on: {error.strerror}", found=port, allowed=allowed
            ) from error
        yield door


async def _live(choices: Choices, trust: Trust, door: socket.socket) -> None:
    console = Console()
    _log_to(console)
    stop = _told_to_stop()
    async with opened(choices) as bench, _shown(console, bench):
        _announce(choices, door)
        await _serve(bench, trust, door, stop)
        _log.info("stopping: sites are put down")
    _log.info("stopped")


def _told_to_stop() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _announce(choices: Choices, door: socket.socket) -> None:
    host, port = door.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    kept = choices.store or choices.data.absolute()
    _log.info("listening on %s (docs at /docs, live page at /ui), kept in %s", address, kept)


class _Server(uvicorn.Server):
    """Uvicorn, without its own ideas about signals: they are ours, because streams have to end first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(bench: Bench, trust: Trust, door: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests until told to stop; then end the streams, and let what is under way come to its end."""
    app = make_app(bench.sites, bench.telemetry, trust)
    server = _Server(
        uvicorn.Config(
            app,
            http=Wire,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=PATIENCE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
            proxy_headers=False,
        )
    )
    gc.collect()
    gc.freeze()  # what is there now stays; the collector need not look at it again
    stopping, serving = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(server.serve([door]))
    await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    end_streams(app)
    await serving
    if server.server_state.tasks:  # requests that could not be waited for say so
        await asyncio.wait(server.server_state.tasks, timeout=PATIENCE_S)


def _log_to(console: Console) -> None:
    """One line per notable thing: above the table in a terminal, else plainly."""
    handler: logging.Handler = RichHandler(console=console, show_path=False)
    words = "%(message)s"
    if not console.is_terminal:
        handler, words = logging.StreamHandler(sys.stdout), "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=words, handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


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
