"""The files of a simulation: which there are, and what goes where.

One strategy's tables and picture lie in the folder itself; of several, each has a folder of its own. `summary.json`
and `report.html` tell about all of them. What is not wanted is not even imported: the libraries behind are large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voltbench.adapters.reports.document import summary_json
from voltbench.adapters.reports.files import FORMATS, Format
from voltbench.adapters.reports.view import View, view_of
from voltbench.quantities import MS_PER_MINUTE, DurationMs
from voltbench.running.scenario import Outcome
from voltbench.running.summary import Summary

NAMES = (
    "summary.json",
    "report.html",
    "site.png",
    *(f"{table}.{format}" for table in ("timeseries", "sessions") for format in FORMATS),
)
"""What lies in the folder itself, or could."""

POINTS_OF_A_PICTURE = 1_500
POINTS_OF_A_PAGE = 12_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written: tables in which formats, sampled how often, with a column per connector; pictures."""

    formats: Sequence[Format] = ("parquet",)
    every_ms: DurationMs = MS_PER_MINUTE
    per_connector: bool = False
    plots: bool = True


@dataclass(slots=True)
class Report:
    """Writes what comes of the strategies of one simulation into a folder, one after the other."""

    folder: Path
    wanted: Wanted
    strategies: int
    _summaries: list[Summary] = field(default_factory=list)
    _views: list[View] = field(default_factory=list)

    def add(self, outcome: Outcome, summary: Summary) -> None:
        """Write the tables and the picture of one strategy, and keep what the page will show of it."""
        folder = self.folder if self.strategies == 1 else self.folder / summary.strategy
        folder.mkdir(exist_ok=True)
        _write_tables(folder, outcome, self.wanted)
        self._summaries.append(summary)
        if self.wanted.plots:
            _write_picture(folder, outcome, summary)
            self._views.append(view_of(outcome, summary, POINTS_OF_A_PAGE // min(self.strategies, 6)))

    def finish(self) -> None:
        """Write what tells about all strategies."""
        (self.folder / "summary.json").write_text(summary_json(self._summaries) + "\n", encoding="utf-8")
        if self._views:
            from voltbench.adapters.reports.page import write_page  # noqa: PLC0415  Plotly takes half a second

            write_page(self.folder / "report.html", self._views)


def _write_tables(folder: Path, outcome: Outcome, wanted: Wanted) -> None:
    from voltbench.adapters.reports import tables  # noqa: PLC0415  Arrow is not needed for a summary

    tables.write_timeseries(folder, outcome, wanted.every_ms, wanted.formats, wanted.per_connector)
    tables.write_sessions(folder, outcome, wanted.formats)


def _write_picture(folder: Path, outcome: Outcome, summary: Summary) -> None:
    from voltbench.adapters.reports.picture import write_picture  # noqa: PLC0415  Matplotlib takes a second

    write_picture(folder / "site.png", view_of(outcome, summary, POINTS_OF_A_PICTURE))
