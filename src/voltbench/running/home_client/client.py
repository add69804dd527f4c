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

from voltbench.errors import InvalidInput, RemoteProtocolError
from voltbench.quantities import MS_PER_HOUR, DurationMs, Instant
from voltbench.running.home_client.diary import Diary
from voltbench.running.home_client.household import HIGHEST_SOC, LARGEST_WH, Household, Info
from voltbench.running.home_client.looking import EDGE, is_time, next_look, standstill
from voltbench.running.home_client.others import Others
from voltbench.running.home_client.planning import Planned, WheneverItFits
from voltbench.running.home_client.reckoning import Reckoning
from voltbench.running.home_client.watch import ROUNDING_W, ROUNDING_WH, Change, Crediting, Watch
from voltbench.running.home_client.wishes import Mode, Wishes
from voltbench.site.calendar import QUARTER_MS

MARGIN = 0.1
"""Of a portion: what is planned beyond where energy comes steadily, because every switch is a little late."""

AGAIN_MS, AGAIN_PART = 1_000, 0.25
"""How long after an "off" that was sent unseen the next one is due: at most, and in parts of a quarter hour."""

LATE_QUARTERS, DOUBTFUL_QUARTERS = 1.5, 5
"""How long a clock shows the same until what it shows puts no "off" off any more, and nothing is switched on by it."""

IDLE_QUARTERS = 16
"""So long the charger is on in vain until nobody waits any more for the car to take something."""

