"""Serving an application until somebody says stop: sockets, signals, logs, and an end in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.logging import RichHandler

from voltbench.apps.wire import Wire
from voltbench.errors import InvalidInput

KEEP_ALIVE_S = 75
PATIENCE_S = 5
"""How long requests that are under way may take to end once we are told to stop."""

LONGEST_TURN_S = 5e-4
"""For which a thread has the interpreter while others want it; Python's own is ten times as long."""


@contextmanager
def listening(host: str, port: int, option: str = "port") -> Iterator[socket.socket]:
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
            allowed = f"another --{option}, or 0 for one that is free"
            raise InvalidInput(
                option, f"cannot be listened on: {error.strerror}", found=port, allowed=allowed
            ) from error
        yield door


def told_to_stop() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def answer_first() -> None:
    """Let whoever answers requests have its turn soon, also while threads beside it read and store what was solved."""
    sys.setswitchinterval(LONGEST_TURN_S)


def log_to(console: Console) -> None:
    """One line per notable thing: above the table in a terminal, else plainly."""
    handler: logging.Handler = RichHandler(console=console, show_path=False)
    words = "%(message)s"
    if not console.is_terminal:
        handler, words = logging.StreamHandler(sys.stdout), "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=words, handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic", "dbos"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Server(uvicorn.Server):
    """Uvicorn, without its own ideas about signals: they are ours, because streams have to end first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, door: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests until told to stop; then end the streams, and let what is under way come to its end."""
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
    app.state.streams.end()
    await serving
    if server.server_state.tasks:  # requests that could not be waited for say so
        await asyncio.wait(server.server_state.tasks, timeout=PATIENCE_S)
