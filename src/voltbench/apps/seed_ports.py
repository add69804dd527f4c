"""The ports of the seed's four services, each with the routes that it had there, on the one service of ours."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from fastapi import APIRouter, FastAPI

from voltbench.apps.api.contracts.cell_simulator import database, job_manager, queue, simulator
from voltbench.apps.api.docs import DescribedAPI
from voltbench.apps.api.making import made_app
from voltbench.apps.api.trust import Trust
from voltbench.apps.cells.facing import Face
from voltbench.apps.serving import listening, serve
from voltbench.errors import InvalidInput

_log = logging.getLogger("voltbench")

PORTS: dict[int, tuple[str, APIRouter]] = {
    8081: ("queue service", queue),
    8082: ("database service", database),
    8083: ("job manager", job_manager),
    8084: ("battery simulator", simulator),
}


@contextmanager
def seed_ports_listening(host: str, is_wanted: bool) -> Iterator[dict[int, socket.socket]]:
    """Sockets that listen at the ports. InvalidInput where one is taken."""
    with ExitStack() as sockets:
        yield {port: sockets.enter_context(_listening(host, port)) for port in PORTS} if is_wanted else {}


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with ExitStack() as stack:
        try:
            door = stack.enter_context(listening(host, port, "seed-ports"))
        except InvalidInput as error:
            allowed = f"{', '.join(map(str, PORTS))} to be free, or no --seed-ports"
            raise InvalidInput(error.field, error.problem, found=error.found, allowed=allowed) from error
        yield door


def seed_app(port: int, face: Face | None, trust: Trust) -> DescribedAPI:
    """What one of the seed's services answers."""
    name, router = PORTS[port]
    return made_app(f"voltbench: {name}", "One of the seed's services.", _with(router), trust, None, face=face)


def _with(router: APIRouter) -> Callable[[FastAPI], None]:
    def include(app: FastAPI) -> None:
        app.include_router(router)

    return include


async def serve_all(
    app: FastAPI,
    door: socket.socket,
    seed_doors: dict[int, socket.socket],
    face: Face | None,
    trust: Trust,
    stop: asyncio.Event,
) -> None:
    """Answer requests at every port until told to stop."""
    others: Sequence[tuple[FastAPI, socket.socket]] = [
        (seed_app(port, face, trust), one) for port, one in seed_doors.items()
    ]
    if others:
        _log.info("the seed's services are at ports %s", ", ".join(map(str, seed_doors)))
    async with asyncio.TaskGroup() as serving:
        for served, one in [(app, door), *others]:
            serving.create_task(serve(served, one, stop))
