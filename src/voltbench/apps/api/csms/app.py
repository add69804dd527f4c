"""The application of a CSMS that is served alone."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from voltbench import __version__
from voltbench.apps.api.csms.addressing import CsmsService, ServedCsms
from voltbench.apps.api.docs import DescribedAPI
from voltbench.apps.api.making import made_app
from voltbench.apps.api.trust import Trust

_DESCRIPTION = """\
The CSMS beside the wire: stations, commands to them, transactions, reservations, tokens, charging profiles, files, wire
logs. Instants are milliseconds since the epoch, energy is in Wh; payloads of OCPP are in its own words. Every error is
a problem detail (RFC 9457).
"""

router = APIRouter(tags=["health"])


class CsmsHealth(BaseModel):
    """How many stations are there."""

    status: str
    version: str
    connected: int


@router.get("/health")
async def read_health(csms: ServedCsms) -> CsmsHealth:
    """Whether the CSMS is there."""
    return CsmsHealth(status="ok", version=__version__, connected=csms.connected)


def make_csms_app(service: CsmsService, trust: Trust) -> DescribedAPI:
    """The application over a CSMS, open to whom is trusted."""
    return made_app("voltbench csms", _DESCRIPTION, lambda app: app.include_router(router), trust, service)
