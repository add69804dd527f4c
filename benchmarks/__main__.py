"""Every benchmark, one after another: prints the table and writes it to docs/benchmarks.md.

python -m benchmarks [--quick] [--write] [NAME ...]

With `--write` what was asked for takes its place in the page again; else only a whole run is written down.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module

from benchmarks.figures import ROOT, Figure, loop_s, machine

NAMES = ("acn", "allocation", "planning", "site_year", "packs", "cells", "api", "store", "ocpp", "soak")
TITLES = {
    "acn": "A simulated day, beside ACN-Sim",
    "allocation": "Sharing a limit",
    "planning": "Planning",
    "site_year": "A year of a site",
    "packs": "Vehicles that charge by a model of their cells",
    "cells": "Simulations of cells, beside the seed's way",
    "api": "The API",
    "store": "The store",
    "ocpp": "OCPP 1.6, on both sides",
    "soak": "Endurance",
}

AGAIN, MOST_TRIES, QUIET_S = ("allocation", "planning", "site_year", "packs", "api"), 4, 11e-3
"""Short benchmarks are run again, so often at most, until the additions take less than this before and after one."""

PAGE = ROOT / "docs" / "benchmarks.md"

INTRODUCTION = """# Benchmarks

Written by `make bench` on {day} in {minutes:.0f} min, on {machine}.

CPU time, medians; each peer was measured in the same run, on the same inputs, and its answers compared with ours. The
machine is shared and noisy, by a factor of two and more: above each table stands what 200,000 additions in plain Python
took of CPU time before and after it (9.5 ms when nobody else is there). Believe ratios more than milliseconds; beside
ACN-Sim each is the median over pairs of runs that were neighbours in time. Short benchmarks were run again while the
machine was slow, {tries} times at most, and stand here as they were when it was fastest.

The ACN-Sim runs share one model of the world: Caltech's garage with its phasor limits, arrivals floored and departures
raised to the period, linear two-stage batteries, a controller that knows only the sockets' ratings and the energy
asked for. ACN-Sim's round robin gives every car 0.1 A in turn until nobody can have more, which in the limit of small
steps is max-min: that stands beside it, and not what we call round robin. Where the peer's round robin would take many
minutes, both sides run the busiest hours of the file only, and the CPU time is that of all of them; else it is per
simulated day.
"""


@dataclass(frozen=True)
class Table:
    """The figures of one benchmark, and how fast the machine was before and after it."""

    figures: list[Figure]
    before_s: float
    after_s: float

    @property
    def slowest_s(self) -> float:
        """The slower of both."""
        return max(self.before_s, self.after_s)

    @property
    def pace(self) -> str:
        """How fast the machine was, to read."""
        return f"200,000 additions: {self.before_s * 1e3:.1f} ms before, {self.after_s * 1e3:.1f} ms after"


def main() -> None:
    """Run what was asked for; a whole run is written down."""
    options = {word for word in sys.argv[1:] if word.startswith("-")}
    named = [word for word in sys.argv[1:] if word not in options]
    if unknown := sorted({*named} - {*NAMES} | options - {"--quick", "--write"}):
        sys.exit(f"benchmarks: there is no {', '.join(unknown)}; there are: --quick, --write, {', '.join(NAMES)}")
    quick, begun = "--quick" in options, time.perf_counter()
    print(machine(), flush=True)
    tables = {name: _measured(name, quick) for name in named or NAMES}
    if not named and not quick:
        PAGE.write_text(_page(tables, time.perf_counter() - begun))
        print(f"written to {PAGE}")
    elif "--write" in options and not quick:
        for name, table in tables.items():
            _rewrite(name, table)


def _measured(name: str, quick: bool) -> Table:
    """What a benchmark finds; a short one is tried again while somebody else slows the machine down."""
    tries = 1 if quick or name not in AGAIN else MOST_TRIES
    table = min(_tried(name, quick, tries), key=lambda one: one.slowest_s)
    print(f"\n{TITLES[name]} ({table.pace})")
    for figure in table.figures:
        row = (figure.what, figure.ours, figure.peer, figure.ratio, figure.promise and f"(promised {figure.promise})")
        print("  " + " | ".join(part for part in row if part), flush=True)
    return table


def _tried(name: str, quick: bool, tries: int) -> Iterator[Table]:
    for _ in range(tries):
        before_s = loop_s()
        figures: list[Figure] = import_module(f"benchmarks.{name}").figures(quick)
        table = Table(figures, before_s, loop_s())
        yield table
        if table.slowest_s < QUIET_S:
            return


def _rewrite(name: str, table: Table) -> None:
    """Put one table in its place on the page, which is before those that come later."""
    again = f"Measured again on {datetime.now(UTC):%Y-%m-%d}. "
    introduction, *parts = re.split(r"(?m)^(?=## )", PAGE.read_text())
    sections = {part.removeprefix("## ").split("\n", 1)[0]: part for part in parts}
    sections[TITLES[name]] = _section(name, table, again)
    PAGE.write_text(introduction + "".join(sections[title] for title in TITLES.values() if title in sections))


def _section(name: str, table: Table, words: str = "") -> str:
    rows = [f"| {f.what} | {f.ours} | {f.peer} | {f.ratio} | {f.promise} |" for f in table.figures]
    head = "| what | voltbench | peer | ratio | promised |\n|---|---|---|---|---|"
    return "\n".join([f"## {TITLES[name]}\n\n{words}{table.pace.capitalize()}.\n", head, *rows, "", ""])


def _page(tables: dict[str, Table], taken_s: float) -> str:
    parts = [
        INTRODUCTION.format(
            tries=MOST_TRIES, day=f"{datetime.now(UTC):%Y-%m-%d}", minutes=taken_s / 60, machine=machine()
        )
    ]
    parts += [_section(name, table).removesuffix("\n") for name, table in tables.items()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
