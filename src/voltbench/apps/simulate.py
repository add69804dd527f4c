"""`voltbench simulate`: a scenario, lived through under one strategy or several, and what came of it."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.reports.document import summary_json
from voltbench.adapters.reports.files import FORMATS, Format, whole_directory
from voltbench.adapters.reports.outputs import NAMES, Report, Wanted
from voltbench.adapters.reports.terminal import print_summaries
from voltbench.adapters.scenario_files import load
from voltbench.apps.progress_bars import bars
from voltbench.energy.allocate import STRATEGIES, strategy_named
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, DurationMs
from voltbench.running.scenario import Scenario, run
from voltbench.running.summary import Summary, summarize

SAMPLE_UNITS = {"s": MS_PER_SECOND, "min": MS_PER_MINUTE, "h": MS_PER_HOUR}


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(metavar="FILE|NAME", help="A scenario (TOML), a station configuration, sessions, or a name."),
    ],
    strategy: Annotated[
        str | None, typer.Option(help=f"One or more, with commas between: {', '.join(STRATEGIES)}.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare all strategies.")] = False,
    sessions: Annotated[Path | None, typer.Option(help="Sessions (CSV or JSON) instead of the scenario's own.")] = None,
    overlaps: Annotated[
        str | None, typer.Option(help="Sessions that overlap on one connector: refuse, or let the later one wait.")
    ] = None,
    grid_limit_w: Annotated[float | None, typer.Option(help="A further limit on the grid connection, in W.")] = None,
    days: Annotated[float | None, typer.Option(help="How long, instead of what the scenario says.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="What chance starts from, instead of what the scenario says.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write tables, pictures and a page in here.")] = None,
    sample: Annotated[str, typer.Option(help="Interval of the time series, 1s to 1h.")] = "1min",
    format: Annotated[str, typer.Option(help="Tables as parquet, csv, or both with a comma between.")] = "parquet",
    connectors: Annotated[bool, typer.Option("--connectors", help="A column for each connector as well.")] = False,
    plots: Annotated[bool, typer.Option(help="Whether to draw pictures and a page.")] = True,
    data: Annotated[Path, typer.Option(file_okay=False, help="Models of your own are in its catalog/.")] = Path("data"),
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON instead of a table.")] = False,
) -> None:
    """Live through a scenario and report what came of it."""
    wanted = Wanted(_formats(format), _sample_ms(sample), connectors, plots)
    if compare and strategy is not None:
        raise InvalidInput("--compare", "compares all strategies", found=strategy, allowed="--compare or --strategy")
    asked = _strategies(strategy, compare)
    signal.signal(signal.SIGTERM, _end_in_order)
    story = load(
        scenario,
        sessions=sessions,
        overlaps=overlaps,
        grid_limit_w=grid_limit_w,
        days=days,
        seed=seed,
        catalog=Catalog(data / "catalog"),
    )
    summaries = _simulated(story, asked or [story.options.strategy], out, wanted)
    if json:
        print(summary_json(summaries))
    else:
        print_summaries(Console(), summaries)
        if out is not None:
            print(f"Written to {out}: {', '.join(sorted(path.name for path in out.iterdir()))}")


def _simulated(story: Scenario, strategies: Sequence[str], out: Path | None, wanted: Wanted) -> list[Summary]:
    """Live through a scenario under each strategy; what is written appears at the end, or not at all."""
    summaries = []
    with whole_directory(out, NAMES) if out is not None else nullcontext() as folder, bars() as begin:
        report = Report(folder, wanted, len(strategies)) if folder is not None else None
        for strategy in strategies:
            outcome = run(story.with_strategy(strategy), begin(strategy))
            summaries.append(summarize(outcome))
            if report is not None:
                report.add(outcome, summaries[-1])
        if report is not None:
            report.finish()
    return summaries


def _strategies(names: str | None, compare: bool) -> list[str]:
    """The strategies asked for; none, where the scenario says which."""
    if names is None:
        return list(STRATEGIES) if compare else []
    asked = _listed(names) or [names]
    for name in asked:
        strategy_named(name)
    return list(dict.fromkeys(asked))


def _formats(names: str) -> list[Format]:
    unknown = [name for name in _listed(names) if name not in FORMATS]
    if unknown or not _listed(names):
        raise InvalidInput("--format", "is unknown", found=", ".join(unknown), allowed=", ".join(FORMATS))
    return [format for format in FORMATS if format in _listed(names)]


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _sample_ms(text: str) -> DurationMs:
    """The length that `30s`, `15min` or `1h` says."""
    match = re.fullmatch(r"(\d{1,6}) ?(s|min|h)", text.strip())
    length_ms = int(match[1]) * SAMPLE_UNITS[match[2]] if match else 0
    if not MS_PER_SECOND <= length_ms <= MS_PER_HOUR:
        raise InvalidInput("--sample", "is no interval we can sample", found=text, allowed="1s to 1h, such as 15min")
    return length_ms


def _end_in_order(number: int, _: object) -> None:
    """Told to end: leave as from an error, so that nothing half-written stays."""
    raise SystemExit(128 + number)
