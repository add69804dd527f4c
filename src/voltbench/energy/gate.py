"""Make shares that stations can carry out: nothing below a minimum, whole steps, and turns where not all can charge.

On AC a station offers 6 A or nothing. Where shares would fall below that, as many claims as fit are served and the
others wait; turns rotate. What minimum and steps leave over is given out again, until no raise that a station could
carry out fits any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import msgspec

from voltbench.energy.allocate import Situation, Strategy
from voltbench.energy.claim import UNBOUND, Bounds, Claim, Room, room_after
from voltbench.energy.waterfill import Shares
from voltbench.quantities import MS_PER_MINUTE, POWER_TOLERANCE_W, DurationMs, Instant
from voltbench.site.series import earliest


@dataclass(frozen=True, slots=True)
class Turns:
    """How long a turn lasts where not all can charge, and how long a session stays on or off at least."""

    rotation_ms: DurationMs = 15 * MS_PER_MINUTE
    minimum_on_ms: DurationMs = 0
    minimum_off_ms: DurationMs = 0


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
    """Applies minimum powers, steps and turns to what a strategy wants; remembers whose turn it is."""

    def __init__(self, turns: Turns | None = None) -> None:
        self.turns = turns or Turns()
        self._turn: dict[str, Turn] = {}
        self._waiting = False

    def shares(self, s: Situation, strategy: Strategy) -> Shares:
        """The strategy's shares as stations can carry them out."""
        ungated = strategy(s)
        if not any(c.minimum_w or c.step_w for c in s.claims):
            return ungated
        powers, binding = self._gated(s, strategy, ungated)
        if any(c.step_w for c in s.claims) or powers != ungated[0]:
            powers = _whole_steps(s, powers)
        self._note(s, powers)
        return powers, [
            row if power < d else UNBOUND for power, d, row in zip(powers, s.demand_w, binding, strict=True)
        ]

    def forget(self, claim_id: str) -> None:
        """A session has left."""
        self._turn.pop(claim_id, None)

    def next_turn(self, now: Instant) -> Instant | None:
        """When a turn ends while somebody waits for it."""
        if not self._waiting:
            return None
        ends = [turn.turn_since + self.turns.rotation_ms for turn in self._turn.values() if turn.on]
        ends += [turn.since + self.turns.minimum_off_ms for turn in self._turn.values() if not turn.on]
        return earliest(*(end for end in ends if end > now))

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
        too_small = any(_is_too_small(claim, power) for claim, power in zip(s.claims, ungated[0], strict=True))
        if not too_small and not any(self._is_kept_off(s.now, claim) for claim in s.claims):
            return ungated
        admitted = self._admitted(s)
        return _with_minimum(s, strategy, admitted, ungated[1])

    def _admitted(self, s: Situation) -> list[int]:
        """The claims that are served: in order of their turn, as many minimum powers as fit."""
        room = Room(s.bounds)
        admitted = []
        for i in sorted(range(len(s.claims)), key=lambda i: self._place_in_line(s.now, s.claims[i])):
            claim = s.claims[i]
            if s.demand_w[i] <= 0.0 or self._is_kept_off(s.now, claim):
                continue
            fits_w, _ = room.headroom(claim, claim.minimum_w)
            if fits_w >= claim.minimum_w - POWER_TOLERANCE_W:
                room.take(claim, claim.minimum_w)
                admitted.append(i)
        return sorted(admitted)

    def _place_in_line(self, now: Instant, claim: Claim) -> tuple[int, int, Instant, str]:
        turn = self._turn.get(claim.id)
        if turn is None:
            return (-claim.priority, 2, claim.arrived_at, claim.id)
        if not turn.on:
            return (-claim.priority, 2, turn.since, claim.id)
        if now - turn.since < self.turns.minimum_on_ms:
            return (-claim.priority, 0, turn.since, claim.id)
        has_turn = now - turn.turn_since < self.turns.rotation_ms
        return (-claim.priority, 1 if has_turn else 3, turn.turn_since, claim.id)

    def _is_kept_off(self, now: Instant, claim: Claim) -> bool:
        turn = self._turn.get(claim.id)
        return turn is not None and not turn.on and now - turn.since < self.turns.minimum_off_ms

    def _note(self, s: Situation, powers: Sequence[float]) -> None:
        self._waiting = False
        for claim, power, demand in zip(s.claims, powers, s.demand_w, strict=True):
            on = power > 0.0
            self._waiting |= not on and demand > 0.0
            turn = self._turn.get(claim.id)
            if turn is None or turn.on != on:
                self._turn[claim.id] = Turn(on, s.now, s.now)
            elif on and s.now - turn.turn_since >= self.turns.rotation_ms:
                turn.turn_since = s.now


