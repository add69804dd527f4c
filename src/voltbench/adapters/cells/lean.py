"""PyBaMM in a process that only solves: without what it imports to print, plot and report.

Two thirds of the time that `import pybamm` takes, and half of its 2,400 modules, go to a symbolic algebra that it
prints formulas with, a telemetry client, a code formatter, and the data frames of its `ProcessedVariable`. Our solves
need none of them, and whoever waits for a first result waits for the import. So the names are there while PyBaMM is
imported, with nothing behind them; afterwards they are gone, and anybody may import the real ones.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

UNUSED = (
    "black",
    "pandas",
    "posthog",
    "sympy",
    "sympy.printing",
    "sympy.printing.latex",
    "xarray",
)


class Absent:
    """What is not there: it may be named, and inherited from, but not made."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        raise NotImplementedError("this process has PyBaMM for solving only")


def import_lean() -> None:
    """Import PyBaMM, once and for all in this process, without what it does not need to solve."""
    if "pybamm" in sys.modules:
        return
    stand_ins = {name: _empty(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        import voltbench.adapters.cells.library  # noqa: F401, PLC0415  # with these names, and in no other way
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _empty(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    module.__getattr__ = _absent  # type: ignore[method-assign]
    return module


def _absent(name: str) -> type[Absent]:
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent
