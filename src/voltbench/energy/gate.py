"""Make shares that stations can carry out: nothing below a minimum, whole steps, and turns where not all can charge.

On AC a station offers 6 A or nothing. Where shares would fall below that, as many claims as fit are served and the
others wait. Turns change at whole rotation intervals, for everybody at once: then who has waited longest comes first,
so that a large minimum finds room as a small one does, and who has just been served comes last. In between, who is
served stays, and what is free goes to who waits, unless its minimum time on would then hold up somebody who waits for
more room. A minimum time on is kept under every strategy, as far as the limits leave the minimum power.

What minimum and steps leave over is given out again, until no raise that a station could carry out fits any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from voltbench.energy.allocate import Situation, Strategy
from voltbench.energy.claim import TURN, UNBOUND, Claim, Room, room_after
from voltbench.energy.steps import settable, step_below, whole_steps
from voltbench.energy.waterfill import Shares
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE, POWER_TOLERANCE_W, DurationMs, Instant, earliest


@dataclass(frozen=True, slots=True)
class Turns:
    """How long a turn lasts where not all can charge, and how long a session stays on or off at least."""

    rotation_ms: DurationMs = 15 * MS_PER_MINUTE
    minimum_on_ms: DurationMs = 0
    minimum_off_ms: DurationMs = 0

    def __post_init__(self) -> None:
        if self.rotation_ms <= 0:
            raise InvalidInput("rotation", "is no length of time", found=self.rotation_ms, allowed="more than 0")
        if not 0 <= self.minimum_on_ms <= self.rotation_ms:
            found = self.minimum_on_ms / MS_PER_MINUTE
            allowed = f"0 to the rotation, {self.rotation_ms / MS_PER_MINUTE:g}"
            raise InvalidInput("minimum_on_min", "does not fit into a turn", found=found, allowed=allowed)
        if self.minimum_off_ms < 0:
            raise InvalidInput("minimum_off", "is no length of time", found=self.minimum_off_ms, allowed="0 or more")

    def number(self, now: Instant) -> int:
        """Which turn it is, counted from the epoch."""
        return now // self.rotation_ms

    def next_change(self, now: Instant) -> Instant:
        """When the next turn begins."""
        return (self.number(now) + 1) * self.rotation_ms


@dataclass(slots=True)
class Turn:
    """Whether a session is being served, since when, and since when it has had its turn."""

    on: bool
    since: Instant
    turn_since: Instant


class GateState(msgspec.Struct, frozen=True):
    """Whose turn it is, in full: for each session whether it is served, since when, and since when in its turn."""

    turns: tuple[tuple[str, bool, Instant, Instant], ...] = ()
    is_awaited: bool = False


class Gate:
    """Applies minimum powers, steps and turns to what a strategy wants; remembers whose turn it is.

    Minimum times on and off hold for who has a minimum power. With `by_class` a higher priority has its turn first.
    """

    def __init__(self, turns: Turns | None = None, *, by_class: bool = False) -> None:
        self.turns = turns or Turns()
        self._by_class = by_class
        self._turn: dict[str, Turn] = {}
        self._waiting = False

    def shares(self, s: Situation, strategy: Strategy) -> Shares:
        """The strategy's shares as stations can carry them out."""
        ungated = strategy(s)
        if not any(c.minimum_w or c.step_w for c in s.claims):
            return ungated
        powers, binding = self._gated(s, strategy, ungated)
        if any(c.step_w for c in s.claims) or powers != ungated[0]:
            powers = self._with_leftovers(s, whole_steps(s, powers))
        self._note(s, powers)
        return powers, _held_by(s, powers, binding)

    def all_served(self, now: Instant, claims: Iterable[Claim], powers_w: Iterable[float]) -> None:
        """All of these have what they want, which may be nothing; nobody has to wait."""
        self._waiting = False
        for claim, power_w in zip(claims, powers_w, strict=True):
            on = power_w > 0.0
            if claim.minimum_w and on != self._is_on(claim):
                turn = self._turn.get(claim.id)
                self._turn[claim.id] = Turn(on, now, now if on or turn is None else turn.turn_since)

    def holds_back(self, now: Instant) -> bool:
        """Whether some session has to stay off for a while yet, even if there is room for it."""
        return self.turns.minimum_off_ms > 0 and any(self._is_kept_off(now, turn) for turn in self._turn.values())

    def keeps_on(self, now: Instant, claim: Claim) -> bool:
        """Whether a session has begun so lately that it has to go on for a while yet."""
        return self.turns.minimum_on_ms > 0 and self._is_kept_on(now, claim)

    def forget(self, claim_id: str) -> None:
        """A session has left, or wants no more."""
        self._turn.pop(claim_id, None)

    def next_turn(self, now: Instant) -> Instant | None:
        """When somebody who waits may be served: at the next turn, or when a minimum time on or off ends."""
        if not self._waiting:
            return None
        minimum_ms = {True: self.turns.minimum_on_ms, False: self.turns.minimum_off_ms}
        ends = (turn.since + minimum_ms[turn.on] for turn in self._turn.values())
        return earliest(self.turns.next_change(now), *(end for end in ends if end > now))

    def state(self) -> GateState:
        """All there is to remember."""
        turns = tuple((id, turn.on, turn.since, turn.turn_since) for id, turn in self._turn.items())
        return GateState(turns, self._waiting)

    def resume(self, state: GateState) -> None:
        """Be as remembered."""
        self._turn = {id: Turn(on, since, turn_since) for id, on, since, turn_since in state.turns}
        self._waiting = state.is_awaited

    # --- minimum powers and turns ----------------------------------------------------------------------------------

    def _gated(self, s: Situation, strategy: Strategy, ungated: Shares) -> Shares:
        """First the strategy's own choice beside those who must stay on; where that is too little for some, turns."""
        claims, wanting = s.claims, [i for i, wanted_w in enumerate(s.demand_w) if wanted_w > 0.0]
        kept_on = [i for i in wanting if self._is_kept_on(s.now, claims[i])] if self.turns.minimum_on_ms else []
        able = wanting
        if self.turns.minimum_off_ms:
            able = [i for i in wanting if not self._is_kept_off(s.now, self._turn.get(claims[i].id))]
        shares = ungated
        kept_off = set(wanting).difference(able)
        ungated = (ungated[0], [TURN if i in kept_off else row for i, row in enumerate(ungated[1])])
        if len(able) < len(wanting) or any(ungated[0][i] < claims[i].minimum_w for i in kept_on):
            shares = _with_minimum(s, strategy, able, _that_fit(s, kept_on), ungated[1])
        if any(0.0 < power < c.minimum_w - POWER_TOLERANCE_W for c, power in zip(claims, shares[0], strict=True)):
            admitted = self._admitted(s, able)
            return _with_minimum(s, strategy, admitted, admitted, ungated[1])
        return shares

    def _admitted(self, s: Situation, able: Sequence[int]) -> list[int]:
        """The claims that are served: in order of their turn, as many minimum powers as fit."""
        room, empty, admitted, somebody_waits = Room(s.bounds), Room(s.bounds), [], False
        turn_ends = self.turns.next_change(s.now)
        for i in sorted(able, key=lambda i: self._place_in_line(s.now, s.claims[i])):
            claim = s.claims[i]
            begins = not self._is_on(claim)
            if begins and somebody_waits and s.now + self.turns.minimum_on_ms > turn_ends:
                continue
            if _fits(room, claim):
                room.take(claim, claim.minimum_w)
                admitted.append(i)
            elif begins and _fits(empty, claim):
                somebody_waits = True
        return sorted(admitted)

    def _with_leftovers(self, s: Situation, powers: list[float]) -> list[float]:
        """What whole steps have left over, to who waits and can begin with it, in their order."""
        waiting = [i for i, power in enumerate(powers) if power == 0.0 < s.demand_w[i] and self._may_begin(s, i)]
        room = room_after(s.bounds, s.claims, powers) if waiting else None
        for i in sorted(waiting, key=lambda i: self._place_in_line(s.now, s.claims[i])):
            assert room is not None
            claim = s.claims[i]
            power = step_below(claim, room.headroom(claim, settable(claim, s.demand_w[i]))[0])
            if power > 0.0 and power >= claim.minimum_w:
                room.take(claim, power)
                powers[i] = power
        return powers

    def _may_begin(self, s: Situation, i: int) -> bool:
        """Whether a claim is neither resting nor would outlast this turn with its minimum time on."""
        outlasts = s.now + self.turns.minimum_on_ms > self.turns.next_change(s.now)
        return not outlasts and not self._is_kept_off(s.now, self._turn.get(s.claims[i].id))

    def _place_in_line(self, now: Instant, claim: Claim) -> tuple[int, int, int, Instant, str]:
        """Who must stay on, then (by classes, if so): who has the turn, who waits (longest first), who had it."""
        turn = self._turn.get(claim.id)
        rank = -claim.priority if self._by_class else 0
        if turn is None or not turn.on:
            return (1, rank, 1, turn.since if turn is not None else claim.arrived_at, claim.id)
        if self._is_kept_on(now, claim):
            return (0, rank, 0, turn.since, claim.id)
        if self.turns.number(turn.turn_since) == self.turns.number(now):
            return (1, rank, 0, turn.since, claim.id)
        return (1, rank, 2, -turn.since, claim.id)

    def _is_on(self, claim: Claim) -> bool:
        turn = self._turn.get(claim.id)
        return turn is not None and turn.on

    def _is_kept_on(self, now: Instant, claim: Claim) -> bool:
        turn = self._turn.get(claim.id)
        return turn is not None and turn.on and now - turn.since < self.turns.minimum_on_ms

    def _is_kept_off(self, now: Instant, turn: Turn | None) -> bool:
        if turn is None or turn.on or turn.turn_since == turn.since:  # who has never been served may begin at any time
            return False
        return now - turn.since < self.turns.minimum_off_ms

    def _note(self, s: Situation, powers: Sequence[float]) -> None:
        self._waiting = False
        for claim, power, demand in zip(s.claims, powers, s.demand_w, strict=True):
            on = power > 0.0
            self._waiting |= not on and demand > 0.0
            if not claim.minimum_w:
                continue
            turn = self._turn.get(claim.id)
            if turn is None:
                self._turn[claim.id] = Turn(on, s.now, s.now)
            elif turn.on != on:
                self._turn[claim.id] = Turn(on, s.now, s.now if on else turn.turn_since)
            elif on and s.now - turn.since >= self.turns.minimum_on_ms:
                turn.turn_since = s.now


def _held_by(s: Situation, powers: Sequence[float], binding: Sequence[int]) -> list[int]:
    """What holds each back: the strategy's row, or what leaves no room for the smallest raise, or that it waits."""
    held = [row if power < d else UNBOUND for power, d, row in zip(powers, s.demand_w, binding, strict=True)]
    unsaid = [i for i, row in enumerate(held) if row == UNBOUND and powers[i] < s.demand_w[i] - POWER_TOLERANCE_W]
    room = room_after(s.bounds, s.claims, powers) if unsaid else None
    for i in unsaid:
        assert room is not None
        claim = s.claims[i]
        row = room.headroom(claim, max(claim.minimum_w if powers[i] == 0.0 else claim.step_w, 1.0))[1]
        held[i] = row if row != UNBOUND else TURN
    return held


def _fits(room: Room, claim: Claim) -> bool:
    return room.headroom(claim, claim.minimum_w)[0] >= claim.minimum_w - POWER_TOLERANCE_W


def _that_fit(s: Situation, kept_on: Sequence[int]) -> list[int]:
    """Those of them, in their order, whose minimum powers fit."""
    room, fitting = Room(s.bounds), []
    for i in kept_on:
        if _fits(room, s.claims[i]):
            room.take(s.claims[i], s.claims[i].minimum_w)
            fitting.append(i)
    return fitting


def _with_minimum(
    s: Situation, strategy: Strategy, served: Sequence[int], secured: Sequence[int], ungated: Sequence[int]
) -> Shares:
    """The strategy's shares among the served claims, those of the secured ones not below their minimum.

    Who would fall below gets the minimum, and the rest is shared again among the others.
    """
    powers, binding = [0.0] * len(s.claims), list(ungated)
    sharing, to_secure, bounds = list(served), set(secured), s.bounds
    while sharing:
        part = replace(
            s, bounds=bounds, claims=[s.claims[i] for i in sharing], demand_w=[s.demand_w[i] for i in sharing]
        )
        for i, power, row in zip(sharing, *strategy(part), strict=True):
            powers[i], binding[i] = power, row
        low = [i for i in sharing if i in to_secure and powers[i] < s.claims[i].minimum_w - POWER_TOLERANCE_W]
        if not low:
            break
        for i in low:
            powers[i] = s.claims[i].minimum_w
        bounds = bounds.less([(s.claims[i], powers[i]) for i in low])
        sharing = [i for i in sharing if i not in low]
        for i in sharing:
            powers[i] = 0.0
    return powers, binding
