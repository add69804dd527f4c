"""Units of prices as services write them."""

from __future__ import annotations

from voltbench.adapters import strict
from voltbench.errors import InvalidInput

KWH_PER_MWH = 1_000.0


def per_kwh(price: float, unit: str, currency: str = "EUR") -> float:
    """A price per MWh, in the unit that a service names (`Eur/MWh`, `EUR / MWh`), per kWh."""
    allowed = f"{currency}/MWh"
    if unit.replace(" ", "").upper() != allowed.upper():
        raise InvalidInput("unit", "is not known", found=strict.shown(unit), allowed=allowed)
    return price / KWH_PER_MWH
