"""The charging profiles that a station has, and what they allow now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from voltbench.charging.profile import Kind, Profile, Purpose, Stretch, Supply, composite, limit_at, station_composite
from voltbench.quantities import MS_PER_DAY, Instant

WHOLE_STATION = 0
"""The EVSE number that stands for all of them."""

_HORIZON_MS = 7 * MS_PER_DAY


class InstalledProfiles:
    """Charging profiles by EVSE; 0 holds those of the whole station.

    Who keeps them elsewhere too hears of each that goes, whatever the reason: `on_removal`.
    """

    __slots__ = ("_at", "on_removal")

    def __init__(self) -> None:
        self._at: dict[int, list[Profile]] = {}
        self.on_removal: Callable[[int, Profile], None] | None = None

    def __iter__(self) -> Iterator[tuple[int, Profile]]:
        return ((evse, profile) for evse, profiles in self._at.items() for profile in profiles)

    def install(self, now: Instant, evse: int, profile: Profile) -> None:
        """Take a profile in place of those of the same id, or the same purpose and stack level there.

        OCPP 1.6 edition 2, section 5.16. A schedule that says no beginning begins now.
        """
        self.clear(lambda at, other: _gives_way(at, other, evse, profile))
        schedule = profile.schedule
        if profile.kind is not Kind.RELATIVE and schedule.start is None and profile.valid_from is None:
            profile = replace(profile, schedule=replace(schedule, start=now))
        self._at.setdefault(evse, []).append(profile)

    def beside(self, evse: int, profile: Profile) -> int:
        """How many there are that another one would not replace."""
        return sum(not _gives_way(at, other, evse, profile) for at, other in self)

    def clear(self, which: Callable[[int, Profile], bool]) -> list[tuple[int, Profile]]:
        """Remove some profiles and return them."""
        gone = [(evse, profile) for evse, profile in self if which(evse, profile)]
        for evse, profile in gone:
            self._at[evse].remove(profile)
            if self.on_removal is not None:
                self.on_removal(evse, profile)
        self._at = {evse: profiles for evse, profiles in self._at.items() if profiles}
        return gone

    def next_expiry(self) -> Instant | None:
        """When the next one is no longer valid."""
        return min((p.valid_to for _, p in self if p.valid_to is not None), default=None) if self._at else None

    def expire(self, now: Instant) -> None:
        """Remove those that are no longer valid."""
        due = self.next_expiry()
        if due is not None and due <= now:
            self.clear(lambda _, profile: profile.valid_to is not None and profile.valid_to <= now)

    def limits(
        self, evse: int, start: Instant, end: Instant, supply: Supply, transaction_start: Instant | None
    ) -> list[Stretch]:
        """The limit of an EVSE over time, by the station's profiles and its own, which win at the same stack level."""
        return composite(self._of(evse), start, end, supply, transaction_start)

    def limit(self, evse: int, now: Instant, supply: Supply, transaction_start: Instant | None) -> Stretch:
        """The limit of an EVSE now, and until when it surely holds; that is a week at the longest."""
        return limit_at(self._of(evse), now, now + _HORIZON_MS, supply, transaction_start)

    def station_limits(self, start: Instant, end: Instant, supply: Supply) -> list[Stretch]:
        """What limits all EVSEs together over time."""
        return composite(self._of_all_together(), start, end, supply)

    def station_limit(self, now: Instant, supply: Supply) -> Stretch:
        """What limits all EVSEs together now, and until when it surely does."""
        return limit_at(self._of_all_together(), now, now + _HORIZON_MS, supply)

    def _of(self, evse: int) -> list[Profile]:
        return [*self._at.get(WHOLE_STATION, ()), *self._at.get(evse, ())]

    def _of_all_together(self) -> list[Profile]:
        return [p for p in self._at.get(WHOLE_STATION, ()) if p.purpose in (Purpose.STATION_MAX, Purpose.EXTERNAL)]

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
