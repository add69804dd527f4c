"""The best of what can be made of a number, in as few looks as were asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.running.golden_section import golden_section


@given(st.floats(0.0, 10.0))
def test_the_bottom_of_a_valley_is_found(bottom: float) -> None:
    found = golden_section(lambda x: x, lambda x: abs(x - bottom), 0.0, 10.0, 20)
    assert len(found) == 20
    assert all(0.0 <= x <= 10.0 for x in found)
    assert min(abs(x - bottom) for x in found) <= 10.0 * 0.619**18


@pytest.mark.parametrize(("looks", "made"), [(0, 2), (2, 2), (3, 3), (7, 7)])
def test_nothing_is_made_twice(looks: int, made: int) -> None:
    asked: list[float] = []

    def as_asked(x: float) -> float:
        asked.append(x)
        return x

    assert golden_section(as_asked, lambda x: x, 0.0, 1.0, looks) == asked
    assert (len(asked), len(set(asked))) == (made, made)
