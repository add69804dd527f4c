"""Somebody else at the same charger: how often that is told of, and when one gives in."""

from __future__ import annotations

from voltbench.quantities import MS_PER_HOUR, DurationMs

MOST_TOLD = 4
"""So often it is told that somebody else switched the charger."""

MOST_OVERRULED = 4
"""So often one switches on again what somebody switched off; then the other has his will, for an hour at a time."""

YIELDS_MS = MS_PER_HOUR


class Others:
    """Counts what others did."""

    def __init__(self) -> None:
        self._meddled = self._overruled = 0
        self._yields_until: DurationMs = 0

    def notice(self, ordered: bool | None, is_on: bool, at: DurationMs) -> str | None:
        """It is on or not although the last order was another one; return what there is to say of that."""
        if ordered is None or is_on == ordered:
            return None
        self._meddled += 1
        self._overruled += ordered
        if ordered and self._overruled >= MOST_OVERRULED:
            self._overruled = MOST_OVERRULED - 1
            self._yields_until = at + YIELDS_MS
        if self._meddled > MOST_TOLD:
            return None
        again = "" if self._meddled < MOST_TOLD else ", and so on: is another client at work?"
        return f"somebody switched the charger {'on' if is_on else 'off'}{again}"

    def keep_it_off(self, at: DurationMs) -> bool:
        """Whether one leaves it off then that somebody switched off again and again."""
        return at < self._yields_until

    def forget(self) -> None:
        """The clock is another one."""
        self._yields_until = 0
