"""How the connectors of one station share what it has."""

from __future__ import annotations

from voltbench.charging.sharing import shares


def test_where_the_minimums_do_not_all_fit_the_later_ones_go_without():
    assert shares([11_000.0] * 3, [4_000.0] * 3, 10_000.0) == [5_000.0, 5_000.0, 0.0]
    assert shares([11_000.0] * 3, [8_000.0] * 3, 10_000.0) == [10_000.0, 0.0, 0.0]
