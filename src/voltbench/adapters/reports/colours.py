"""The colours of pictures and pages: one for each thing that power flows through, the same everywhere."""

INK = "#1f2933"
FAINT = "#66727f"
LINE = "#e4e9ee"
EMPTY = "#f7f9fb"
VEHICLES = "#3b7ddd"
LOAD = "#b4bfca"
GENERATION = "#f4b63f"
STORAGE = "#2a9d78"
STORAGE_CHARGING = "#8fd3bb"
GRID = "#1f2933"
LIMIT = "#d9423a"
PRICE = "#8a63c8"

POWER_SCALE = ("#dfe6ee", "#bcd5f7", "#6fa4ee", "#2c63c4", "#15326e")
"""From plugged in without power to the most power."""

STRATEGIES = (
    "#3b7ddd",
    "#e07b39",
    "#2a9d78",
    "#8a63c8",
    "#d9423a",
    "#b08a2e",
    "#17a2b8",
    "#c2498c",
    "#5b6b7a",
    "#7a9e1f",
)
"""One for each strategy that is compared; they repeat where there are more."""
