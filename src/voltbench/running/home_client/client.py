"""The client of a home station: it is told what the station says and when, and answers what to send and when to look.

It looks twice a quarter hour of the station's clock, early in it and in the middle. A quarter's energy may come all at
once when the quarter begins (so it is in the course), so the charger is set for the next quarter in the middle of the
present one, far from either edge; sooner once that is known; where energy is seen to come steadily, it is set when the
time has come.

Whatever the station says, or whether it says anything: by `off_due` the charger is to be switched off.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil

from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, DurationMs, Instant
from voltbench.running.home_client.household import Household, Info
from voltbench.running.home_client.planning import Planned, WheneverItFits
from voltbench.running.home_client.reckoning import Reckoning
from voltbench.running.home_client.watch import ROUNDING_WH, Change, Crediting, Watch
from voltbench.running.home_client.wishes import Mode, Wishes
from voltbench.site.calendar import QUARTER_MS

EARLY, MIDDLE = 0.2, 0.6
"""When to look, in parts of a quarter hour."""

EDGE = 0.02
"""Where energy comes steadily one looks at the edge too, so much before it, to switch off, and so much after."""

MARGIN = 0.1
"""Of a portion: what is planned beyond where energy comes steadily, because every switch is a little late."""

LONGEST_PAUSE_MS = 10_000
SHORTEST_PAUSE_MS = 5
AGAIN_MS = 1_000
"""How long after an "off" that was sent unseen the next one is due, at least."""

LATE_QUARTERS, DOUBTFUL_QUARTERS, STANDING_QUARTERS = 1.5, 5, 8
"""How long a clock shows the same until what it shows puts no "off" off any more, until nothing is switched on by it,
and until it stands still, at least: some show hours only."""

IDLE_QUARTERS = 16
"""So long the charger is on without any energy until we take it that the car takes no more."""

MEDDLED_TOLD = 4
"""So often it is told that somebody else switched the charger."""

DEFAULT_CAPACITY_WH = 46_300.0


class Ending(StrEnum):
    """Why a client is done."""

    REACHED = "target reached"
    DEPARTED = "departure"
    IDLE = "the car takes no more"


class ChargingClient:
    """Charges one car at one home. `meet` comes first, then `told` at every look."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self.ended: Ending | None = None
        self.wants_day = True
        self.capacity_wh = wishes.capacity_wh or DEFAULT_CAPACITY_WH
        self.watch: Watch | None = None
        self.chooser: Planned | WheneverItFits | None = None
        self.departs_at: DurationMs | None = None
        self.off_due: Instant | None = None
        self.looks = self.switches = self.plans = 0
        self.notes: list[str] = []
        self._news: list[str] = []
        self._told_hour = -1
        self._meddled = 0
        self._ordered: bool | None = None
        self._upset = True
        self._blocked = range(0)
        self._looked_at: Instant = 0
        self._took_ms: DurationMs = 0
        self._reckoning: Reckoning | None = None

    # --- what it is told ----------------------------------------------------------------------------------------------

    def meet(self, household: Household, energy_wh: float, soc: float) -> None:
        """The station tells its day, and its battery. InvalidInput where no hour of the day is as wished."""
        self.wants_day = False
        if self.wishes.capacity_wh is None and energy_wh > 0.0 and soc > 0.0:
            self.capacity_wh = max(100.0, round(energy_wh / soc, -2))
        if self.watch is None:
            self.watch = Watch(self.wishes, household)
        elif not self.watch.household.is_same(household):
            self.watch.meet(household)
            self._note("the home has other prices or loads than before")
            self.chooser = None
        if self.wishes.mode is not Mode.PLAN and not WheneverItFits(household, self.wishes).wants_ever():
            by_fuse = self.wishes.mode is Mode.NOW
            option, found = ("fuse-w", self.wishes.fuse_w) if by_fuse else ("below", self.wishes.below_ore)
            raise InvalidInput(option, "leaves no hour of the home's day to charge in", found=found)

    def told(self, asked_at: Instant, answered_at: Instant, info: Info) -> bool | None:
        """The station told of the moment between these instants; return what to switch the charger to, if anything."""
        assert self.watch is not None
        was_steady = self.watch.crediting is Crediting.STEADY
        change = self.watch.look(asked_at, answered_at, info, self.capacity_wh)
        self._upset |= was_steady != (self.watch.crediting is Crediting.STEADY)
        self.looks += 1
        self._looked_at, self._took_ms = answered_at, answered_at - asked_at
        self._begin(change)
        self._notice(change, info)
        self._guard(info)
        self._end_if_over(info)
        wanted = self._decide(info)
        self._tell_hour(info, wanted)
        self._reckoning = Reckoning(self.watch, self.wishes, asked_at, answered_at)
        self.off_due = self._off_due(self._reckoning, wanted, info.is_on)
        if wanted == info.is_on:
            self._ordered = info.is_on
            return None
        self._ordered = None
        return wanted

    def switched(self, on: bool) -> None:
        """The station confirmed a switch."""
        self._ordered = on
        self.switches += 1
        if not on:
            self.off_due = None

    def off_unseen(self, now: Instant) -> None:
        """The charger is switched off although the station has not said anything new, because that is due."""
        if self._reckoning is not None and self._is_silent(now):
            by_now_wh = self._reckoning.stored_wh(now)
            by_now = f"{by_now_wh / self.capacity_wh * 100:.2f} % may be in the battery by now"
            self._note(f"no answer in time: the charger is switched off unseen, {by_now}")
            self._reckoning = None
        self._ordered = None
        self.off_due = now + max(AGAIN_MS, 2 * self._took_ms)

    def _is_silent(self, now: Instant) -> bool:
        """Whether nothing was heard for a quarter hour: a little less is not worth a word."""
        tick_ms = None if self.watch is None else self.watch.clock.pulse.tick_ms
        return tick_ms is None or now - self._looked_at > tick_ms

    def parted(self, asked_at: Instant, answered_at: Instant, info: Info) -> None:
        """The charger was switched off for good, and the station told of the moment after that."""
        if self.watch is None or self.watch.info is None:
            return
        self.switches += self._ordered is not False and self.watch.info.is_on and not info.is_on
        self.watch.look(asked_at, answered_at, info, self.capacity_wh)

    def lost(self) -> None:
        """The station did not answer; what it says next may be of another one."""
        self.wants_day = True
        self._ordered = None
        if self.watch is not None and self.watch.clock.pulse.tick_ms is None:
            self.watch.clock.pulse.forget()  # nobody knows how many days went by meanwhile

    def take_news(self) -> list[str]:
        """What there is to say since it was asked last."""
        news, self._news = self._news, []
        return news

    # --- what it does -------------------------------------------------------------------------------------------------

    def next_look(self) -> Instant:
        """When to look again."""
        now = self._looked_at
        if self.watch is None:
            return now
        clock, pulse = self.watch.clock, self.watch.clock.pulse
        tick_ms = pulse.tick_ms
        if tick_ms is None:
            return now + pulse.learning_ms(now)
        steady = self.watch.crediting is Crediting.STEADY
        middle = max(EARLY, MIDDLE - 1.5 * self._took_ms / tick_ms)  # so that a switch is heard in the middle
        moments = [
            due + part * tick_ms
            for number in (clock.quarter, clock.quarter + 1)
            for part in ((-EDGE, EDGE, EARLY, middle) if steady else (EARLY, middle))
            if (due := pulse.due_at(number)) is not None
        ]
        soonest = now + max(SHORTEST_PAUSE_MS, min(100.0, tick_ms * EDGE / 2))
        found = min((moment for moment in moments if moment >= soonest), default=soonest + EARLY * tick_ms)
        if steady:
            found = max(soonest, min([found, *self._switches_due(clock.now(now))]))
        return round(min(found, now + LONGEST_PAUSE_MS))

    def _switches_due(self, at: DurationMs) -> list[float]:
        """When, by our clock, the plan changes next and a charger that is on has charged enough, by the home's."""
        assert self.watch is not None
        change = None if self.chooser is None else self.chooser.next_change(at)
        due = [None if change is None else change + EDGE * QUARTER_MS]
        if self.off_due is not None:
            due.append(at + self._missing_wh() / self.wishes.power_w * MS_PER_HOUR)
        return [wall for when in due if when is not None and (wall := self.watch.clock.wall_at(when)) is not None]

    def standstill(self, patience_ms: DurationMs) -> str | None:
        """That the station's clock stands still, in words, once it has for so long beyond a quarter hour."""
        if self.watch is None:
            return None
        pulse = self.watch.clock.pulse
        tick_ms, stood_ms = pulse.tick_ms, pulse.stood_ms()
        if stood_ms < (patience_ms + QUARTER_MS if tick_ms is None else max(patience_ms, STANDING_QUARTERS * tick_ms)):
            return None
        return f"the station's clock has stood still at {self.clock()} for {stood_ms / 1e3:.0f} s"

    @property
    def target_wh(self) -> float:
        """What is to be in the battery."""
        return self.wishes.until_soc * self.capacity_wh

    def _missing_wh(self) -> float:
        """What the charger has yet to draw: whole portions as long as it may be that it gives nothing else."""
        assert self.watch is not None
        assert self.watch.info is not None
        missing_wh = (self.target_wh - self.watch.info.energy_wh) / self.wishes.efficiency
        portion_wh, tolerated_wh = self.wishes.portion_wh, 0.51 * ROUNDING_WH
        if self.watch.crediting is Crediting.STEADY:
            return 0.0 if missing_wh <= tolerated_wh else missing_wh
        if not self.wishes.at_least:
            tolerated_wh = portion_wh / 2
        return max(0, ceil((missing_wh - tolerated_wh) / portion_wh)) * portion_wh

    def _begin(self, change: Change) -> None:
        """Set a departure and a way to choose, at first and where the station begins anew."""
        assert self.watch is not None
        if change.anew:
            self._note("the station's clock was set; planning anew from what it shows")
            self.wants_day, self.chooser, self._ordered, self.departs_at = True, None, None, None
            self._blocked = range(0)
        household, at = self.watch.household, self.watch.quarter_at
        if self.watch.clock.quarter % household.day.quarters < change.quarters:
            self.wants_day = True  # every day may have prices of its own
        if self.departs_at is None and (self.wishes.mode is Mode.PLAN or self.wishes.departure_ms is not None):
            self.departs_at = household.departure_after(at, self.wishes.departure_ms)
        if self.chooser is None:
            self.chooser, self._upset = self._way_to_choose(household), True

    def _way_to_choose(self, household: Household) -> Planned | WheneverItFits:
        if self.wishes.mode is Mode.PLAN and self.departs_at is not None:
            return Planned(household, self.wishes, self.departs_at)
        return WheneverItFits(household, self.wishes)

    def _notice(self, change: Change, info: Info) -> None:
        """See what somebody else did."""
        if self._ordered is not None and info.is_on != self._ordered:
            self._meddled += 1
            again = "" if self._meddled < MEDDLED_TOLD else ", and so on: is another client at work?"
            if self._meddled <= MEDDLED_TOLD:
                self._note(f"somebody switched the charger {'on' if info.is_on else 'off'}{again}")
        if change.gained_wh < -ROUNDING_WH:
            self._note(f"the battery has lost {-change.gained_wh / 1e3:.2f} kWh")
            self._upset = True

    def _guard(self, info: Info) -> None:
        """Whatever was planned: where the house draws more than the fuse allows, the car waits for the next hour."""
        assert self.watch is not None
        too_much = info.load_w > self.wishes.fuse_w + 2 * ROUNDING_WH and info.is_on
        at = self.watch.quarter_at
        if too_much and not self.wishes.household_only and at not in self._blocked:
            self._note(
                f"the house draws {info.load_w / 1e3:.2f} kW, more than the fuse: the car waits for the next hour"
            )
            self._blocked = range(at, at - at % MS_PER_HOUR + MS_PER_HOUR)
            self._upset = True

    def _end_if_over(self, info: Info) -> None:
        assert self.watch is not None
        if self._missing_wh() <= 0.0:
            self.ended = Ending.REACHED
        elif self.departs_at is not None and self.watch.quarter_at >= self.departs_at:
            near_wh = 0.0 if self.wishes.at_least else self.wishes.portion_wh / 2
            self.ended = Ending.REACHED if self._missing_wh() <= near_wh else Ending.DEPARTED
        elif self.watch.idle_quarters >= IDLE_QUARTERS:
            self.ended = Ending.IDLE

    def _decide(self, info: Info) -> bool:
        """Whether the charger is to be on."""
        assert self.watch is not None
        assert self.chooser is not None
        watch = self.watch
        if self.ended is not None or (watch.clock.pulse.stood_ticks > DOUBTFUL_QUARTERS and not info.is_on):
            return False
        steady = watch.crediting is Crediting.STEADY
        at = watch.now(self._looked_at) if steady else watch.quarter_at + QUARTER_MS
        if isinstance(self.chooser, Planned) and (self._upset or not self.chooser.stands(at, info.energy_wh)):
            self.plans += 1
            needed_wh = self._missing_wh() + (MARGIN * self.wishes.portion_wh if steady else 0.0)
            for words in self.chooser.replan(at, info.energy_wh, needed_wh, self._blocked, info.is_on):
                self._note(words)
        self._upset = False
        if watch.quarter_at in self._blocked and info.is_on:
            return False
        if not steady:
            is_time = watch.crediting is Crediting.TICKS or self._is_time()
            return self._wants(at) if is_time else info.is_on
        return self._wants(at) and self._wants(at + round(1.5 * EDGE * QUARTER_MS))

    def _off_due(self, reckoning: Reckoning, wanted: bool, is_on: bool) -> Instant | None:
        """By when the charger is to be off if nothing more is heard. One that is being switched on may take a while."""
        if not wanted:
            return self._looked_at if is_on else None
        assert self.watch is not None
        due = reckoning.off_due(self._wants, self._missing_wh())
        if not is_on:
            return max(due, self._looked_at + 2 * self._took_ms)
        is_late = self.watch.clock.pulse.stood_ticks > LATE_QUARTERS
        return due if self.off_due is None or not is_late else min(due, self.off_due)

    def _wants(self, at: DurationMs) -> bool:
        """Whether to charge then, by what is known."""
        assert self.chooser is not None
        is_before = self.departs_at is None or at < self.departs_at
        return is_before and at not in self._blocked and self.chooser.wants(at)

    def _is_time(self) -> bool:
        """Whether the next quarter is near enough to set the charger for it, and no nearer than need be."""
        assert self.watch is not None
        pulse = self.watch.clock.pulse
        tick_ms, due = pulse.tick_ms, pulse.due_at(self.watch.clock.quarter + 1)
        if tick_ms is None or due is None:
            return True
        return due - self._looked_at <= max(MIDDLE * tick_ms, 10 * self._took_ms + 20)

    # --- what it says -------------------------------------------------------------------------------------------------

    def _note(self, words: str) -> None:
        where = "" if self.watch is None or self.watch.info is None else f"{self.clock()}  "
        self.notes.append(where + words)
        self._news.append(where + words)

    def clock(self) -> str:
        """What the station's clock shows."""
        assert self.watch is not None
        return self.watch.household.clock(self.watch.quarter_at)

    def _tell_hour(self, info: Info, wanted: bool) -> None:
        assert self.watch is not None
        if info.hour == self._told_hour:
            return
        self._told_hour = info.hour
        at, household = self.watch.quarter_at, self.watch.household
        self._news.append(
            f"{self.clock()}  {household.price_at(at):6.2f} öre/kWh  household {household.load_at(at) / 1e3:5.2f} kW  "
            f"SoC {info.energy_wh / self.capacity_wh * 100:5.2f} %  charger {'on' if wanted else 'off'}"
        )
