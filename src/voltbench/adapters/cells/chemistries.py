"""What PyBaMM must be told of a parameter set beside its name: which options and parameters make it a cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TWO_PHASES = {"particle phases": ("2", "1")}
MSMR = {
    "open-circuit potential": "MSMR",
    "particle": "MSMR",
    "number of MSMR reactions": ("6", "4"),
    "intercalation kinetics": "MSMR",
}
HALF_CELL = {"working electrode": "positive"}

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "Bonkile2024": TWO_PHASES,
    "Chen2020_composite": TWO_PHASES,
    "MSMR_Example": MSMR,
    "Ecker2015_graphite_halfcell": HALF_CELL,
    "OKane2022_graphite_SiOx_halfcell": HALF_CELL,
    "Xu2019": HALF_CELL,
}
"""Options of the model, for sets that are not of two electrodes with one kind of particle each."""
