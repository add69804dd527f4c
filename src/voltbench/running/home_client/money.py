"""Money as a home tells it: in öre, or whatever the hundredth part of its currency is called."""

from __future__ import annotations

SEK = "SEK"
HUNDREDTHS = {
    "SEK": "öre", "NOK": "øre", "DKK": "øre", "EUR": "cent", "GBP": "pence", "CHF": "Rp.", "PLN": "gr", "CZK": "hal.",
    "USD": "cent",
}  # fmt: skip


def hundredth(currency: str) -> str:
    """What a hundredth of it is called."""
    return HUNDREDTHS.get(currency, f"{currency}/100")


def in_words(ore: float, currency: str) -> str:
    """So many hundredths, in words."""
    return f"{ore / 100:.2f} {currency}"