TRY_AGAIN_MS = MS_PER_HOUR
"""A car that takes no more is planned for so seldom, on its home's clock, in case that it does again."""

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
        self._diary = Diary()
        self._others = Others()
        self._ordered: bool | None = None
        self._upset = True
        self._rests = False
        self._blocked = range(0)
        self._met_at: DurationMs = 0
        self._looked_at: Instant = 0
        self._took_ms: DurationMs = 0
        self._reckoning: Reckoning | None = None

    # --- what it is told ----------------------------------------------------------------------------------------------

    def meet(self, household: Household, energy_wh: float, soc: float) -> None:
        """The station tells its day, and its battery. InvalidInput where no hour of the first day is as wished."""
        self.wants_day, is_first = False, self.watch is None
        if self.wishes.capacity_wh is None and energy_wh > 0.0 and soc > 0.0:
            self.capacity_wh = _capacity_wh(energy_wh, soc)
        if self.watch is None:
            self.watch = Watch(self.wishes, household)
        elif self.watch.meet(household):
            self._note("the home has other prices or loads than before")
        if is_first and self.wishes.mode is not Mode.PLAN and not WheneverItFits(household, self.wishes).wants_ever():
            by_fuse = self.wishes.mode is Mode.NOW
            option, found = ("fuse-w", self.wishes.fuse_w) if by_fuse else ("below", self.wishes.below_ore)
            raise InvalidInput(option, "leaves no hour of the home's day to charge in", found=found)

    def told(self, asked_at: Instant, answered_at: Instant, info: Info) -> bool | None:
        """The station told of the moment between these instants; return what to switch the charger to, if anything."""
        assert self.watch is not None
        if info.energy_wh > HIGHEST_SOC * self.capacity_wh:
            held, most = f"{info.energy_wh / 1e3:g} kWh", f"{self.capacity_wh / 1e3:g} kWh"
            raise RemoteProtocolError(f"the station told that {held} are in a battery of {most}")
        was_steady = self.watch.crediting is Crediting.STEADY
        change = self.watch.look(asked_at, answered_at, info, self.capacity_wh)
        self._upset |= was_steady != (self.watch.crediting is Crediting.STEADY)
        self.looks += 1
        self._looked_at, self._took_ms = answered_at, answered_at - asked_at
        self._begin(change)
        self._notice(change, info)
        self._notice_rest()
        self._guard(info)
        self._end_if_over(info)
        wanted = self._decide(info)
        self._diary.tell_hour(self.watch, info, info.energy_wh / self.capacity_wh, wanted)
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
        if self.watch is not None:
            self.watch.rest.switched()
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
        if self.watch is not None:
            self.watch.rest.switched()
        soon_ms = AGAIN_MS if self.tick_ms is None else min(AGAIN_MS, round(AGAIN_PART * self.tick_ms))
        self.off_due = now + max(1, soon_ms, 2 * self._took_ms)

    def _is_silent(self, now: Instant) -> bool:
        """Whether nothing was heard for a quarter hour: a little less is not worth a word."""
        return self.tick_ms is None or now - self._looked_at > self.tick_ms

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
        if self.watch is not None and self.tick_ms is None:
            self.watch.clock.pulse.forget()  # nobody knows how many days went by meanwhile

    def take_news(self) -> list[str]:
        """What there is to say since it was asked last."""
        return self._diary.take_news()

    @property
    def notes(self) -> list[str]:
        """All that was worth a note."""
        return self._diary.notes

    @property
    def tick_ms(self) -> float | None:
        """How long a quarter hour of the station's takes, once that is known."""
        return None if self.watch is None else self.watch.clock.pulse.tick_ms

    def clock(self) -> str:
        """What the station's clock shows."""
        assert self.watch is not None
        return self.watch.household.clock(self.watch.quarter_at)

    def lacking(self) -> str | None:
        """What is lacking, or will be at departure, and why; None where that is not known, or nothing is."""
        if self.ended is Ending.REACHED:
            return None
        if self.watch is not None and self.watch.rest.is_certain:
            return f"{self._lacking_kwh():.2f} kWh are lacking: {self._resting()}"
        plan = self.chooser if isinstance(self.chooser, Planned) else None
        if plan is not None and plan.made_at is None and self.ended is Ending.DEPARTED:
            return f"{self._lacking_kwh():.2f} kWh are lacking: there was no time before departure"
        return None if plan is None else plan.lacking()

    def _note(self, words: str) -> None:
        self._diary.note(self.watch, words)

    # --- what it does -------------------------------------------------------------------------------------------------

    def next_look(self) -> Instant:
        """When to look again."""
        if self.watch is None:
            return self._looked_at
        return next_look(self.watch, self._looked_at, self._took_ms, self._switches_due())

    def _switches_due(self) -> list[float]:
        """When, by our clock, the plan changes next and a charger that is on has charged enough, by the home's."""
        assert self.watch is not None
        at = self.watch.clock.now(self._looked_at)
        change = None if self.chooser is None else self.chooser.next_change(at)
        due = [None if change is None else change + EDGE * QUARTER_MS]
        if self.off_due is not None:
            due.append(at + self._missing_wh() / self.wishes.power_w * MS_PER_HOUR)
        return [wall for when in due if when is not None and (wall := self.watch.clock.wall_at(when)) is not None]

    def standstill(self, patience_ms: DurationMs) -> str | None:
        """That the station's clock stands still, in words, once it has for so long beyond a quarter hour."""
        return None if self.watch is None else standstill(self.watch, patience_ms)

    @property
    def target_wh(self) -> float:
        """What is to be in the battery."""
        return self.wishes.until_soc * self.capacity_wh

    def _lacking_kwh(self) -> float:
        assert self.watch is not None
        assert self.watch.info is not None
        return (self.target_wh - self.watch.info.energy_wh) / 1e3

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
            self._others.forget()
        if self.watch.clock.of_day < change.quarters:
            self.wants_day = True  # every day may have prices of its own
        self._set_departure(change.is_other_day)
        if self.chooser is None or change.is_other_day:
            self.chooser, self._upset = self._way_to_choose(self.watch.household), True

    def _set_departure(self, is_other_day: bool) -> None:
        """When the car departs, at first, and again on a day that may be longer or shorter than was thought."""
        assert self.watch is not None
        household, clock_ms = self.watch.household, self.wishes.departure_ms
        if self.departs_at is None:
            self._met_at = self.watch.quarter_at
            if self.wishes.mode is Mode.PLAN or clock_ms is not None:
                self.departs_at = household.departure_after(self._met_at, clock_ms)
        elif is_other_day and clock_ms is not None and self.departs_at >= household.begins_at:
            self.departs_at = household.departure_after(max(self._met_at, household.begins_at - QUARTER_MS), clock_ms)

    def _way_to_choose(self, household: Household) -> Planned | WheneverItFits:
        if self.wishes.mode is Mode.PLAN and self.departs_at is not None:
            return Planned(household, self.wishes, self.departs_at)
        return WheneverItFits(household, self.wishes)

    def _notice(self, change: Change, info: Info) -> None:
        """See what somebody else did."""
        assert self.watch is not None
        words = self._others.notice(self._ordered, info.is_on, self.watch.quarter_at)
        if words is not None:
            self._note(words)
        if change.gained_wh < -ROUNDING_WH:
            self._note(f"the battery has lost {-change.gained_wh / 1e3:.2f} kWh")
            self._upset = True

    def _notice_rest(self) -> None:
        """Say once that the car takes no more, and that it does again."""
        assert self.watch is not None
        if self.watch.rest.is_certain is self._rests or self._missing_wh() <= 0.0:
            return
        self._rests = self.watch.rest.is_certain
        self._note((self.lacking() or self._resting()) if self._rests else "the car charges again")
        self._upset |= not self._rests

    def _resting(self) -> str:
        """That the car takes no more, and where."""
        assert self.watch is not None
        assert self.watch.info is not None
        return f"{Ending.IDLE.value} at {self.watch.info.energy_wh / self.capacity_wh * 100:.3g} %"

    def _guard(self, info: Info) -> None:
        """Whatever was planned: where the house draws more than the fuse allows, the car waits until it may be less."""
        assert self.watch is not None
        too_much = info.load_w > self.wishes.fuse_w + 2 * ROUNDING_W and info.is_on
        at = self.watch.quarter_at
        if too_much and not self.wishes.household_only and at not in self._blocked:
            until = self.watch.household.load_changes_at(at)
            drawn = f"the house draws {info.load_w / 1e3:.2f} kW, more than the fuse"
            self._note(f"{drawn}: the car waits until {self.watch.household.clock(until)}")
            self._blocked = range(at, until)
            self._upset = True

    def _end_if_over(self, info: Info) -> None:
        assert self.watch is not None
        if self._missing_wh() <= 0.0:
            self.ended = Ending.REACHED
        elif self.departs_at is not None and self.watch.quarter_at >= self.departs_at:
            near_wh = 0.0 if self.wishes.at_least else self.wishes.portion_wh / 2
            self.ended = Ending.REACHED if self._missing_wh() <= near_wh else Ending.DEPARTED
        elif self.watch.rest.quarters >= IDLE_QUARTERS:
            self.ended = Ending.IDLE

    def _decide(self, info: Info) -> bool:
        """Whether the charger is to be on."""
        assert self.watch is not None
        assert self.chooser is not None
        watch = self.watch
        if self.ended is not None or (self._others.keep_it_off(watch.quarter_at) and not info.is_on):
            return False
        if watch.clock.pulse.stood_ticks > DOUBTFUL_QUARTERS and not info.is_on:
            return False
        steady = watch.crediting is Crediting.STEADY
        at = watch.now(self._looked_at) if steady else watch.quarter_at + QUARTER_MS
        if isinstance(self.chooser, Planned) and (self._upset or self._is_other_than(self.chooser, at, info)):
            self._plan(self.chooser, at, info)
        self._upset = False
        if watch.quarter_at in self._blocked and info.is_on:
            return False
        if not steady:
            is_now = watch.crediting is Crediting.TICKS or is_time(watch, self._looked_at, self._took_ms)
            return self._wants(at) if is_now else info.is_on
        return self._wants(at) and self._wants(at + round(1.5 * EDGE * QUARTER_MS))

    def _is_other_than(self, plan: Planned, at: DurationMs, info: Info) -> bool:
        """Whether it came otherwise than planned; while the car rests no plan is better, and one tries now and then."""
        assert self.watch is not None
        rest = self.watch.rest
        if plan.made_at is None or plan.stands(at, info.energy_wh):
            return plan.made_at is None
        if rest.is_certain:
            return at - plan.made_at >= TRY_AGAIN_MS
        return not (rest.seems and info.is_on)

    def _plan(self, plan: Planned, at: DurationMs, info: Info) -> None:
        assert self.watch is not None
        if self.departs_at is None or at >= self.departs_at:
            return
        self.plans += 1
        spare_wh = MARGIN * self.wishes.portion_wh if self.watch.crediting is Crediting.STEADY else 0.0
        told = plan.replan(at, info.energy_wh, self._missing_wh(), spare_wh, self._blocked, info.is_on)
        for words in [] if self._rests else told:
            self._note(words)

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


def _capacity_wh(energy_wh: float, soc: float) -> float:
    """What a battery holds in which so much is such a part of it, to 100 Wh."""
    if energy_wh > LARGEST_WH * soc:
        raise RemoteProtocolError(f"the station told that {energy_wh / 1e3:g} kWh are {soc * 100:g} % of its battery")
    return max(100.0, round(energy_wh / soc, -2))
