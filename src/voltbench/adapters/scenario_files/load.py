"""Scenarios by name or by file, whatever kind of file it is."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from os.path import isfile
from pathlib import Path

from voltbench.adapters import json_text, strict
from voltbench.adapters.catalog import SUFFIX, Catalog
from voltbench.adapters.rows import csv_rows, read_bytes
from voltbench.adapters.scenario_files import toml_file
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.adapters.scenario_files.plain_files import of_sessions, of_station
from voltbench.adapters.scenario_files.sessions import begins_like_json, rows_of_json
from voltbench.adapters.toml_text import parse_toml
from voltbench.errors import InvalidInput
from voltbench.running.scenario import Scenario

STATION_KEYS = {"stationId", "gridCapacity", "chargers"}
"""What tells a station configuration from a file of sessions."""

KINDS = {"toml": "toml", "json": "json", "jsonc": "json", "csv": "csv"}
"""What files are by their suffix; others are known by how they begin."""


def load(
    path: str | Path,
    *,
    sessions: str | Path | None = None,
    strategy: str | None = None,
    seed: int | None = None,
    days: float | None = None,
    grid_limit_w: float | None = None,
    overlaps: str | None = None,
    catalog: Catalog | None = None,
) -> Scenario:
    """The scenario of a file, or one of ours by its name; what is given beside it counts instead of what the file says.

    The file is a scenario in TOML, a station configuration in JSON (with `sessions`, or arrivals as on a highway), or
    recorded sessions in CSV or JSON alone (on a site of their own, see `default_site.py`). `grid_limit_w` is a further
    limit on the grid connection, `overlaps` see `ArrivalsTable`. Raises InvalidInput that names file and field.
    """
    recording = Path(sessions) if sessions is not None else None
    changes = Changes(recording, strategy, seed, days, grid_limit_w, overlaps)
    file = _file(path)
    strict.refuse_odd_text(file.name, "file")
    content = read_bytes(file)
    with strict.within(str(file)):
        return _scenario(content, file, changes, catalog or Catalog())


def built_in() -> dict[str, Traversable]:
    """The scenarios that come with voltbench, by name."""
    folder = files("voltbench") / "catalog" / "scenarios"
    found = {file.name.removesuffix(SUFFIX): file for file in folder.iterdir() if file.name.endswith(SUFFIX)}
    return {name: found[name] for name in sorted(found)}


def _file(path: str | Path) -> Traversable:
    """The file of a path, or of a built-in scenario of that name. A file of that name counts first."""
    if isfile(path):
        return Path(path)
    ours = built_in()
    if str(path) in ours:
        return ours[str(path)]
    if Path(path).suffix or len(Path(path).parts) > 1:
        return Path(path)
    problem = "is neither a file nor a scenario of ours"
    raise InvalidInput("file", problem, found=strict.shown(str(path)), allowed=strict.like(str(path), ours))


def _scenario(content: bytes, file: Traversable, changes: Changes, catalog: Catalog) -> Scenario:
    name, _, suffix = file.name.rpartition(".")
    kind = KINDS.get(suffix.lower()) or _kind_of(content)
    if kind == "toml":
        folder = file.parent if isinstance(file, Path) else files("voltbench") / "catalog" / "scenarios"
        return toml_file.scenario_of(parse_toml(content), name or file.name, folder, changes, catalog)
    if kind == "csv":
        return of_sessions(csv_rows(content), file, changes, catalog)
    found = json_text.parse(content)
    if isinstance(found, dict) and STATION_KEYS & found.keys():
        return of_station(found, name or file.name, changes, catalog)
    return of_sessions(rows_of_json(found), file, changes, catalog)


def _kind_of(content: bytes) -> str:
    """What a file without a telling name holds, by how it begins."""
    if begins_like_json(content):
        return "json"
    first_line = content.partition(b"\n")[0]
    return "csv" if (b"," in first_line or b";" in first_line) and b"=" not in first_line else "toml"
