"""Randomness: one named stream per purpose, from one seed.

Adding a purpose never changes the numbers another purpose draws, so a scenario stays comparable when it grows.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """The random stream of a purpose such as `("arrivals", "workplace")`, the same for the same seed and names."""
    digest = sha256("\x1f".join(purpose).encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
