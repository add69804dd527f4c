"""Makes `src/voltbench/catalog/cells/` from PyBaMM's own parameter sets, by trying what goes with each of them.

    .venv/bin/python -m tools.cell_catalog [NAME ...]

A model is claimed for a set when a 1C discharge from full solves with it; ageing and heat, when a minute of it does.
What is no number of the sets themselves stands in the tables below, with where it is from.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from voltbench.adapters.cells import models
from voltbench.adapters.cells.building import Built
from voltbench.adapters.cells.chemistries import OPTIONS
from voltbench.adapters.cells.initial import InitialStates
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.parameters import HAS_FIELD, NOT_CHANGED
from voltbench.adapters.cells.plant import planted
from voltbench.adapters.cells.running import run
from voltbench.adapters.cells.variables import CIRCUIT, ELECTROCHEMICAL
from voltbench.adapters.strict import LARGEST_NUMBER
from voltbench.battery.cell import Cell
from voltbench.battery.record import Floats
from voltbench.battery.simulation import Ageing, CurrentLoad, Model, Simulation
from voltbench.battery.simulator import unheard
from voltbench.errors import VoltbenchError

FOLDER = Path(__file__).parent.parent / "src" / "voltbench" / "catalog" / "cells"
MODELS: tuple[Model, ...] = get_args(Model)
POINTS = 101

EVERY = 5
"""Of the points, where each is a search of a second; between them the voltage is a straight line."""

CHEMISTRIES = {
    "Ai2020": "lithium-ion, LCO against graphite",
    "Bonkile2024": "lithium-ion, NMC against graphite with silicon",
    "Chayambuka2022": "sodium-ion, NVPF against hard carbon",
    "Chen2020": "lithium-ion, NMC811 against graphite with SiOx",
    "Chen2020_composite": "lithium-ion, NMC811 against graphite and silicon as two materials",
    "ECM_Example": "equivalent circuit of a lithium-ion cell",
    "Ecker2015": "lithium-ion, Li(Ni0.4Co0.6)O2 against graphite",
    "Ecker2015_graphite_halfcell": "half cell, graphite against lithium",
    "MSMR_Example": "lithium-ion, NMC against graphite, by the multi-species multi-reaction model",
    "Marquis2019": "lithium-ion, LCO against graphite",
    "Mohtat2020": "lithium-ion, NMC532 against graphite",
    "NCA_Kim2011": "lithium-ion, NCA against graphite",
    "OKane2022": "lithium-ion, NMC811 against graphite with SiOx",
    "OKane2022_graphite_SiOx_halfcell": "half cell, graphite with SiOx against lithium",
    "ORegan2022": "lithium-ion, NMC811 against graphite with SiOx",
    "Prada2013": "lithium-ion, LFP against graphite",
    "Ramadass2004": "lithium-ion, LCO against graphite",
    "Sulzer2019": "lead-acid",
    "Xu2019": "half cell, NMC532 against lithium",
}

MOST_C_RATES = {
    "Chen2020": 3.0, "OKane2022": 3.0, "Marquis2019": 3.0, "ECM_Example": 3.4, "Prada2013": 4.0, "Ecker2015": 3.0,
    "NCA_Kim2011": 3.0, "Chayambuka2022": 1.4,
    "Ecker2015_graphite_halfcell": 1.0, "OKane2022_graphite_SiOx_halfcell": 1.0, "Xu2019": 1.0,
}  # fmt: skip
"""Chen2020's by the issue, and OKane2022's is that cell; ECM_Example's table ends at 340 A of 100 Ah; Chayambuka2022
and Marquis2019 as far as their papers go. The others' are ours, as is what is not here."""

MOST_C_RATE = 2.0

ELECTRODES = "it describes electrodes, and no circuit"
WHY_NOT = {
    "Sulzer2019": "it is a lead-acid cell, and the models are of ions between two insertion electrodes",
    "ECM_Example": "it describes a circuit, and no electrodes",
}


