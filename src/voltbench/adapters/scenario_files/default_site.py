"""The site on which recorded sessions run when nothing is said about one.

One connector for each that the sessions name (`evse` 7 is `evse-7`), and as many more, `connector-1` and so on, as
sessions without a connector are there at once. Each is an AC connector of three phases and 32 A; if any vehicle
accepts more than that, or charges on DC only, all are DC connectors that give the most any vehicle accepts. No limit
is shared: everybody gets what it can take, as a yardstick for sites that do have limits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import count, islice

from voltbench.adapters.scenario_files.sessions import RECORDED, RecordedSession
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.running.site_plan import Place, SitePlan
from voltbench.site.limits import LimitTree, Node, Outlet

AC_POWER_W = 22_080.0
"""Three phases of 32 A at 230 V."""


def default_site(sessions: Sequence[RecordedSession]) -> SitePlan:
    """A site with a connector for everybody, and nothing shared."""
    named = {_name(session.connector) for session in sessions if session.connector is not None}
    names = [*sorted(named, key=_by_number), *_further(sessions, named)]
    connector = _connector_model(sessions)
    station = StationModel("connector", "A connector", connector.max_power_w, (connector,), "the default site")
    places = [Place(name, name, station, connector) for name in names]
    return SitePlan("default site", LimitTree([Node("grid")], [Outlet(name, "grid") for name in names]), places)


def on_default_site(session: RecordedSession) -> RecordedSession:
    """The session, naming its connector as the default site does."""
    return session if session.connector is None else replace(session, connector=_name(session.connector))


def _name(connector: str | int) -> str:
    return f"evse-{connector}" if isinstance(connector, int) else connector


def _by_number(name: str) -> tuple[int, str]:
    number = name.removeprefix("evse-")
    return (int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else -1, name)


def _further(sessions: Sequence[RecordedSession], taken: Collection[str]) -> list[str]:
    """Names for as many connectors as sessions that name none need at their busiest moment."""
    anywhere = [session for session in sessions if session.connector is None]
    changes = [(s.arrives_at, 1) for s in anywhere] + [(s.departs_at, -1) for s in anywhere]
    present = most = 0
    for _, change in sorted(changes):
        present += change
        most = max(most, present)
    free = (name for i in count(1) if (name := f"connector-{i}") not in taken)
    return list(islice(free, most))


def _connector_model(sessions: Sequence[RecordedSession]) -> ConnectorModel:
    models = {session.vehicle.model for session in sessions}
    if any(m.ac is None or (m.source == RECORDED and m.curve.peak_w > AC_POWER_W) for m in models):
        return ConnectorModel("cCCS2", max(model.curve.peak_w for model in models))
    return ConnectorModel("cType2", AC_POWER_W)
