"""Options of the command line: what is out of range is said so."""

from __future__ import annotations

from voltbench.errors import InvalidInput


def require(holds: bool, option: str, found: object, allowed: str) -> None:
    """Raise InvalidInput for an option of which something does not hold."""
    if not holds:
        raise InvalidInput(option, "is out of range", found=found, allowed=allowed)


def require_range(option: str, found: float, least: int, most: int) -> None:
    """Raise InvalidInput for what is out of range."""
    require(least <= found <= most, option, found, f"{least} to {most}")
