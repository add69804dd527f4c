"""The charging profiles that a station has, and what they allow now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from voltbench.charging.profile import Kind, Profile, Purpose, Stretch, Supply, composite, station_composite
from voltbench.quantities import MS_PER_DAY, Instant

WHOLE_STATION = 0
"""The EVSE number that stands for all of them."""

_HORIZON_MS = 7 * MS_PER_DAY


class InstalledProfiles:
    """Charging profiles by EVSE; 0 holds those of the whole station."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: dict[int, list[Profile]] = {}

    def __iter__(self) -> Iterator[tuple[int, Profile]]:
        return ((evse, profile) for evse, profiles in self._at.items() for profile in profiles)

    def __len__(self) -> int:
        return sum(len(profiles) for profiles in self._at.values())

    def install(self, now: Instant, evse: int, profile: Profile) -> list[tuple[int, Profile]]:
        """Take a profile; return those it replaces: of the same id, or the same purpose and stack level there.

        OCPP 1.6 edition 2, section 5.16. A schedule that says no beginning begins now.
        """
        gone = self.clear(lambda at, other: _gives_way(at, other, evse, profile))
        schedule = profile.schedule
        if profile.kind is not Kind.RELATIVE and schedule.start is None and profile.valid_from is None:
            profile = replace(profile, schedule=replace(schedule, start=now))
        self._at.setdefault(evse, []).append(profile)
        return gone

    def beside(self, evse: int, profile: Profile) -> int:
        """How many there are that another one would not replace."""
        return sum(not _gives_way(at, other, evse, profile) for at, other in self)

    def clear(self, which: Callable[[int, Profile], bool]) -> list[tuple[int, Profile]]:
        """Remove some profiles and return them."""
        gone = [(evse, profile) for evse, profile in self if which(evse, profile)]
        for evse, profile in gone:
            self._at[evse].remove(profile)
        self._at = {evse: profiles for evse, profiles in self._at.items() if profiles}
        return gone

    def limits(
        self, evse: int, start: Instant, end: Instant, supply: Supply, transaction_start: Instant | None
    ) -> list[Stretch]:
        """The limit of an EVSE over time, by the station's profiles and its own, which win at the same stack level."""
        profiles = [*self._at.get(WHOLE_STATION, ()), *self._at.get(evse, ())]
        return composite(profiles, start, end, supply, transaction_start)

    def limit(self, evse: int, now: Instant, supply: Supply, transaction_start: Instant | None) -> Stretch:
        """The limit of an EVSE now, and until when it holds; that is looked at again after a week at the latest."""
        if not self._at:
            return Stretch(now, now + _HORIZON_MS, supply.gap_w, supply.phases)
        return self.limits(evse, now, now + _HORIZON_MS, supply, transaction_start)[0]

    def station_limits(self, start: Instant, end: Instant, supply: Supply) -> list[Stretch]:
        """What limits all EVSEs together over time."""
        return composite(
            [p for p in self._at.get(WHOLE_STATION, ()) if p.purpose in (Purpose.STATION_MAX, Purpose.EXTERNAL)],
            start,
            end,
            supply,
        )

    def station_limit(self, now: Instant, supply: Supply) -> Stretch:
        """What limits all EVSEs together now."""
        return self.station_limits(now, now + _HORIZON_MS, supply)[0]

    def in_all(
        self,
        start: Instant,
        end: Instant,
        evses: Sequence[tuple[int, Supply, Instant | None]],
        supply: Supply,
    ) -> list[Stretch]:
        """The limit of the station over time: the sum of its EVSEs' limits, within its own."""
        each = [self.limits(evse, start, end, own, since) for evse, own, since in evses]
        return station_composite(each, self.station_limits(start, end, supply), start, end)


def _gives_way(at: int, other: Profile, evse: int, profile: Profile) -> bool:
    """Whether a profile is replaced by a newer one."""
    same_place = (at, other.purpose, other.stack_level) == (evse, profile.purpose, profile.stack_level)
    return other.id == profile.id or same_place
