"""A session that asks to be woken has something to do then: no wake-up is in vain."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT
from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession
from voltbench.quantities import SECONDS_PER_HOUR

PATH = ChargingPath(200_000.0, 0.0, 0.0, 3, 0.97, 0.97)
KNEE_WH, KNEE_W = 37_500.0, 115_000.0


def a_session_just_before_a_knee(now, missing_s):
    curve = AcceptanceCurve(75_000.0, (0.0, 0.5, 1.0), (150_000.0, KNEE_W, 4_000.0))
    stored_wh = KNEE_WH - KNEE_W * missing_s / SECONDS_PER_HOUR
    session = ChargingSession("s", PATH, curve, stored_wh, 20_000.0, now)
    session.limit(now, 150_000.0)
    return session


@given(st.integers(MIDNIGHT, MIDNIGHT + 10_000_000), st.floats(0.0, 5e-6))
@example(1_783_160_766_044, 1.0398e-6)
def test_a_wakeup_ends_the_stretch_it_was_for(now, missing_s):
    session = a_session_just_before_a_knee(now, missing_s)
    woken_at = session.next_wakeup()
    session.wake(woken_at)
    assert session.is_satisfied or session.next_wakeup() > woken_at
