"""The transactions of all stations."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import Limit, ServedCsms, raw
from voltbench.apps.api.csms.slashes import id_in_path
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound
from voltbench.ocpp.v16.csms.storable import LARGEST_WHOLE

router = APIRouter(prefix="/csms/transactions", tags=["csms: transactions"])

TransactionId = Annotated[int, Path(ge=0, le=LARGEST_WHOLE, description="The id that the CSMS gave to it")]


@router.get("", responses=says(views.Transactions))
async def list_transactions(
    csms: ServedCsms,
    state: Annotated[Literal["open", "closed"] | None, Query(description="Only these")] = None,
    station: Annotated[str | None, Query(description="Only of this station", max_length=255)] = None,
    before: Annotated[int | None, Query(ge=0, le=LARGEST_WHOLE, description="`next` of the page before")] = None,
    limit: Limit = 100,
) -> Response:
    """Transactions, open and closed, the newest first."""
    is_open = None if state is None else state == "open"
    found = await csms.store.transactions(is_open=is_open, station_id=station, before=before, limit=limit)
    shown = [views.transaction(one) for one in found]
    return struct_answer(views.Transactions(shown, found[-1].id if len(found) == limit else None))


@router.get(f"/{id_in_path('transaction_id')}", responses=says(views.TransactionDetails) | problems(404))
async def read_transaction(transaction_id: TransactionId, csms: ServedCsms, limit: Limit = 1_000) -> Response:
    """A transaction, with so many of its meter values."""
    found = await csms.store.transaction(transaction_id)
    if found is None:
        raise NotFound("transaction", str(transaction_id))
    readings = await csms.store.readings(found, limit)
    brought = await csms.store.stop_readings(transaction_id)
    details = views.TransactionDetails(
        views.transaction(found), [views.reading(one) for one in readings], raw(brought.payload) if brought else None
    )
    return struct_answer(details)


@router.post(f"/{id_in_path('transaction_id')}/close", responses=says(views.TransactionView) | problems(404, 409, 503))
async def close_transaction(transaction_id: TransactionId, csms: ServedCsms) -> Response:
    """Close a transaction that its station will not stop any more. Should it stop it after all, that counts."""
    return struct_answer(views.transaction(await csms.close_transaction(transaction_id)))
