"""Where the answers of these routes come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

import msgspec
from fastapi import Depends, Path, Query
from starlette.requests import Request

from voltbench.adapters.ocpp_csms.csms import Csms
from voltbench.adapters.ocpp_csms.files import Files
from voltbench.apps.api.csms.slashes import id_in_path
from voltbench.running.views import SiteView


@dataclass(frozen=True)
class CsmsService:
    """A CSMS, its files, and how the site is that it steers, if any."""

    csms: Csms
    files: Files
    site: Callable[[], SiteView] | None = None


async def _service(request: Request) -> CsmsService:
    return cast(CsmsService, request.app.state.csms)


async def _csms(request: Request) -> Csms:
    return cast(CsmsService, request.app.state.csms).csms


Service = Annotated[CsmsService, Depends(_service)]
ServedCsms = Annotated[Csms, Depends(_csms)]
STATION = f"/stations/{id_in_path('station_id')}"
StationId = Annotated[str, Path(description="A station's id, as the last part of the URL that it connects to")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="So many at most")]


def raw(text: str | None) -> msgspec.Raw | None:
    """A JSON text, to stand in another."""
    return None if text is None else msgspec.Raw(text.encode())
