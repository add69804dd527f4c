"""The models of cells in words, for whoever lists them."""

from __future__ import annotations

MODELS = {
    "SPM": "A single particle stands for each electrode; the fastest; 58 mV (rms) from DFN at 1C for Chen2020",
    "SPMe": "The same with electrolyte: what nearly everything begins with; 5 mV from DFN at 1C, 28 mV at 2C",
    "DFN": "Doyle, Fuller and Newman's porous electrodes, with the anode's potential across the cell; the slowest",
    "Thevenin": "An equivalent circuit with one RC element, as PyBaMM's example has it",
}
"""What each model is, and when to take it."""
