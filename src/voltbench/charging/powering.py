"""What each EVSE of a station may draw now, and why: its rating, the charging profiles, and what the station shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voltbench.charging.evse import Evse
from voltbench.charging.installed import InstalledProfiles
from voltbench.charging.profile import Profile, Stretch, Supply, Unit
from voltbench.charging.sharing import shares
from voltbench.charging.station import StationModel
from voltbench.quantities import MS_PER_SECOND, NOMINAL_VOLTAGE_V, POWER_TOLERANCE_W, Instant

RESHARE_MS = 10 * MS_PER_SECOND
"""How often power is shared anew while it does not suffice and a car's demand changes."""

BY_RATING, BY_DEFAULT, BY_SHARING = "rating", "default", "sharing"


class Powering:
    """The power side of a station as a whole; `why` is, by EVSE, what binds a car there.

    Where it `switches_phases`, a car goes on on one phase while a profile allows fewer than it uses.
    """

    __slots__ = ("_evses", "_model", "next_wakeup", "profiles", "switches_phases", "why")

    def __init__(self, model: StationModel, evses: Sequence[Evse], profiles: InstalledProfiles) -> None:
        self._model = model
        self._evses = evses
        self.profiles = profiles
        self.switches_phases = model.switches_phases
        self.why: dict[int, str] = {}
        self.next_wakeup: Instant | None = None

    def supply(self, evse: Evse) -> Supply:
        """What an EVSE hangs on, in the terms of charging profiles: DC stations are supplied on three phases."""
        model = evse.feed.model
        volts, phases = (NOMINAL_VOLTAGE_V, 3) if model.is_dc else (model.voltage_v, model.phases)
        rating_a = min(model.max_power_w, self._model.max_power_w) / (volts * phases)
        default_a = self._model.default_current_a
        return Supply(volts, phases, rating_a, rating_a if default_a is None else default_a)

    def station_supply(self) -> Supply:
        """What the station hangs on."""
        rating_a = self._model.max_power_w / (NOMINAL_VOLTAGE_V * 3)
        return Supply(NOMINAL_VOLTAGE_V, 3, rating_a, rating_a)

    def schedule(self, now: Instant, evse: Evse | None, until: Instant) -> list[Stretch]:
        """The limit of an EVSE, or of the whole station, over time."""
        if evse is not None:
            started = evse.transaction.started_at if evse.transaction is not None else None
            return self.profiles.limits(evse.id, now, until, self.supply(evse), started)
        each = [
            (e.id, self.supply(e), e.transaction.started_at if e.transaction is not None else None) for e in self._evses
        ]
        return self.profiles.in_all(now, until, each, self.station_supply())

    def update(self, now: Instant) -> None:
        """Tell every feed what it may draw from now on: first who gets less, then who gets more."""
        drawing = [evse for evse in self._evses if evse.feed.closed]
        self.next_wakeup = None
        if not drawing:
            return
        limits = [self._limit(now, evse) for evse in drawing]
        caps_w = [min(limit.limit_w, evse.feed.rating_w) for limit, evse in zip(limits, drawing, strict=True)]
        station = self.profiles.station_limit(now, self.station_supply())
        self.wake_at(station.end)
        total_w = min(self._model.max_power_w, station.limit_w)
        allowed_w = self._shared(now, drawing, caps_w, [limit.minimum_w for limit in limits], total_w)
        in_common = BY_SHARING if station.why is None else _named(station.why)
        for evse, limit, cap_w, power_w in zip(drawing, limits, caps_w, allowed_w, strict=True):
            self.why[evse.id] = in_common if power_w < cap_w - POWER_TOLERANCE_W else self._why(evse, limit, cap_w)
        for evse, power_w in sorted(
            zip(drawing, allowed_w, strict=True), key=lambda pair: pair[1] - pair[0].feed.allowed_w
        ):
            evse.feed.allow(now, power_w)

    def _limit(self, now: Instant, evse: Evse) -> Stretch:
        """What a car may draw: what is said in A holds on each phase, however few of them it uses."""
        feed = evse.feed
        limit = self._limit_on(now, evse, feed.most_phases)
        self.wake_at(limit.end)
        if self.switches_phases:
            feed.use_phases(now, limit.phases)
            if feed.phases < limit.phases:
                return self._limit_on(now, evse, feed.phases)
        return limit

    def _limit_on(self, now: Instant, evse: Evse, phases: int) -> Stretch:
        started = evse.transaction.started_at if evse.transaction is not None else None
        supply = self.supply(evse)
        if phases < supply.phases:
            supply = replace(supply, phases=phases)
        return self.profiles.limit(evse.id, now, supply, started)

    def _why(self, evse: Evse, limit: Stretch, cap_w: float) -> str:
        """What binds an EVSE by itself."""
        if cap_w < limit.limit_w:
            return BY_RATING
        if limit.why is not None:
            return _named(limit.why)
        supply = self.supply(evse)
        return BY_DEFAULT if limit.limit_w < supply.in_w(supply.rating_a, Unit.A, limit.phases) else BY_RATING

    def _shared(
        self,
        now: Instant,
        drawing: Sequence[Evse],
        caps_w: Sequence[float],
        minimums_w: Sequence[float],
        total_w: float,
    ) -> list[float]:
        """What each may draw of what there is for all: whoever would get less than is worth while waits."""
        if sum(caps_w) <= total_w + POWER_TOLERANCE_W:
            return list(caps_w)
        demands_w = [min(cap_w, evse.feed.demand_w(now)) for cap_w, evse in zip(caps_w, drawing, strict=True)]
        least_w = [max(evse.feed.minimum_w, own_w) for evse, own_w in zip(drawing, minimums_w, strict=True)]
        given_w = shares(demands_w, least_w, total_w)
        spare_w = max(0.0, total_w - sum(given_w))
        room_w = [cap_w - own_w if own_w > 0.0 else 0.0 for cap_w, own_w in zip(caps_w, given_w, strict=True)]
        more_w = shares(room_w, [0.0] * len(drawing), spare_w)
        if any(evse.feed.drifts for evse in drawing):
            self.wake_at(now + RESHARE_MS)
        return [own_w + extra_w for own_w, extra_w in zip(given_w, more_w, strict=True)]

    def wake_at(self, instant: Instant) -> None:
        """Look again at this instant, or before."""
        self.next_wakeup = instant if self.next_wakeup is None else min(self.next_wakeup, instant)


def _named(profile: Profile) -> str:
    return f"{profile.purpose.value} {profile.id}"
