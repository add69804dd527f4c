"""How long planning may go on: the work that is left, counted in steps, since the core has no clock."""

from __future__ import annotations

MOST_STEPS = 30_000_000.0
"""As much work as a plan may take: 10 to 20 s of it."""
QUICK_STEPS = 3_000_000.0
"""As much of it as is kept for what is not exact, that nobody lacks what could be had: about 2 s."""


class Effort:
    """The work that is left, in steps: a step is about a look at one slot for the cars of one circuit.

    Some of it is kept back for what a plan needs that is not exact.
    """

    def __init__(self, steps: float = MOST_STEPS, *, exact: bool = True) -> None:
        self._left = steps if exact else min(steps, QUICK_STEPS)
        self._kept = min(QUICK_STEPS, self._left / 2.0) if exact else self._left

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, so that a plan may lack more than one has to."""
        return self._left <= 0.0

    @property
    def is_for_exact(self) -> bool:
        """Whether there is more left than what is kept back, so that a plan is as cheap as can be."""
        return self._left > self._kept

    def lasts(self, exact: bool) -> bool:
        """Whether there is any left for what is exact, or for what is not."""
        return self.is_for_exact if exact else not self.is_over

    def spend(self, steps: float) -> None:
        """Take away what some work comes to."""
        self._left -= steps
