"""What is kept of a site begins with the number of its format: what a later version wrote is not misread."""

from __future__ import annotations

from voltbench.errors import InvalidInput

FORMAT = 1
"""Of journalled inputs and snapshots. A new field with a default needs no new number."""


def stamped(body: bytes) -> bytes:
    """Something to be kept, with the number of its format."""
    return bytes([FORMAT]) + body


def unstamped(kept: bytes) -> memoryview:
    """What was kept. InvalidInput when its format is not ours."""
    if kept[:1] != bytes([FORMAT]):
        raise InvalidInput("format", "is unknown", found=kept[0] if kept else None, allowed=str(FORMAT))
    return memoryview(kept)[1:]
