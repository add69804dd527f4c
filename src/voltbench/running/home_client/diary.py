"""What a client has to say: notes that are kept for its report, and news for whoever listens."""

from __future__ import annotations

from voltbench.quantities import DurationMs
from voltbench.running.home.day import QUARTERS_PER_HOUR
from voltbench.running.home_client.household import Info
from voltbench.running.home_client.money import hundredth
from voltbench.running.home_client.watch import Watch


class Diary:
    """Notes, and what is new since it was asked last."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._news: list[str] = []
        self._told_hour = (0, -1)

    def note(self, watch: Watch | None, words: str) -> None:
        """Something happened, at what the station's clock shows."""
        where = "" if watch is None or watch.info is None else f"{watch.household.clock(watch.quarter_at)}  "
        self.notes.append(where + words)
        self._news.append(where + words)

    def take_news(self) -> list[str]:
        """What there is to say since it was asked last."""
        news, self._news = self._news, []
        return news

    def tell_hour(self, watch: Watch, info: Info, soc: float, wanted: bool) -> None:
        """A line for every hour."""
        at: DurationMs = watch.quarter_at
        household = watch.household
        hour = (household.days_before(at), watch.clock.of_day // QUARTERS_PER_HOUR)
        if hour == self._told_hour:
            return
        self._told_hour = hour
        price = f"{household.price_at(at):6.2f} {hundredth(household.currency)}/kWh"
        self._news.append(
            f"{household.clock(at)}  {price}  household {household.load_at(at) / 1e3:5.2f} kW  "
            f"SoC {soc * 100:5.2f} %  charger {'on' if wanted else 'off'}"
        )