def main(names: list[str]) -> None:
    """Write the files of the sets named, or of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(pybamm.parameter_sets):
        text = toml_of(name)
        (FOLDER / f"{name}.toml").write_text(text, encoding="utf-8")
        print(name, *re.findall(r"^models.*$", text, re.MULTILINE), flush=True)


def toml_of(name: str) -> str:
    """The file of a set."""
    values = pybamm.ParameterValues(name)
    cell = known(name, values)
    return written(cell, citation(values, name))


def known(name: str, values: Any) -> Cell:
    """What is found out of a set, by trying."""
    bare = Cell(
        name=name,
        chemistry=CHEMISTRIES[name],
        capacity_ah=number_of(values, "Nominal cell capacity [A.h]"),
        lower_voltage_v=number_of(values, "Lower voltage cut-off [V]"),
        upper_voltage_v=number_of(values, "Upper voltage cut-off [V]"),
        ocv_v=(number_of(values, "Lower voltage cut-off [V]"), number_of(values, "Upper voltage cut-off [V]")),
        most_c_rate=MOST_C_RATES.get(name, MOST_C_RATE),
        models=(),
        numbers=numbers_of(values),
    )
    if name == "Sulzer2019":
        return replace(bare, why_not=dict.fromkeys(MODELS, WHY_NOT[name]))
    cell = with_voltages(bare, values)
    works, why_not = models_of(cell)
    cell = replace(cell, models=works, why_not=why_not)
    simplest = works[0]
    return replace(
        cell,
        thermal=("isothermal", "lumped") if goes(cell, model=simplest, thermal="lumped") else ("isothermal",),
        ageing=ageing_of(cell) if simplest != "Thevenin" else {},
        without=without(cell, simplest),
    )


def with_voltages(cell: Cell, values: Any) -> Cell:
    """With its open-circuit voltage, as it is at the temperature that the set was measured at, and what it holds."""
    options = OPTIONS.get(cell.name, {})
    states = InitialStates(values, options, cell.capacity_ah, 1.0)
    is_circuit = "Initial SoC" in values
    model = models.new_model("Thevenin" if is_circuit else "SPM", options)
    variable = "Open-circuit voltage [V]" if is_circuit else "Bulk open-circuit voltage [V]"
    if is_circuit:
        models.let_rest_at_the_ends(model)
    temperature_k = float(values.get("Reference temperature [K]", 298.15))
    inputs = {
        **states.at(0.5, {}).parameters,
        models.CURRENT: 0.0,
        models.AMBIENT: temperature_k,
        models.INITIAL: temperature_k,
        models.LOWER: -10.0,
        models.UPPER: 10.0,
    }
    values = values.copy()
    values.update(dict.fromkeys(inputs, "[input]"))
    built = Built(models.discretised(model, values, {}), [variable], inputs, 1e-6)

    def ocv_v(soc: float | None) -> float:
        given = {**inputs, **states.at(soc, {}).parameters}
        return float(built.solve(built.start(given), np.array([0.0, 1e-3]), given).rows[0, 0])

    socs = np.linspace(0.0, 1.0, POINTS)
    solved_at = socs[:: 1 if is_plain(options) else EVERY]
    volts = np.interp(socs, solved_at, [ocv_v(float(soc)) for soc in solved_at])
    if not is_plain(options):
        # Several materials are not quite at one potential there, which is a few mV.
        volts = np.clip(volts, cell.lower_voltage_v, cell.upper_voltage_v)
    cell = replace(cell, ocv_v=tuple(volts.tolist()), described_ocv_v=ocv_v(None))
    return replace(cell, usable_ah=usable_ah(cell, states, options))


def usable_ah(cell: Cell, states: InitialStates, options: Mapping[str, Any]) -> float:
    """Between empty and full: by the electrodes, or for several materials by a discharge so slow that nothing lags."""
    if is_plain(options):
        return states.at(1.0, {}).charge_ah
    charge_ah = solved(cell, "SPM", rate=0.005, duration_s=7 * 24 * 3600.0 * 2)["charge_ah"]
    return float(charge_ah[0] - charge_ah[-1])


def is_plain(options: Mapping[str, Any]) -> bool:
    """Whether each electrode has one kind of particle, and a potential over its stoichiometry."""
    return "particle phases" not in options and options.get("open-circuit potential") != "MSMR"


def models_of(cell: Cell) -> tuple[tuple[Model, ...], dict[str, str]]:
    """The models that solve a 1C discharge from full, and why the others do not go."""
    is_circuit = cell.name == "ECM_Example"
    works: list[Model] = []
    why_not: dict[str, str] = {}
    for model in MODELS:
        if is_circuit != (model == "Thevenin"):
            why_not[model] = WHY_NOT.get(cell.name, ELECTRODES)
            continue
        try:
            solved(cell, model, rate=1.0, duration_s=7200.0)
            works.append(model)
        except VoltbenchError as error:
            why_not[model] = f"PyBaMM does not solve a 1C discharge: {str(error).splitlines()[0][:120]}"
    return tuple(works), why_not


def solved(cell: Cell, model: Model, rate: float, duration_s: float, **asked: Any) -> Mapping[str, Floats]:
    """Columns of a discharge from full, which must end by itself or in time."""
    load = CurrentLoad(current_a=-rate * cell.capacity_ah, duration_s=duration_s)
    simulation = Simulation(load=load, model=model, cell=cell.name, **asked)
    done = run(planted(simulation, cell), simulation, cell, unheard)
    return done.columns


def goes(cell: Cell, **asked: Any) -> bool:
    """Whether a minute of 1C solves."""
    try:
        solved(cell, rate=1.0, duration_s=60.0, **asked)
    except (VoltbenchError, KeyError, NotImplementedError, pybamm.OptionError, pybamm.ModelError):
        return False
    return True


def ageing_of(cell: Cell) -> dict[str, tuple[str, ...]]:
    """For each way of ageing, the words that the set has parameters for."""
    found = {}
    for name, kind in get_type_hints(Ageing).items():
        words = get_args(kind)
        works = tuple(
            word for word in words if word != "none" and goes(cell, model="SPM", ageing=Ageing(**{name: word}))
        )
        if works:
            found[name] = works
    return found


def without(cell: Cell, model: Model) -> tuple[str, ...]:
    """Outputs that it cannot have."""
    known = CIRCUIT if model == "Thevenin" else ELECTROCHEMICAL
    have = models.new_model(model, OPTIONS.get(cell.name, {})).variables
    free = {"soc", "power_w", "resistance_ohm", "energy_wh", "step", "cycle", "ocv_v"}
    lacking = [
        name for name in ELECTROCHEMICAL if name not in free and (name not in known or known[name].name not in have)
    ]
    return tuple(lacking)


def numbers_of(values: Any) -> dict[str, float]:
    """Its numbers, by name; not those that a request says elsewhere, or that nobody may change."""
    found = {}
    for name in sorted(values.keys()):
        number = values[name]
        is_number = isinstance(number, int | float | np.number) and not isinstance(number, bool)
        if (
            is_number
            and abs(number) <= LARGEST_NUMBER
            and ("[" in name or is_bare_number(name))
            and name not in HAS_FIELD | NOT_CHANGED
        ):
            found[name] = float(number)
    return found


def is_bare_number(name: str) -> bool:
    """Whether a name without a unit is one of a number all the same."""
    return any(word in name for word in ("fraction", "porosity", "number", "coefficient", "ratio", "exponent", "SoC"))


def number_of(values: Any, name: str) -> float:
    """A number of the set."""
    return float(values[name])


def citation(values: Any, name: str) -> str:
    """The papers that a set names, by PyBaMM's own list, and PyBaMM itself."""
    text = (files("pybamm") / "CITATIONS.bib").read_text(encoding="utf-8")
    told = []
    for key in values.get("citations", None) or []:
        entry = re.search(rf"@\w+\{{{re.escape(key)},(.*?)\n\}}", text, re.S)
        if entry is None:
            continue
        parts = {
            part: re.sub(r"[{}\\\n]+\s*", "", found)
            for part, found in re.findall(r"(\w+)\s*=\s*\{(.*?)\},?\n", entry[1] + "\n", re.S)
        }
        authors = parts.get("author", "").split(" and ")[0].split(",")[0]
        told.append(
            f"{authors} et al., {parts.get('title', '')}, {parts.get('year', '')}"
            + (f", doi:{parts['doi']}" if "doi" in parts else "")
        )
    return "; ".join([*told, f"PyBaMM {pybamm.__version__}, parameter set {name}"])


