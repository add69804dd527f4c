"""Whether a car takes no more: nothing comes although its charger is on."""

from __future__ import annotations

from voltbench.site.calendar import QUARTER_MS

LEAST_LOOKS = 3
LEAST_TICKS = 2
"""So many ticks that bring nothing are enough where energy comes with these; one may be a switch that crossed it."""

SEEMING = 0.4
"""In parts of a quarter hour: nobody plans anew any more before it is clear whether the car rests."""

LITTLE = 0.05
"""Of what the charger gives meanwhile: less than this is nothing."""


class Rest:
    """Looks at what comes into a battery whose charger is on; the time in which it is off says nothing.

    `quarters` is how many quarter hours it has been on in vain.
    """

    def __init__(self, portion_wh: float) -> None:
        self.is_certain = False
        self.quarters = 0
        self._little_wh = LITTLE * portion_wh
        self._is_whole = True
        self._from_wh: float | None = None
        self._begin(0.0)

    def look(self, energy_wh: float, was_on: bool, quarters: int, elapsed_ms: float, is_steady: bool) -> None:
        """So much is in the battery now; the charger `was_on` since the look before, so many quarter hours."""
        if self._from_wh is None or not -self._little_wh <= energy_wh - self._from_wh <= self._little_wh:
            self.forget(energy_wh)
        is_whole, self._is_whole = self._is_whole, True
        if not was_on or not is_whole:
            return
        self.quarters += quarters
        self._looks += 1
        self._ticks += quarters
        self._elapsed_ms += elapsed_ms
        is_long = self._elapsed_ms >= QUARTER_MS if is_steady else self._ticks >= LEAST_TICKS
        if is_long and self._looks >= LEAST_LOOKS:
            self.is_certain = True
            self._begin(energy_wh)  # what trickles in slowly does not add up to much

    def switched(self) -> None:
        """It was switched since the last look, so that it need not have been on all the time until the next one."""
        self._is_whole = False

    @property
    def seems(self) -> bool:
        """Whether it may turn out to rest."""
        return self.is_certain or self._ticks > 0 or self._elapsed_ms >= SEEMING * QUARTER_MS

    def forget(self, energy_wh: float) -> None:
        """Energy came, or went, or it is another start."""
        self.is_certain, self.quarters = False, 0
        self._begin(energy_wh)

    def _begin(self, energy_wh: float) -> None:
        self._from_wh = energy_wh
        self._looks = self._ticks = 0
        self._elapsed_ms = 0.0
