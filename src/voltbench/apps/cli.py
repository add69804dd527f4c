"""`voltbench`, the command: which commands there are, and how an error reads.

Each command is a function in a module of its own that is only imported when it is asked for, so that `--help` does
not wait for a web server or a plotting library.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from voltbench import __version__
from voltbench.errors import VoltbenchError

LONGEST_REFUSAL = 500
"""Letters of what the command line's reader says, which repeats what it was given."""

COMMANDS = {
    "simulate": "Live through a scenario and report what came of it.",
    "up": "Let charging sites live, with their API on http://HOST:PORT.",
    "csms": "Serve a CSMS: stations on ws://HOST:PORT/ID, its API on http://HOST:HTTP_PORT.",
    "fleet": "Let many stations live at a CSMS, and tell how it does.",
    "station": "Be the driver at one station: plug in, tap a tag, unplug, break something.",
    "home": "Be a home with a car, its charging station's API on http://HOST:PORT.",
    "charge": "Charge a car at a home station when it is cheap, and leave the charger off.",
    "catalog": "List the models and scenarios there are.",
}
"""Each command, a function of that name in the module of that name here, and what it does."""


def app(arguments: Sequence[str]) -> typer.Typer:
    """The command line, for these arguments: the command they name is imported, the others are only listed."""
    commands = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    commands.callback()(_voltbench)
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    for name, words in COMMANDS.items():
        function = getattr(import_module(f"voltbench.apps.{name}"), name) if name == named else _only_listed
        commands.command(name, help=words)(function)
    return commands


def main() -> None:
    """Do what the command line says. What is wrong with it is one line on stderr, and exit code 2."""
    arguments = sys.argv[1:]
    try:
        sys.exit(app(arguments)(arguments, standalone_mode=False))
    except typer.TyperException as error:
        words = error.format_message()
        _refuse(f"voltbench: {words[:LONGEST_REFUSAL].rstrip('.')}; see voltbench --help" if arguments else words)
    except VoltbenchError as error:
        _refuse(f"voltbench: {' '.join(str(error).split())}")


def _refuse(words: str) -> NoReturn:
    """Say what is wrong, or what there is where nothing was asked for."""
    print(words, file=sys.stderr)
    sys.exit(2)


def _only_listed() -> None:
    """Never called: it stands for a command that was not asked for."""


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"voltbench {__version__}")
        raise typer.Exit


def _voltbench(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version and exit.")
    ] = False,
) -> None:
    """The open bench for electric mobility: twins of the charging chain, on one clock."""
