"""Models that are solved often are compiled: nobody waits for it, and nothing that is told changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import casadi
import pytest

from tests.waiting import eventually
from voltbench.adapters.cells import building
from voltbench.adapters.cells.machine_code import LONGEST_S, MOST_KEPT, Compiler, from_library
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.record import Record
from voltbench.battery.simulation import CurrentLoad, Model, Simulation

CC = shutil.which("cc")

pytestmark = pytest.mark.skipif(CC is None, reason="no compiler here")

DISCHARGE = Simulation(load=CurrentLoad(current_a=-5.0, duration_s=600.0), model="SPM")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling is worth it from the first solve on."""
    monkeypatch.setattr(building, "COMPILING_S_PER_STATE", 0.0)


def compiler(directory: Path, command: str | None = CC) -> Compiler:
    assert command is not None
    return Compiler(command, directory)


def squares() -> list[casadi.Function]:
    x = casadi.MX.sym("x")
    return [casadi.Function("square", [x], [x * x]), casadi.Function("cube", [x], [x**3])]


def libraries(directory: Path) -> list[Path]:
    return list(directory.glob("*.so"))


def are_the_same(one: Record, other: Record) -> bool:
    return all((one.columns[name] == column).all() for name, column in other.columns.items())


def until(is_so: Callable[[], bool]) -> None:
    eventually(lambda: is_so() or None)


def is_mapped(library: Path) -> bool:
    return str(library) in Path("/proc/self/maps").read_text()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("model", ["SPMe", "Thevenin"])
def test_a_model_that_is_solved_often_is_compiled_and_answers_the_same_to_the_bit(tmp_path: Path, model: Model):
    asked = Simulation(load=DISCHARGE.load, model=model, cell="ECM_Example" if model == "Thevenin" else "Chen2020")
    simulator = WarmSimulator(compiler=compiler(tmp_path))
    before = simulator.record(asked)
    until(lambda: len(libraries(tmp_path)) == 1)
    simulator.record(asked)
    (library,) = libraries(tmp_path)
    assert is_mapped(library)
    assert are_the_same(simulator.record(asked), before)
    until(lambda: list(tmp_path.iterdir()) == [library])


@pytest.mark.usefixtures("at_once")
def test_the_next_process_finds_it(tmp_path: Path):
    before = WarmSimulator(compiler=compiler(tmp_path)).record(DISCHARGE)
    until(lambda: len(libraries(tmp_path)) == 1)
    (library,) = libraries(tmp_path)
    made_at = library.stat().st_mtime_ns
    assert are_the_same(WarmSimulator(compiler=compiler(tmp_path)).record(DISCHARGE), before)
    assert (libraries(tmp_path), library.stat().st_mtime_ns) == ([library], made_at)


@pytest.mark.usefixtures("at_once")
def test_where_compiling_fails_models_stay_as_they_are(tmp_path: Path):
    simulator = WarmSimulator(compiler=compiler(tmp_path, "false"))
    before = simulator.record(DISCHARGE)
    until(lambda: list(tmp_path.iterdir()) == [])
    assert are_the_same(simulator.record(DISCHARGE), before)


@pytest.mark.usefixtures("at_once")
def test_a_library_that_is_none_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    before = WarmSimulator().record(DISCHARGE)
    names: list[Path] = []

    class Broken(Compiler):
        def begin(self, functions: object) -> Path:
            names.append(tmp_path / "model_broken.so")
            names[0].write_text("no library")
            return names[0]

    simulator = WarmSimulator(compiler=Broken("false", tmp_path))
    assert are_the_same(simulator.record(DISCHARGE), before)
    assert are_the_same(simulator.record(DISCHARGE), before)
    told = [record.message for record in caplog.records if record.name.startswith("voltbench.adapters.cells")]
    assert [message.partition(":")[0] for message in told] == ["a model stays as it is, not compiled"]
    assert names == [tmp_path / "model_broken.so"]


