"""Sessions that ended, between what the site says of them and what the store keeps."""

from __future__ import annotations

import msgspec

from voltbench.adapters.store import SessionEnded
from voltbench.running.views import ENDED, SessionView

_KEPT_AS_DETAILS = ("vehicle_max_w", "binding", "consumed_w", "reported_duration_s")


def record_of(site_id: str, session: SessionView) -> SessionEnded:
    """What the store keeps of a session that ended."""
    assert session.ended_at is not None
    return SessionEnded(
        site_id=site_id,
        id=session.id,
        charger_id=session.charger,
        connector_id=session.connector,
        started_at=session.started_at,
        ended_at=session.ended_at,
        energy_wh=session.energy_wh,
        reason=session.reason,
        details={name: getattr(session, name) for name in _KEPT_AS_DETAILS},
    )


def view_of(record: SessionEnded) -> SessionView:
    """A session that ended, as the store has kept it."""
    session = {
        "id": record.id,
        "charger": record.charger_id,
        "connector": record.connector_id,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "energy_wh": record.energy_wh,
        "reason": record.reason,
        "status": ENDED,
        **dict.fromkeys(("allocated_w", "power_w", "boosted_w"), 0.0),
        **{name: record.details.get(name) for name in _KEPT_AS_DETAILS},
    }
    return msgspec.convert(session, SessionView)
