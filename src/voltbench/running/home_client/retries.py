"""How soon a question is asked again that a home station did not answer as agreed, and when it seems to be gone.

One failure says little: it is soon over, and the next quarter hour may be too late. So the same question is asked again
at once, and then after pauses that grow a little; how little, the length of the station's quarter hours says.
"""

from __future__ import annotations

from voltbench.chance import stream
from voltbench.quantities import MS_PER_SECOND

FIRST_S = 0.02
"""The first pause; the next ones are doubled each time, and half of each is left to chance."""

PART, SHORTEST_S, LONGEST_S = 0.05, 0.005, 1.0
"""No pause is longer than this part of a quarter hour of the station's, but for the limits of that."""

UNKNOWN_S = 0.2
"""No pause is longer as long as nobody knows how long such a quarter hour takes."""

MOST_TRIES, LONGEST_TRYING_S = 8, 4.0
"""A station is gone that failed so often in a row, or for so long."""


class Retries:
    """Counts failures in a row. All instants are seconds of our own clock. `tick_ms` is what a quarter hour takes."""

    def __init__(self, seed: int) -> None:
        self.tick_ms: float | None = None
        self.asked = self.failed = 0
        self._in_a_row = 0
        self._since_s = 0.0
        self._chance = stream(seed, "home-station", "retries")

    def answered(self) -> None:
        """The station answered as agreed."""
        self.asked += 1
        self._in_a_row = 0

    def give_up(self) -> None:
        """It did something that will not be better at once: it says nothing for long, or goes on without end."""
        self._in_a_row = MOST_TRIES - 1

    def missed(self, asked_s: float, now_s: float) -> float | None:
        """It did not answer what it was asked then; return how long to pause, or None where it seems to be gone.

        Until it answers again, nobody insists any more.
        """
        self.asked += 1
        self.failed += 1
        if self._in_a_row == 0:
            self._since_s = asked_s
        self._in_a_row += 1
        if self._in_a_row >= MOST_TRIES or now_s - self._since_s >= LONGEST_TRYING_S:
            self._in_a_row = MOST_TRIES
            return None
        pause_s = min(self._longest_s(), FIRST_S * 2.0 ** (self._in_a_row - 1))
        return pause_s * (0.5 + 0.5 * float(self._chance.random()))

    def _longest_s(self) -> float:
        if self.tick_ms is None:
            return UNKNOWN_S
        return min(LONGEST_S, max(SHORTEST_S, PART * self.tick_ms / MS_PER_SECOND))
