"""What a database keeps: texts without a NUL, whole numbers of 64 bits."""

from __future__ import annotations

from typing import Any

from voltbench.errors import InvalidInput

LEAST_WHOLE, LARGEST_WHOLE = -(1 << 63), (1 << 63) - 1


def require_storable(field: str, found: Any) -> None:
    """Raise InvalidInput, with the place that is wrong, for content (as JSON has it) that no database keeps."""
    if isinstance(found, dict):
        for name, member in found.items():
            require_storable(f"{field}.{name}" if field else name, member)
    elif isinstance(found, list):
        for i, member in enumerate(found):
            require_storable(f"{field}[{i}]", member)
    elif isinstance(found, str) and "\0" in found:
        raise InvalidInput(field, "has a NUL in it", allowed="any other character")
    elif isinstance(found, int) and not is_storable(found):
        raise InvalidInput(field, "is too large", found=str(found)[:40], allowed="up to 64 bits")


def is_storable(whole: int) -> bool:
    """Whether a database keeps this number."""
    return LEAST_WHOLE <= whole <= LARGEST_WHOLE


def storable(text: str) -> str:
    """A text without what no database keeps."""
    return text.replace("\0", "")