def _is_too_small(claim: Claim, power_w: float) -> bool:
    return 0.0 < power_w < claim.minimum_w - POWER_TOLERANCE_W


def _with_minimum(s: Situation, strategy: Strategy, admitted: Sequence[int], ungated: Sequence[int]) -> Shares:
    """The strategy's shares among the admitted claims, none below its minimum.

    Who would fall below gets the minimum, and the rest is shared again among the others.
    """
    powers = [0.0] * len(s.claims)
    binding = list(ungated)
    sharing = list(admitted)
    bounds = s.bounds
    while sharing:
        part = replace(
            s, bounds=bounds, claims=[s.claims[i] for i in sharing], demand_w=[s.demand_w[i] for i in sharing]
        )
        shares, rows = strategy(part)
        low = {i for i, p in zip(sharing, shares, strict=True) if p < s.claims[i].minimum_w - POWER_TOLERANCE_W}
        if not low:
            for i, power, row in zip(sharing, shares, rows, strict=True):
                powers[i], binding[i] = power, row
            break
        for i in low:
            powers[i] = s.claims[i].minimum_w
        bounds = _less(bounds, [s.claims[i] for i in sorted(low)])
        sharing = [i for i in sharing if i not in low]
    return powers, binding


def _less(bounds: Bounds, served: Sequence[Claim]) -> Bounds:
    """Bounds after some claims have been given their minimum; line bounds by the worst angle."""
    linear, lines = bounds.linear[:], bounds.lines[:]
    for claim in served:
        for row, per_w in claim.rows.linear:
            linear[row] -= per_w * claim.minimum_w
        for subset, a_per_w in claim.rows.lines:
            lines[subset] -= abs(a_per_w) * claim.minimum_w
    return Bounds(linear, lines, bounds.groups)


# --- whole steps -----------------------------------------------------------------------------------------------------


def _whole_steps(s: Situation, powers_w: Sequence[float]) -> list[float]:
    """Powers in whole steps of each station, and what that leaves given out again: a step each, then all there is."""
    powers = [_floor_to_step(c, p) if c.step_w else p for c, p in zip(s.claims, powers_w, strict=True)]
    room = room_after(s.bounds, s.claims, powers)
    short = [i for i, power in enumerate(powers) if 0.0 < power < s.demand_w[i]]
    short.sort(key=lambda i: (powers[i] - powers_w[i], s.claims[i].id))
    raised = [i for i in short if _raise(room, s.claims[i], powers, i, s.demand_w[i], one_step=True)]
    for i in raised:
        _raise(room, s.claims[i], powers, i, s.demand_w[i], one_step=False)
    return powers


def _raise(room: Room, claim: Claim, powers: list[float], i: int, demand_w: float, one_step: bool) -> bool:
    """Give a claim one more step, or as many as fit and it wants; return whether it got any."""
    step_w = claim.step_w
    most_w = step_w if one_step and step_w else _ceil_to_step(claim, demand_w) - powers[i]
    if powers[i] + most_w > claim.maximum_w + POWER_TOLERANCE_W or most_w <= 0.0:
        return False
    fits_w = room.headroom(claim, most_w)[0]
    raise_w = _floor_to_step(claim, fits_w) if step_w else fits_w
    if raise_w <= 0.0:
        return False
    room.take(claim, raise_w)
    powers[i] += raise_w
    return True


def _floor_to_step(claim: Claim, power_w: float) -> float:
    """The largest power the station can be set to that is no more than this."""
    return power_w if not claim.step_w else floor(power_w / claim.step_w + 1e-9) * claim.step_w


def settable(claim: Claim, power_w: float) -> float:
    """The smallest power a session can be offered that lets it draw this much; nothing for nothing."""
    if power_w <= 0.0 or not (claim.minimum_w or claim.step_w):
        return power_w
    return max(_ceil_to_step(claim, power_w), claim.minimum_w)


def _ceil_to_step(claim: Claim, power_w: float) -> float:
    """The smallest power the station can be set to that holds this, up to what the path carries."""
    if not claim.step_w:
        return power_w
    return min(ceil(power_w / claim.step_w - 1e-9) * claim.step_w, _floor_to_step(claim, claim.maximum_w))