def written(cell: Cell, source: str) -> str:
    """The file's text."""
    usable = cell.usable_ah if cell.usable_ah is not None else cell.capacity_ah
    described = cell.described_ocv_v if cell.described_ocv_v is not None else cell.upper_voltage_v
    lines = [
        "# Made by tools/cell_catalog.py; not by hand.",
        f"chemistry = {json.dumps(cell.chemistry)}",
        f"source = {json.dumps(source, ensure_ascii=False)}",
        f"capacity_ah = {cell.capacity_ah!r}",
        f"usable_ah = {float(usable):.6g}",
        f"lower_voltage_v = {cell.lower_voltage_v!r}",
        f"upper_voltage_v = {cell.upper_voltage_v!r}",
        f"described_ocv_v = {described:.6f}",
        f"most_c_rate = {cell.most_c_rate!r}",
        f"least_degc = {cell.least_degc!r}",
        f"most_degc = {cell.most_degc!r}",
        f"models = {json.dumps(list(cell.models))}",
        f"thermal = {json.dumps(list(cell.thermal))}",
        f"without = {json.dumps(list(cell.without))}",
        f"ocv_v = [{', '.join(f'{volts:.5f}' for volts in cell.ocv_v)}]",
    ]
    for title, table in (("why_not", cell.why_not), ("ageing", cell.ageing), ("numbers", cell.numbers)):
        if table:
            lines += ["", f"[{title}]"]
            lines += [f"{json.dumps(name)} = {json.dumps(found)}" for name, found in table.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
