"""How tests wait for another program: until they find something, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE_S = 30.0


def eventually(look: Callable[[], Found | None]) -> Found:
    """What a look finds, as soon as it finds something. The one place where tests wait."""
    deadline = time.monotonic() + DEADLINE_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"nothing found in {DEADLINE_S:g} s"
        time.sleep(0.02)
    return found
