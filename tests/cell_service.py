"""Simulations asked for over HTTP, and seen through to their ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.cell_face import cell_service
from voltbench.apps.cells.facing import FaceChoices

DISCHARGE = {"load": {"kind": "current", "current_a": -5.0, "duration_s": 1800.0}, "model": "SPM"}


@asynccontextmanager
async def a_cell_service(directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, called without a network, whose cells are solved by one process."""
    async with cell_service(directory, FaceChoices()) as service:
        yield service.client


async def ended(client: httpx.AsyncClient, told: dict[str, Any]) -> dict[str, Any]:
    """A simulation, once it has ended: by its stream of events, which ends then."""
    last: dict[str, Any] = {}
    async with client.stream("GET", told["links"]["events"]) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                last = httpx.Response(200, content=line.removeprefix("data: ")).json()
    return last


async def simulated(client: httpx.AsyncClient, body: dict[str, Any], path: str = "/simulations") -> dict[str, Any]:
    """Ask for a simulation, and see it through to its end."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json())
