"""The command line: which command is meant, and how an error reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from voltbench import __version__
from voltbench.errors import VoltbenchError

LONGEST_REFUSAL = 500
"""Letters of what the command line's reader says, which repeats what it was given."""

WRONG, INTERRUPTED = 2, 130
"""Exit codes: what was asked for cannot be; Ctrl-C."""


def command_line(arguments: Sequence[str], commands: Mapping[str, str]) -> typer.Typer:
    """The command line, for these arguments: the command they name is imported, the others are only listed."""
    line = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    line.callback()(_voltbench)
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    for name, words in commands.items():
        function = getattr(import_module(f"voltbench.apps.{name}"), name) if name == named else _only_listed
        line.command(name, help=words)(function)
    return line


def obey(line: typer.Typer, arguments: Sequence[str]) -> NoReturn:
    """Do what the command line says, and exit. What is wrong with it is one line on stderr, and exit code 2."""
    try:
        sys.exit(line(arguments, standalone_mode=False))
    except typer.TyperException as error:
        words = error.format_message()
        _refuse(f"voltbench: {words[:LONGEST_REFUSAL].rstrip('.')}; see voltbench --help" if arguments else words)
    except VoltbenchError as error:
        _refuse(f"voltbench: {' '.join(str(error).split())}")
    except (KeyboardInterrupt, typer.Abort):
        _refuse("voltbench: interrupted", INTERRUPTED)


def _refuse(words: str, code: int = WRONG) -> NoReturn:
    """Say what is wrong, or what there is where nothing was asked for."""
    print(words, file=sys.stderr)
    sys.exit(code)


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
