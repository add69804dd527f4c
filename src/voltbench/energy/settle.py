"""What flows over a place's grid connection while its cars follow their steps, instant by instant.

A car that charges with its minimum for a part of a slot is not met by what the sun gives in the other part: then that
is sold or curtailed, and the car's power imported. So slots are cut wherever such a car begins and ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.schedule import TOLD_WH
from voltbench.quantities import MS_PER_HOUR, Instant

TOLD_W = 1e-3
"""Less than this is no power."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A grid connection, and what hangs on it beside cars and batteries, slot by slot.

    `buys` and `sells` are what a Wh is worth: imported, with what its carbon weighs, and exported.
    """

    edges: Floats
    load_w: Floats
    sun_w: Floats
    buys: Floats
    sells: Floats
    import_limit_w: float
    export_limit_w: float

    @property
    def hours(self) -> Floats:
        """How long each slot is."""
        hours: Floats = (self.edges[1:] - self.edges[:-1]) / MS_PER_HOUR
        return hours


class Drawn(NamedTuple):
    """An energy that is drawn with the same power for a part of a slot."""

    begins_at: Instant
    ends_at: Instant
    energy_wh: float


@dataclass(frozen=True, slots=True)
class Settled:
    """What is imported, exported, curtailed and left unserved in each slot, in Wh. No instant has two of the first."""

    bought_wh: Floats
    sold_wh: Floats
    curtailed_wh: Floats
    unserved_wh: Floats


def settled(over: Connection, steady_w: Floats, drawn: Sequence[Drawn], curtailed_w: Floats | float = 0.0) -> Settled:
    """What flows, where cars and batteries take `steady_w` all through each slot, and beside it what is `drawn`.

    What is left over is sold up to the limit, unless selling has to be paid for, and the rest is curtailed. More is
    curtailed where import pays, up to `curtailed_w`. What the import limit does not carry is unserved.
    """
    edges = np.union1d(over.edges, np.array([at for one in drawn for at in one[:2]], dtype=np.float64))
    slot = np.searchsorted(over.edges, edges[:-1], side="right") - 1
    need_w = (over.load_w - over.sun_w + steady_w)[slot]
    for begins_at, ends_at, energy_wh in drawn:
        first, last = np.searchsorted(edges, (begins_at, ends_at))
        need_w[first:last] += energy_wh * MS_PER_HOUR / (ends_at - begins_at)
    most_w = (np.maximum(over.sun_w, 0.0) + np.maximum(-over.load_w, 0.0))[slot]
    surplus_w = np.maximum(-need_w, 0.0)
    pays_w = np.where(over.buys < 0.0, curtailed_w, 0.0)[slot]
    wanted_w = np.minimum(pays_w, np.maximum(over.import_limit_w - need_w, 0.0))
    wanted_w = np.maximum(wanted_w, np.where(over.sells[slot] < 0.0, surplus_w, 0.0))
    curtails_w = np.minimum(most_w, np.maximum(wanted_w, surplus_w - over.export_limit_w))
    flow_w = need_w + curtails_w
    bought_w = np.clip(flow_w, 0.0, over.import_limit_w)
    unserved_w = np.maximum(flow_w, 0.0) - bought_w

    hours, begins = np.diff(edges) / MS_PER_HOUR, np.searchsorted(edges, over.edges[:-1])

    def told(power_w: Floats, least_wh: Floats | float) -> Floats:
        energy_wh = np.add.reduceat(power_w * hours, begins)
        return np.where(energy_wh < least_wh, 0.0, energy_wh)

    of_no_power = TOLD_W * over.hours
    return Settled(
        told(bought_w, of_no_power),
        told(np.maximum(-flow_w, 0.0), of_no_power),
        told(curtails_w, of_no_power),
        told(unserved_w, TOLD_WH),
    )
