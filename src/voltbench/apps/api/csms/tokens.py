"""The token store: who may charge."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.bodies import PlainRoute
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import ServedCsms
from voltbench.apps.api.csms.slashes import id_in_path
from voltbench.apps.api.docs import says
from voltbench.apps.api.names import ONE_LINE
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound
from voltbench.ocpp.v16.csms.records import Token

router = APIRouter(prefix="/csms/tokens", tags=["csms: tokens"], route_class=PlainRoute)

LONGEST_TOKEN = 20

IdToken = Annotated[str, Path(description="A token's name; letters of either case are the same")]
NewIdToken = Annotated[
    str, Path(description="A token's name", min_length=1, max_length=LONGEST_TOKEN, pattern=ONE_LINE)
]


class TokenAsked(BaseModel):
    """A token: what is said of it, its group (the parent of OCPP 1.6), until when (ms since the epoch), how often."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    status: Literal["Accepted", "Blocked", "Expired", "Invalid"] = "Accepted"
    group: str | None = Field(default=None, min_length=1, max_length=LONGEST_TOKEN, pattern=ONE_LINE)
    expires_at: float | None = Field(default=None, ge=0, le=253_402_300_799_999, multiple_of=1)
    concurrent_transactions: float = Field(default=1, ge=0, le=1_000_000, multiple_of=1)

    def token(self, id_token: str) -> Token:
        """The token of this name; JSON writes whole numbers as `7.0` too."""
        return Token(
            id_token=id_token,
            status=self.status,
            group=self.group,
            expires_at=None if self.expires_at is None else int(self.expires_at),
            concurrent_transactions=int(self.concurrent_transactions),
        )


@router.get("", responses=says(views.Tokens))
async def list_tokens(csms: ServedCsms) -> Response:
    """Every token that is known. Others are met as the policy says."""
    return struct_answer(views.Tokens(csms.central.tokens.all()))


@router.get(f"/{id_in_path('id_token')}", responses=says(Token) | problems(404))
async def read_token(id_token: IdToken, csms: ServedCsms) -> Response:
    """A token."""
    found = csms.central.tokens.get(id_token)
    if found is None:
        raise NotFound("token", id_token)
    return struct_answer(found)


@router.put(f"/{id_in_path('id_token')}", responses=says(Token) | problems(503))
async def put_token(id_token: NewIdToken, asked: TokenAsked, csms: ServedCsms) -> Response:
    """Let a token be known so, from now on."""
    return struct_answer(await csms.put_token(asked.token(id_token)))
