"""Making room for many at once: cars that charge in one slot move to another one, and those in need take their place.

That is one step of what `plan_room` searches for car by car, for as many cars as there are. It finds no ways of more
steps, and knows of no circuits.
"""

from __future__ import annotations

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats


def shift(room: Floats, taken: Floats, left: Floats, slot: int, spare: float) -> float:
    """Use what a slot has left for cars that still need some, as `plan_room` does; return what is left of it then.

    `room` and `taken` are by slot and car (T x C), `left` by car; the last two are changed.
    """
    own = np.minimum(room[slot] - taken[slot], left)
    own *= np.minimum(1.0, spare / max(float(own.sum()), NEGLIGIBLE_WH))
    taken[slot] += own
    left -= own
    spare -= float(own.sum())
    movers = np.flatnonzero(room[slot] - taken[slot] > NEGLIGIBLE_WH)
    needy = np.flatnonzero(left > NEGLIGIBLE_WH)
    if spare <= NEGLIGIBLE_WH or not len(movers) or not len(needy):
        return spare
    could = np.minimum(taken[:, movers], (room[slot] - taken[slot])[movers]).sum(axis=1)
    would = np.minimum(room[:, needy] - taken[:, needy], left[needy]).sum(axis=1)
    most = np.minimum(could, would)
    most[slot] = 0.0
    for at in np.argsort(-most, kind="stable")[: int((most > NEGLIGIBLE_WH).sum())].tolist():
        leave = np.minimum(taken[at, movers], room[slot, movers] - taken[slot, movers])
        come = np.minimum(room[at, needy] - taken[at, needy], left[needy])
        amount = min(spare, float(leave.sum()), float(come.sum()))
        if amount > NEGLIGIBLE_WH:
            leave, come = _first(leave, amount), _first(come, amount)
            taken[slot, movers] += leave
            taken[at, movers] -= leave
            taken[at, needy] += come
            left[needy] -= come
            spare -= amount
        if spare <= NEGLIGIBLE_WH:
            break
    return spare


def _first(energies: Floats, amount: float) -> Floats:
    """So much of energies, from the first one on."""
    before = np.cumsum(energies) - energies
    some: Floats = np.clip(amount - before, 0.0, energies)
    return some
