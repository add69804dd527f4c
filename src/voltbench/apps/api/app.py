"""The application: every route, behind one gate, with one way to say what went wrong."""

from __future__ import annotations

from fastapi import Depends, FastAPI

from voltbench.apps.api import cells as cell_catalog
from voltbench.apps.api import events, health, history, plans, simulations, sites, ui
from voltbench.apps.api.addressing import named_site
from voltbench.apps.api.contracts import cell_simulator, seed_station, station
from voltbench.apps.api.contracts.course_door import CourseDoor
from voltbench.apps.api.csms.addressing import CsmsService
from voltbench.apps.api.docs import DescribedAPI
from voltbench.apps.api.home_app import include_homes
from voltbench.apps.api.making import made_app
from voltbench.apps.api.trust import Trust
from voltbench.apps.cells.facing import Face
from voltbench.apps.cells.service import Cells
from voltbench.apps.compose import Bench

_DESCRIPTION = """\
Charging sites, live. The routes of the *station contract* (kW, kWh) are there for the default site at their own paths,
also under `/api/v1`, and for every site under `/sites/{site_id}`. Our own routes speak W, Wh, and milliseconds since
the epoch. Power is positive when it flows into a device. Every error of a route is a problem detail (RFC 9457).
"""


def make_app(
    bench: Bench,
    trust: Trust,
    csms: CsmsService | None = None,
    cells: Cells | None = None,
    face: Face | None = None,
) -> DescribedAPI:
    """The application over a live bench, with a CSMS and cells where they are there, open to whom is trusted.

    `face` is what stands around the cells for others.
    """
    state = {
        "sites": bench.sites,
        "telemetry": bench.telemetry,
        "homes": bench.homes,
        "plans": bench.plans,
        "cells": cells,
        "face": face,
    }
    app = made_app("voltbench", _DESCRIPTION, _include_routes, trust, csms, **state)
    app.add_middleware(CourseDoor)
    return app


def _include_routes(app: FastAPI) -> None:
    for router in (station.router, events.router):  # first what is asked for most
        app.include_router(router)
        app.include_router(router, prefix="/api/v1", include_in_schema=False)
        app.include_router(router, prefix="/sites/{site_id}", dependencies=[Depends(named_site)])
    app.include_router(health.router, prefix="/api/v1", include_in_schema=False)
    for router in (health.router, sites.router, plans.router, history.router, ui.router, seed_station.router):
        app.include_router(router)
    for router in (simulations.router, cell_catalog.router, *cell_simulator.ROUTERS):
        app.include_router(router)
    include_homes(app)
