"""Every benchmark, one after another: prints the table and writes it to docs/benchmarks.md.

python -m benchmarks [--quick] [NAME ...]
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib import import_module

from benchmarks.figures import ROOT, Figure

NAMES = ("acn", "allocation", "site_year", "api", "store", "soak")
TITLES = {
    "acn": "A simulated day, beside ACN-Sim",
    "allocation": "Sharing a limit",
    "site_year": "A year of a site",
    "api": "The API",
    "store": "The store",
    "soak": "Endurance",
}

INTRODUCTION = """# Benchmarks

Written by `make bench` on {day} ({machine}). CPU time, medians; each peer was measured in the same run, on the same
inputs, and its answers compared with ours. The machine is shared and noisy: believe ratios more than milliseconds.

The ACN-Sim runs share one model of the world: Caltech's garage with its phasor limits, arrivals floored and departures
raised to the period, linear two-stage batteries, a controller that knows only the sockets' ratings and the energy asked
for. `RR` is ACN-Sim's round robin in steps of 0.1 A; ours is the exact max-min share.
"""


def main() -> None:
    """Run what was asked for; only a whole run is written down."""
    quick = "--quick" in sys.argv
    named = [name for name in sys.argv[1:] if not name.startswith("-")]
    unknown = sorted(set(named) - set(NAMES))
    if unknown:
        sys.exit(f"benchmarks: there is no {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    tables = {name: _measured(name, quick) for name in named or NAMES}
    if not named and not quick:
        page = ROOT / "docs" / "benchmarks.md"
        page.write_text(_page(tables))
        print(f"written to {page}")


def _measured(name: str, quick: bool) -> list[Figure]:
    figures: list[Figure] = import_module(f"benchmarks.{name}").figures(quick)
    print(f"\n{TITLES[name]}")
    for figure in figures:
        row = (figure.what, figure.ours, figure.peer, figure.ratio, figure.promise and f"(promised {figure.promise})")
        print("  " + " | ".join(part for part in row if part), flush=True)
    return figures


def _page(tables: dict[str, list[Figure]]) -> str:
    machine = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, 2 shared cores"
    parts = [INTRODUCTION.format(day=f"{datetime.now(UTC):%Y-%m-%d}", machine=machine)]
    for name, figures in tables.items():
        parts.append(f"## {TITLES[name]}\n\n| what | voltbench | peer | ratio | promised |\n|---|---|---|---|---|")
        parts += [f"| {f.what} | {f.ours} | {f.peer} | {f.ratio} | {f.promise} |" for f in figures]
        parts.append("")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
