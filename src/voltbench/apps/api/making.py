"""How every application of ours is made: described, behind one gate, with one way to say what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from voltbench import __version__
from voltbench.apps.api import csms as csms_routes
from voltbench.apps.api import problems
from voltbench.apps.api.csms.addressing import CsmsService
from voltbench.apps.api.csms.files import FileDoor
from voltbench.apps.api.csms.slashes import SlashesKept
from voltbench.apps.api.docs import DescribedAPI
from voltbench.apps.api.streams import Streams
from voltbench.apps.api.trust import Gate, Trust


def made_app(
    title: str,
    description: str,
    include_routes: Callable[[FastAPI], None],
    trust: Trust,
    csms: CsmsService | None,
    **state: Any,
) -> DescribedAPI:
    """An application with these routes, and those of a CSMS where there is one, open to whom is trusted.

    `state` is what its routes answer from.
    """
    app = DescribedAPI(
        title=title,
        version=__version__,
        description=description,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,  # whatever a body is called, it is read as JSON; the gate keeps foreign pages out
        responses=problems.problems(400, 413, 422) | (problems.problems(401) if trust.token is not None else {}),
    )
    app.has_token = trust.token is not None
    for name, kept in (state | {"csms": csms, "streams": Streams()}).items():
        setattr(app.state, name, kept)
    problems.install(app)
    include_routes(app)
    for router in csms_routes.ROUTERS if csms is not None else ():
        app.include_router(router)
    app.serve_docs()
    if csms is not None:
        app.add_middleware(SlashesKept)
    app.add_middleware(Gate, trust=trust)
    if csms is not None:
        app.add_middleware(FileDoor, service=csms, trust=trust)  # stands before the gate: stations show no token
    return app
