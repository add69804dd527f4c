"""Write `catalog/drive_cycles/` from two published packages: current profiles of PyBaMM 23.9, speeds of FASTSim 3.1.

In a directory of its own, with Python 3.11:

    python3 -m pip download pybamm==23.9 --no-deps
    python3 -m venv fastsim && fastsim/bin/python -m pip install fastsim==3.1.0
    fastsim/bin/python .../tools/drive_cycles.py pybamm-23.9-*.whl

What is changed: charging is positive, power is in W, and the columns have names. The numbers are theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

CATALOG = Path(__file__).parents[1] / "src/voltbench/catalog/drive_cycles"

PYBAMM = "PyBaMM 23.9, pybamm/input/drive_cycles/{name}.csv of its wheel on PyPI"
FASTSIM = "FASTSim 3.1.0 of NREL/NLR on PyPI, Cycle.from_resource('{file}'); the schedule is the US EPA's"


@dataclass(frozen=True)
class Profile:
    """A file of PyBaMM's: what its numbers are, and how many of ours one of them is."""

    name: str
    column: str
    per_unit: float
    description: str
    credits: str = ""
    licence: str = "BSD-3-Clause (LICENCES.txt)"
    cells: int = 1


PROFILES = (
    Profile(
        "US06",
        "current_a",
        1.0,
        "US06, the EPA's aggressive driving schedule of 600 s, as current of one cell: at most 8.1 A",
    ),
    Profile(
        "UDDS",
        "current_a",
        1.0,
        "UDDS, the EPA's urban driving schedule of 1369 s, as current of one cell: at most 8.1 A",
        credits="; there from SLIDE of the University of Oxford",
    ),
    Profile(
        "WLTC",
        "power_w",
        1_000.0,
        "WLTC, the worldwide light vehicles cycle of 1800 s, as power of the pack of a car of 1500 kg and 85 kW; one "
        "cell has a 2000th of it, of a pack of 100 in series and 20 in parallel",
        credits="; there from M. Sgroi, who tells of car and pack at https://github.com/pybamm-team/PyBaMM/issues/1264",
        cells=2_000,
    ),
)

TRACES = {
    "UDDS": ("udds.csv", "UDDS, the EPA's urban driving schedule (FTP-72): 12.0 km in 1369 s, at most 25.3 m/s"),
    "HWFET": ("hwfet.csv", "HWFET, the EPA's highway fuel economy schedule: 16.5 km in 765 s, at most 26.8 m/s"),
}


def ours(text: bytes, profile: Profile) -> str:
    """A file of PyBaMM's as one of ours: they count what leaves the cell, we what goes in."""
    rows = [line.split(",") for line in text.decode().splitlines() if line and not line.startswith("#")]
    numbers = (round(0.0 - float(theirs) * profile.per_unit, 9) for _, theirs in rows)
    return table(
        ("time_s", profile.column), ((float(row[0]), number) for row, number in zip(rows, numbers, strict=True))
    )


def table(head: tuple[str, str], rows: Iterable[tuple[float, float]]) -> str:
    """Two columns as CSV, whole numbers without a point."""
    return "\n".join([",".join(head), *(f"{_short(time)},{_short(number)}" for time, number in rows), ""])


def sheet(**facts: str | int) -> str:
    """What is known of a file, as TOML."""
    return "".join(f"{name} = {fact if isinstance(fact, int) else _quoted(fact)}\n" for name, fact in facts.items())


def write(folder: Path, name: str, rows: str, **facts: str | int) -> None:
    """Write the numbers, and beside them where they are from."""
    text = rows.encode()
    (folder / f"{name}.csv").write_bytes(text)
    (folder / f"{name}.toml").write_text(sheet(**facts, sha256=sha256(text).hexdigest()), encoding="utf-8")
    print(folder / f"{name}.csv", len(text))


def main(wheel: Path) -> None:
    """Write all of them."""
    with ZipFile(wheel) as archive:
        for profile in PROFILES:
            theirs = archive.read(f"pybamm/input/drive_cycles/{profile.name}.csv")
            write(
                CATALOG,
                profile.name,
                ours(theirs, profile),
                description=profile.description,
                source=PYBAMM.format(name=profile.name) + profile.credits,
                source_sha256=sha256(theirs).hexdigest(),
                licence=profile.licence,
                cells=profile.cells,
            )
    for name, (file, description) in TRACES.items():
        cycle = import_module("fastsim").Cycle.from_resource(file).to_dict()
        write(
            CATALOG / "speeds",
            name,
            table(
                ("time_s", "speed_m_per_s"), zip(cycle["time_seconds"], cycle["speed_meters_per_second"], strict=True)
            ),
            description=description,
            source=FASTSIM.format(file=file),
            licence="Apache-2.0 (LICENCES.txt); the schedule itself is in the public domain",
        )


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
