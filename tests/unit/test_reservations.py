"""Reservations of one driver: which of them he uses up."""

from __future__ import annotations

import pytest

from tests.builders import MIDNIGHT
from voltbench.charging.reservation import Reservation, Reservations
from voltbench.quantities import MS_PER_HOUR

OWN = Reservation(id=1, evse=2, token="VIP", expires_at=MIDNIGHT + MS_PER_HOUR)
ANY = Reservation(id=2, evse=0, token="VIP", expires_at=MIDNIGHT + MS_PER_HOUR)


@pytest.mark.parametrize("held", [(OWN, ANY), (ANY, OWN)])
def test_who_has_reserved_an_evse_uses_that_before_one_for_any(held):
    reservations = Reservations(held)
    assert reservations.used_by(2, "VIP", None) is OWN
    assert reservations.used_by(1, "VIP", None) is ANY
