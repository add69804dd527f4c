"""The arrays in which plans are made: numbers, flags, and places among them; and the energy that counts as none."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.intp]

NEGLIGIBLE_WH = 1e-6
"""Less energy than this is none."""
