"""Lower first, wait until that is certain, then raise into what is certainly free."""

from __future__ import annotations

import math

from voltbench.energy.claim import Bounds, Claim
from voltbench.energy.commit import Commitments, Confirmation, Order
from voltbench.site.limits import LimitTree, Node, Outlet


def a_site(limit_w: float = 100.0) -> tuple[Bounds, list[Claim]]:
    """Three sockets behind one limit."""
    tree = LimitTree([Node("grid")], [Outlet(name, "grid") for name in "abc"])
    tree.set_limit("grid", "contract", limit_w)
    return Bounds(tree.bounds(0), [], tree.line_groups), [Claim(n, tree.rows_of(n), 100.0) for n in "abc"]


def test_a_newcomer_waits_until_the_others_have_confirmed_that_they_draw_less() -> None:
    bounds, (a, b, _) = a_site()
    commitments = Commitments(Confirmation.REPORTED)
    first, second = commitments.join(a), commitments.join(b)
    assert commitments.raised(0, [(first, 100.0)], bounds) == [Order("a", 100.0)]
    commitments.answer("a")
    aims = [(first, 50.0), (second, 50.0)]
    assert commitments.lowered(aims) == [Order("a", 50.0)]
    assert commitments.raised(0, aims, bounds) == []
    commitments.confirm("a", 50.0)  # it has not been told yet, and may draw more again
    assert commitments.raised(0, aims, bounds) == []
    commitments.answer("a")
    commitments.confirm("a", 80.0)
    assert commitments.raised(0, aims, bounds) == [Order("b", 20.0)]
    commitments.confirm("a", 50.0)
    assert commitments.raised(0, aims, bounds) == [Order("b", 50.0)]


def test_our_own_twins_obey_at_once() -> None:
    bounds, (a, b, _) = a_site()
    commitments = Commitments()
    first, second = commitments.join(a), commitments.join(b)
    commitments.raised(0, [(first, 100.0)], bounds)
    aims = [(first, 50.0), (second, 50.0)]
    assert commitments.lowered(aims) == [Order("a", 50.0)]
    assert commitments.raised(0, aims, bounds) == [Order("b", 50.0)]


def test_a_silent_device_counts_with_its_worst_until_its_limit_expires_and_then_with_its_failsafe() -> None:
    bounds, (a, _, _) = a_site()
    commitments = Commitments(Confirmation.REPORTED)
    device = commitments.join(a, failsafe_w=10.0)
    commitments.raised(0, [(device, 60.0)], bounds)
    commitments.silence("a", valid_until=30_000)
    assert device.worst_w(29_999) == 60.0
    assert commitments.next_expiry(0) == 30_000
    assert device.worst_w(30_000) == 10.0
    commitments.confirm("a", 40.0)
    assert device.worst_w(30_001) == 60.0


def test_who_refuses_limits_counts_with_all_it_can_draw_until_its_reports_confirm_less() -> None:
    bounds, (a, b, _) = a_site()
    commitments = Commitments(Confirmation.REPORTED)
    first, second = commitments.join(a, failsafe_w=10.0), commitments.join(b)
    commitments.raised(0, [(first, 30.0)], bounds)
    commitments.answer("a")
    commitments.distrust("a", 80.0)
    for _ in range(2):
        commitments.confirm("a", 5.0)
        commitments.answer("a")
    commitments.silence("a", valid_until=1)
    assert (first.worst_w(2), commitments.fallen_back(2), commitments.silent()) == (80.0, [], [first])
    commitments.trust("a", failsafe_w=10.0)
    assert commitments.silent() == []
    for _ in range(2):  # the first tells what it drew before
        assert first.worst_w(3) == 80.0
        commitments.confirm("a", 5.0)
        commitments.answer("a")
    assert first.worst_w(3) == 30.0
    assert commitments.raised(3, [(second, 100.0)], bounds) == [Order("b", 70.0)]


def test_who_may_hold_another_limit_confirms_no_less() -> None:
    bounds, (a, _, _) = a_site()
    commitments = Commitments(Confirmation.REPORTED)
    device = commitments.join(a)
    commitments.raised(0, [(device, 30.0)], bounds)
    for held_w, worst_w in ((60.0, 60.0), (0.0, 30.0)):
        commitments.answer("a")
        commitments.still_hold("a", held_w)
        commitments.confirm("a", 5.0)
        assert device.worst_w(0) == worst_w


def test_what_is_not_a_power_is_nothing() -> None:
    bounds, (a, b, _) = a_site()
    commitments = Commitments()
    first, second = commitments.join(a), commitments.join(b)
    commitments.raised(0, [(first, 40.0)], bounds)
    assert commitments.lowered([(first, math.nan), (second, -1.0)]) == [Order("a", 0.0)]
    assert commitments.raised(0, [(second, math.nan)], bounds) == []


def test_who_has_fallen_back_is_raised_only_into_what_is_free() -> None:
    bounds, (a, b, _) = a_site()
    commitments = Commitments(Confirmation.REPORTED)
    first, second = commitments.join(a, failsafe_w=20.0), commitments.join(b)
    commitments.raised(0, [(first, 80.0)], bounds)
    commitments.silence("a", valid_until=30_000)
    assert commitments.fallen_back(29_999) == []
    assert commitments.fallen_back(30_000) == [Order("a", 20.0)]
    assert commitments.fallen_back(30_001) == []
    less = bounds.less([(a, 20.0)])
    assert commitments.raised(30_001, [(second, 100.0)], less) == [Order("b", 80.0)]
    commitments.confirm("a", 10.0)
    assert commitments.raised(30_002, [(first, 80.0)], bounds) == []


def test_a_limit_without_end_is_not_sent() -> None:
    bounds, (a, _, _) = a_site()
    commitments = Commitments()
    assert commitments.raised(0, [(commitments.join(a), math.inf)], bounds) == []
