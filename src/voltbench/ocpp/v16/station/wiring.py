"""ConnectorPhaseRotation: which phase of the grid each phase of a connector hangs on. OCPP 1.6 edition 2, section 9.1.

`R`, `S` and `T` are the grid's L1, L2 and L3. What stands for 0 lies between the grid and the station's own meter, what
stands for a connector between that and its plug; so a car's phase is led through both.
"""

from __future__ import annotations

from collections.abc import Sequence

from voltbench.charging.feed import IN_ORDER

ROTATIONS: dict[str, tuple[int, ...]] = {
    letters: tuple("RST".index(letter) for letter in letters) for letters in ("RST", "RTS", "SRT", "STR", "TRS", "TSR")
} | {"NotApplicable": IN_ORDER, "Unknown": IN_ORDER}


def rotations(parts: Sequence[str]) -> dict[int, tuple[int, ...]] | None:
    """The rotations that are said (`0.RST`, `1.STR`), by connector; None where something else is."""
    said: dict[int, tuple[int, ...]] = {}
    for connector, _, name in (part.partition(".") for part in parts):
        if not (connector.isascii() and connector.isdigit()) or name not in ROTATIONS or int(connector) in said:
            return None
        said[int(connector)] = ROTATIONS[name]
    return said


def phases_of(connector: int, parts: Sequence[str]) -> tuple[int, ...]:
    """The phases of the grid, counted from 0, that a connector's own hang on."""
    said = rotations(parts) or {}
    station = said.get(0, IN_ORDER)
    return tuple(station[phase] for phase in said.get(connector, IN_ORDER))


def usual(is_dc: Sequence[bool]) -> str:
    """What a station says of its connectors when nobody has said anything else."""
    return ",".join(f"{i}.{'NotApplicable' if dc else 'RST'}" for i, dc in enumerate(is_dc, 1))
