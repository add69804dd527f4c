"""The best of what can be made of a number, where making it takes its time: golden section."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, TypeVar

T = TypeVar("T")

_GOLDEN = (sqrt(5.0) - 1.0) / 2.0


def golden_section(
    made: Callable[[float], T], badness: Callable[[T], Any], low: float, high: float, looks: int
) -> list[T]:
    """What is made of so many numbers between two (at least two of them), ever nearer to where the least bad is.

    It is found where badness falls until there, and rises from there on.
    """
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = made(left), made(right)
    found = [at_left, at_right]
    while len(found) < looks:
        if badness(at_left) <= badness(at_right):
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = made(left)
            found.append(at_left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = made(right)
            found.append(at_right)
    return found
