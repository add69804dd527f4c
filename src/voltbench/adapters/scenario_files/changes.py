"""What the caller of `load` wants otherwise than a file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from voltbench.adapters import strict
from voltbench.adapters.scenario_files.tables import MOST_DAYS
from voltbench.energy.allocate import STRATEGIES
from voltbench.energy.control import ControlOptions
from voltbench.errors import InvalidInput
from voltbench.running.site_plan import SitePlan

OVERLAPS = ("refuse", "wait")
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Changes:
    """Another file of sessions, strategy, seed or length, or a further limit on the grid connection.

    `overlaps` says what becomes of recorded sessions that overlap on one connector. None leaves things as they are.
    """

    sessions: Path | None = None
    strategy: str | None = None
    seed: int | None = None
    days: float | None = None
    grid_limit_w: float | None = None
    overlaps: str | None = None

    def __post_init__(self) -> None:
        if self.strategy is not None:
            strict.chosen(self.strategy, STRATEGIES, "strategy")
        if self.overlaps is not None:
            strict.chosen(self.overlaps, OVERLAPS, "overlaps")
        _check("seed", self.seed, lambda seed: 0 <= seed <= _LARGEST_SEED, f"0 to {_LARGEST_SEED}")
        _check("days", self.days, lambda days: 0 < days <= MOST_DAYS, f"more than 0, up to {MOST_DAYS}")
        most_w = strict.LARGEST_NUMBER
        _check("grid_limit_w", self.grid_limit_w, lambda limit_w: 0 <= limit_w <= most_w, f"0 to {most_w:g}")

    def of_options(self, options: ControlOptions) -> ControlOptions:
        """How a site is run, with the strategy that is wanted."""
        return options if self.strategy is None else replace(options, strategy=self.strategy)

    def of_site(self, site: SitePlan) -> SitePlan:
        """The site, its grid connection limited as is wanted."""
        if self.grid_limit_w is not None:
            site.tree.set_limit(site.tree.nodes[0].id, "option", power_w=self.grid_limit_w)
        return site


def _check(field: str, found: float | None, holds: Callable[[float], bool], allowed: str) -> None:
    if found is not None and not holds(found):
        raise InvalidInput(field, "is out of range", found=strict.shown(found), allowed=allowed)
