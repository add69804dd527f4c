"""Charging profiles: stored by name to be sent, and installed in stations."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters import json_text
from voltbench.adapters.ocpp_csms.payloads import message_of
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import ServedCsms
from voltbench.apps.api.csms.slashes import id_in_path
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import problems
from voltbench.ocpp.v16.csms.records import NamedProfile
from voltbench.ocpp.v16.messages import ChargingProfile

router = APIRouter(prefix="/csms/profiles", tags=["csms: charging profiles"])

Name = Annotated[str, Path(description="A name, such as `night`", pattern=SITE_ID)]


@router.get("", responses=says(views.Profiles))
async def list_profiles(csms: ServedCsms) -> Response:
    """The charging profiles that are stored by name, and those that stations have accepted and not cleared."""
    stored = [_named(csms.central.named_profiles[name]) for name in sorted(csms.central.named_profiles)]
    known = [one for dossier in csms.central.dossiers() for one in dossier.profiles.values()]
    installed = [views.installed(one) for one in known if one.cleared_at is None]
    return struct_answer(views.Profiles(stored, installed))


@router.put(
    f"/{id_in_path('name')}", responses=says(views.NamedView) | problems(503), openapi_extra=body_of(ChargingProfile)
)
async def put_profile(name: Name, request: Request, csms: ServedCsms) -> Response:
    """Store a charging profile under a name. A command may then name it instead of writing it out."""
    profile = message_of(ChargingProfile, json_text.parse(await request.body()))
    return struct_answer(_named(await csms.put_profile(name, msgspec.json.encode(profile).decode())))


def _named(profile: NamedProfile) -> views.NamedView:
    return views.NamedView(profile.name, msgspec.Raw(profile.profile.encode()), profile.at)
