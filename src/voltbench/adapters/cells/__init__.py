"""Cells, simulated by PyBaMM: the only room that imports it, and where its sign is turned. There discharging is plus.

`catalog`, `documents`, `sentences` and `asked` know cells and requests without PyBaMM; `warm` and what it is made of
need it.
"""
