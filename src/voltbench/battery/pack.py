"""A pack, as a charger sees it: so much energy stored, and a curve of what it accepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from voltbench.battery.acceptance import AcceptanceCurve


@dataclass(frozen=True, slots=True)
class Pack:
    """A battery pack: its acceptance curve (which holds its usable capacity) and the energy stored in it, in Wh."""

    acceptance: AcceptanceCurve
    energy_wh: float

    @property
    def soc(self) -> float:
        """State of charge, 0 to 1."""
        return self.energy_wh / self.acceptance.capacity_wh


def charge(pack: Pack, offered_w: float, duration_s: float, target_wh: float = inf) -> tuple[Pack, float]:
    """Offer power to a pack for a while; return the pack after it and the energy drawn, in Wh.

    Charging stops at `target_wh` of stored energy, and when the pack is full.
    """
    stored_wh, _ = charged_to(pack.acceptance, pack.energy_wh, offered_w, duration_s, target_wh)
    return replace(pack, energy_wh=stored_wh), stored_wh - pack.energy_wh


def charged_to(
    acceptance: AcceptanceCurve, energy_wh: float, offered_w: float, duration_s: float, target_wh: float = inf
) -> tuple[float, float]:
    """Energy stored after an offer has stood for a while, in Wh, and the power drawn at its end, in W."""
    target_wh = min(target_wh, acceptance.capacity_wh)
    remaining_s = duration_s
    while True:
        piece = acceptance.piece(energy_wh, offered_w, target_wh)
        if piece.duration_s > remaining_s:
            return min(energy_wh + piece.energy_after(remaining_s), piece.end_wh), piece.power_after(remaining_s)
        remaining_s -= piece.duration_s
        energy_wh = piece.end_wh
