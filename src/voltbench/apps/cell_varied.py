"""What varies in a sweep, as it was typed: `ambient_degc=0,10,25`, `initial_soc=0.2:0.9:8`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from voltbench.apps.options import require_range
from voltbench.battery.sweep import MOST_POINTS, Grid, LatinHypercube, Range, Sweep
from voltbench.errors import InvalidInput

OPTION = "--over"


def varied(over: list[str], samples: int | None, seed: int) -> Sweep:
    """The sweep that is meant: every combination, or so many samples. Raises InvalidInput."""
    named = dict(_pair(text) for text in over)
    if not named:
        raise InvalidInput(OPTION, "is missing: nothing varies", allowed="NAME=0,10,25 or NAME=0:40:9")
    if samples is None:
        return Grid(over={name: _settings(name, text) for name, text in named.items()})
    require_range("--samples", samples, 1, MOST_POINTS)
    require_range("--seed", seed, 0, 2**63 - 1)
    return LatinHypercube(over={name: _range(name, text) for name, text in named.items()}, count=samples, seed=seed)


def _pair(text: str) -> tuple[str, str]:
    name, mark, settings = text.rpartition("=")
    if not (mark and name.strip() and settings.strip()):
        raise InvalidInput(OPTION, "is no name and settings", found=text, allowed="NAME=0,10,25 or NAME=0:40:9")
    return name.strip(), settings.strip()


def _settings(name: str, text: str) -> list[Any]:
    parts = text.split(":")
    if len(parts) == 3 and parts[2].strip().isdecimal():
        require_range(f"{OPTION} {name}", int(parts[2]), 1, MOST_POINTS)
        least, most = _numbers(name, parts[:2])
        spread: list[Any] = np.linspace(least, most, int(parts[2])).tolist()
        return spread
    if len(parts) > 1:
        raise InvalidInput(f"{OPTION} {name}", "is no range", found=text, allowed="from:to:count")
    return [_setting(part.strip()) for part in text.split(",")]


def _range(name: str, text: str) -> Range:
    parts = text.split(":")
    if len(parts) != 2:
        raise InvalidInput(f"{OPTION} {name}", "is no range", found=text, allowed="from:to, with --samples")
    least, most = _numbers(name, parts)
    return Range(least=least, most=most)


def _numbers(name: str, parts: list[str]) -> list[float]:
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise InvalidInput(f"{OPTION} {name}", "is no range", found=":".join(parts), allowed="numbers") from None


def _setting(text: str) -> Any:
    """A number, true, false or null; else a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text
