"""When meters are read by themselves."""

from __future__ import annotations

from tests.builders import MIDNIGHT
from voltbench.charging.sampling import Sampling
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR


def test_readings_by_the_clock_begin_anew_at_midnight():
    sampling = Sampling()
    sampling.by_clock(MIDNIGHT, 7 * MS_PER_HOUR, (1,))
    hours = []
    while (due := sampling.next_wakeup) is not None and due <= MIDNIGHT + 2 * MS_PER_DAY:
        assert sampling.due(due) == [(1, True)]
        hours.append((due - MIDNIGHT) // MS_PER_HOUR)
    assert hours == [7, 14, 21, 24, 31, 38, 45, 48]
