"""Who counts as left short, and what of it is only arithmetic."""

from __future__ import annotations

import pytest

from tests.builders import a_scenario, a_site, a_visit
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.scenario import run
from voltbench.running.summary import summarize
from voltbench.running.visits import Ending


@pytest.mark.parametrize(("lacking_wh", "short"), [(0.0008, 0), (0.9, 0), (1.1, 1), (500.0, 1)])
def test_nobody_is_short_of_what_no_driver_could_notice_and_the_sum_stays_exact(lacking_wh: float, short: int) -> None:
    """Two hours at 20 kW are not enough by so much; the ledger and the summary tell the same."""
    visit = a_visit(stays_h=2.0, asked_wh=40_000.0)
    outcome = run(a_scenario([visit], a_site(grid_w=(40_000.0 - lacking_wh) / 2)))
    summary, (record,) = summarize(outcome), outcome.ledger
    assert record.ended_at - record.plugged_at == 2 * MS_PER_HOUR
    assert record.ending is (Ending.DEPARTED if short else Ending.SATISFIED)
    assert (summary.visits.left_short, summary.visits.satisfied) == (short, 1 - short)
    assert summary.delivery.unmet_wh == pytest.approx(lacking_wh, abs=1e-6)