def test_a_model_that_is_solved_once_is_not_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "COMPILING_S_PER_STATE", 10.0)  # of a machine so slow that a solve seemed long
    WarmSimulator(compiler=compiler(tmp_path)).record(DISCHARGE)
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time_compiles_it_and_who_died_over_it_is_relieved(tmp_path: Path):
    library = compiler(tmp_path, "false").begin([])
    lock = library.with_suffix(".lock")
    until(lambda: list(tmp_path.iterdir()) == [])
    lock.write_text("somebody's")
    assert compiler(tmp_path).begin([]) == library
    assert list(tmp_path.iterdir()) == [lock]
    long_ago(lock)
    compiler(tmp_path, "false").begin([])
    until(lambda: list(tmp_path.iterdir()) == [])


def long_ago(path: Path) -> None:
    at = time.time() - LONGEST_S - 1.0
    os.utime(path, (at, at))


class SlowCompiler:
    """A program that does some work, and then is at it until it is let go."""

    def __init__(self, directory: Path, work: str) -> None:
        directory.mkdir()
        gate, self._begun, self.command = directory / "gate", directory / "begun", directory / "cc"
        os.mkfifo(gate)
        self._gate = os.open(gate, os.O_RDWR)
        self.command.write_text(f"#!/bin/sh\n{work}\nis_well=$?; : > {self._begun}; read _ < {gate}; exit $is_well\n")
        self.command.chmod(0o700)

    def has_begun(self) -> bool:
        return self._begun.exists()

    def let_go(self) -> None:
        os.write(self._gate, b"\n")


def test_who_is_relieved_too_early_and_who_relieves_do_not_meddle_with_each_other(tmp_path: Path):
    there = tmp_path / "models"
    there.mkdir()
    slow = SlowCompiler(tmp_path / "slow", f'{CC} "$@"')
    hasty = SlowCompiler(tmp_path / "hasty", 'for made; do :; done; rm -f "$made"; echo half > "$made"; false')
    library = compiler(there, str(slow.command)).begin(squares())
    until(slow.has_begun)
    long_ago(library.with_suffix(".lock"))
    compiler(there, str(hasty.command)).begin(squares())
    until(hasty.has_begun)
    slow.let_go()
    until(library.exists)
    made = library.read_bytes()
    assert [float(function(3.0)) for function in from_library(library, squares())] == [9.0, 27.0]
    hasty.let_go()
    until(lambda: list(there.iterdir()) == [library])
    assert library.read_bytes() == made


def test_compiled_functions_are_the_same_functions(tmp_path: Path):
    cc = compiler(tmp_path)
    library = cc.begin(squares())
    until(library.exists)
    assert [float(function(3.0)) for function in from_library(library, squares())] == [9.0, 27.0]


def test_only_the_newest_libraries_are_kept(tmp_path: Path):
    for number in range(MOST_KEPT + 5):
        old = tmp_path / f"model_{number}.so"
        old.touch()
        os.utime(old, (number, number))
    cc = compiler(tmp_path)
    library = cc.begin(squares())
    until(library.exists)
    assert len(libraries(tmp_path)) == MOST_KEPT + 1
    assert not (tmp_path / "model_4.so").exists()


def test_what_others_take_away_meanwhile_and_what_was_left_unfinished_is_no_trouble(tmp_path: Path):
    (tmp_path / "model_gone.so").symlink_to("nowhere")  # as one that is unlinked while we look
    unfinished = tmp_path / "making_1"
    unfinished.mkdir()
    os.utime(unfinished, (0, 0))
    library = compiler(tmp_path).begin(squares())
    until(library.exists)
    assert not unfinished.exists()


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path, mode: int):
    directory = tmp_path / f"voltbench-models-{os.getuid()}"
    directory.mkdir()
    directory.chmod(mode)
    asked = "from voltbench.adapters.cells.machine_code import compiler_here; print(compiler_here() is not None)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(mode == 0o700)
