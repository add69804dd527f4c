"""How a client chooses: below a price, at once, or by a plan that is made anew only where the home did otherwise."""

from __future__ import annotations

from voltbench.quantities import DurationMs
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.money import in_words
from voltbench.running.home_client.timetable import Timetable, lacking, reasons, timetable
from voltbench.running.home_client.wishes import Mode, Wishes
from voltbench.site.calendar import QUARTER_MS


class WheneverItFits:
    """At once, or below a price: in every quarter hour that keeps the fuse."""

    def __init__(self, household: Household, wishes: Wishes) -> None:
        self._household = household
        self._wishes = wishes

    def wants(self, at: DurationMs) -> bool:
        """Whether that hour is as wished."""
        cheap = self._wishes.mode is Mode.NOW or self._household.price_at(at) < self._wishes.below_ore
        return cheap and self._wishes.keeps_fuse(self._household.load_at(at))

    def next_change(self, at: DurationMs) -> DurationMs | None:
        """Never within a quarter hour."""

    def wants_ever(self) -> bool:
        """Whether there is any such time in a day."""
        return any(self.wants(at) for at in range(0, self._household.day.length_ms, QUARTER_MS))


class Planned:
    """By a plan for the time until departure, which stands until the battery is not where it should be."""

    def __init__(self, household: Household, wishes: Wishes, departs_at: DurationMs) -> None:
        self._household = household
        self._wishes = wishes
        self._departs_at = departs_at
        self._found: Timetable | None = None
        self._energy_wh = self._spare_wh = 0.0
        self.made_at: DurationMs | None = None
        self._words = self._because = ""

    def wants(self, at: DurationMs) -> bool:
        """Whether the charger is on by the plan."""
        return self._found is not None and self._found.wants(at)

    def next_change(self, at: DurationMs) -> DurationMs | None:
        """When it goes on or off next by the plan."""
        return None if self._found is None else self._found.next_change(at)

    def stands(self, at: DurationMs, energy_wh: float) -> bool:
        """Whether the battery is where the plan has it then, to half a portion, or where it has yet to begin."""
        if self._found is None or (self.next_change(at) is None and not self.wants(at)):
            return False
        drawn_wh = (energy_wh - self._energy_wh) / self._wishes.efficiency
        return abs(drawn_wh - self._found.drawn_wh(at)) < self._wishes.portion_wh / 2

    def replan(
        self, begins_at: DurationMs, energy_wh: float, needed_wh: float, spare_wh: float, blocked: range, is_on: bool
    ) -> list[str]:
        """Plan from then on, with something to spare; return what there is to say of it."""
        wanted_wh = needed_wh + spare_wh
        found = timetable(self._household, self._wishes, begins_at, self._departs_at, wanted_wh, blocked, is_on)
        self._found, self._energy_wh, self._spare_wh, self.made_at = found, energy_wh, spare_wh, begins_at
        missing = lacking(found, spare_wh)
        if missing is None:
            self._because = ""
        elif not self._because:  # later on, less and less of it lies ahead
            self._because = reasons(self._household, found)
        words = f"plan: charge {found.words(self._household)}, for {in_words(found.cost_ore, self._household.currency)}"
        if words == self._words:
            return []
        self._words = words
        return [words] if missing is None else [words, f"{missing}: {reasons(self._household, found)}"]

    def lacking(self) -> str | None:
        """What will be lacking at departure, and why."""
        missing = None if self._found is None else lacking(self._found, self._spare_wh)
        return None if missing is None else f"{missing}: {self._because}"
