"""`voltbench`, the command: which commands there are, and who interrupts them before they are there.

Each command is a function in a module of its own that is only imported when it is asked for, so that `--help` does
not wait for a web server or a plotting library. Nothing is imported here that takes its time: whoever interrupts a
command while it is read is answered with a line as later on.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module

TYPE_CHECKING = False  # typing's own costs more time than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    import typer

COMMANDS = {
    "simulate": "Live through a scenario and report what came of it.",
    "up": "Let charging sites live, with their API on http://HOST:PORT.",
    "csms": "Serve a CSMS: stations on ws://HOST:PORT/ID, its API on http://HOST:HTTP_PORT.",
    "fleet": "Let many stations live at a CSMS, and tell how it does.",
    "station": "Be the driver at one station: plug in, tap a tag, unplug, break something.",
    "home": "Be a home with a car, its charging station's API on http://HOST:PORT.",
    "charge": "Charge a car at a home station when it is cheap, and leave the charger off.",
    "worker": "Do the jobs that others ask for at a PostgreSQL store: cells are simulated on every machine there is.",
    "catalog": "List the models and scenarios there are.",
    "cell": "Simulate battery cells, compare models of them, check what is asked.",
}
"""Each command, a function of that name in the module of that name here, and what it does."""

GROUPS = frozenset({"cell"})
"""Those that have commands of their own: not a function, but a command line of that name."""

USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""The signals that interrupt, and what they do in Python where nobody has said otherwise."""


def app(arguments: Sequence[str]) -> typer.Typer:
    """The command line, for these arguments: the command they name is imported, the others are only listed."""
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    commands = {name: words for name, words in COMMANDS.items() if name not in GROUPS or name != named}
    line: typer.Typer = import_module("voltbench.apps.command_line").command_line(arguments, commands)
    if named in GROUPS:
        line.add_typer(getattr(import_module(f"voltbench.apps.{named}"), named), name=named, help=COMMANDS[named])
    return line


def main() -> None:
    """Do what the command line says. What is wrong with it is one line on stderr, and exit code 2."""
    for number, usual in USUAL.items():
        if signal.getsignal(number) is usual:  # a shell lets what runs in the background take no notice of them
            signal.signal(number, _end_at_once)
    arguments = sys.argv[1:]
    line = app(arguments)
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio takes over no other one
    import_module("voltbench.apps.command_line").obey(line, arguments)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End: until a command handles signals itself, it has begun nothing that would have to be ended in order.

    An exception would be lost, or shown, where the interpreter is busy with what may not fail.
    """
    os.write(2, b"voltbench: interrupted\n")
    os._exit(128 + number)
