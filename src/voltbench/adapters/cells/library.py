"""PyBaMM as we use it: it tells nobody that it is used, and what it warns of is ours to judge."""

from __future__ import annotations

import os

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")

import pybamm

pybamm.set_logging_level("ERROR")

__all__ = ["pybamm"]
