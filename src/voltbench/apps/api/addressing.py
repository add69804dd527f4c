"""Which site a route is about, and where its answers come from."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from fastapi import Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters.station_json import StationConfig
from voltbench.apps.sites import DEFAULT, Sites
from voltbench.running.inputs import Recompute, SetLimit, StartSession, StopSession, UpdatePower
from voltbench.running.views import SessionView, SiteView


class Addressed:
    """The site that a request is about: the one named in its path, or the default one where the path names none."""

    __slots__ = ("id", "sites")

    def __init__(self, sites: Sites, id: str) -> None:
        self.sites = sites
        self.id = id

    async def tell(self, input: StartSession | UpdatePower | StopSession) -> SessionView:
        """Tell the site something about a session; the session after it."""
        return await self.sites.take(self.id, input)

    async def order(self, input: Recompute | SetLimit) -> SiteView:
        """Tell the site something about itself; the site after it."""
        return await self.sites.take(self.id, input)

    async def status(self) -> SiteView:
        """The site at this instant."""
        return await self.sites.status(self.id)

    async def session(self, session_id: str) -> SessionView:
        """A session of the site, running or ended."""
        return await self.sites.session(self.id, session_id)

    async def config(self) -> StationConfig:
        """How the site is built."""
        return await self.sites.config(self.id)

    async def replace(self, config: StationConfig) -> None:
        """Build the site anew."""
        await self.sites.replace(self.id, config)


async def _sites(request: Request) -> Sites:
    return cast(Sites, request.app.state.sites)


async def _addressed(request: Request) -> Addressed:
    return Addressed(request.app.state.sites, request.path_params.get("site_id", DEFAULT))


async def named_site(site_id: Annotated[str, Path(description="A site's id, such as `demo`")]) -> None:
    """Say in a route's description that its path names the site."""


_encoder = msgspec.json.Encoder()

Service = Annotated[Sites, Depends(_sites)]
Site = Annotated[Addressed, Depends(_addressed)]


def struct_answer(struct: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A struct as JSON."""
    return Response(_encoder.encode(struct), status, headers, "application/json")
