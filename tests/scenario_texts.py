"""Scenarios as texts, for tests that read them."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files import built_in, load, toml_file
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.errors import InvalidInput
from voltbench.quantities import instant_of

CATALOG = Catalog()
MONDAY = instant_of(datetime(2026, 6, 1, tzinfo=UTC))
OURS_FOLDER = Path(str(built_in()["depot"])).parent
SHIFTS = (OURS_FOLDER / "depot-shifts.csv").read_text()
REAL = Path("/work/shared/data/acn_real_3d.json")

SMALL = """
[[stations]]
id = "ac"
model = "wallbox-pulsar-plus-22"
count = 3

[arrivals]
pattern = "workplace"
per_day = 5
"""


def write(folder, text, name="scenario.toml"):
    (folder / name).write_text(text)
    return folder / name


def scenario(text, folder=Path(), **changes):
    return toml_file.scenario_of(tomllib.loads(text), "test", folder, Changes(**changes), CATALOG)


def site(text):
    return scenario(text + SMALL).site


def refusal(action, *arguments, **more):
    with pytest.raises(InvalidInput) as caught:
        action(*arguments, **more)
    return caught.value


DELTA = """
[[site.lines]]
id = "secondary L1"
limit_a = 100
line = "L1"
terms = [{ of = "ab", pair = "L1-L2" }, { of = "ca", pair = "L3-L1" }]

[[site.lines]]
id = "primary L1"
limit_a = 30
terms = [{ of = "ab-1", magnitude = 0.25, angle_deg = 30 }, { of = "ca-2:1", magnitude = 0.5, angle_deg = -30 }]

[[stations]]
id = "ab"
model = "clippercreek-hcs-40"
count = 2

[[stations]]
id = "ca"
model = "clippercreek-hcs-40"
count = 2

[arrivals]
pattern = "workplace"
mix = { chevrolet-bolt-ev-66 = 1 }
"""

ACN = {
    "id": "s1", "evse": 2, "arrive_min": 480, "depart_min": 600, "kwh": 7.5,
    "capacity_kwh": 40, "init_kwh": 10, "max_kw": 6.6,
}  # fmt: skip
OURS = """\
id,vehicle,connector,arrives_at,departs_at,soc,asked_wh
a,kia-ev6-77,ac-2,2026-06-01T08:00,2026-06-01T10:00,0.3,7500
"""


def recorded(folder, sessions, name="sessions.json"):
    text = sessions if isinstance(sessions, str) else json.dumps({"sessions": sessions, "source": "us"})
    write(folder, text, name)
    toml = SMALL.replace('pattern = "workplace"\nper_day = 5', f'sessions = "{name}"')
    return load(write(folder, toml))
