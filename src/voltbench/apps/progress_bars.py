"""How far work is, shown on stderr where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def bars() -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Show how far each simulation is, on stderr if that is a terminal."""
    console = Console(stderr=True)
    look = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*look, console=console, transient=True, disable=not console.is_terminal) as progress:

        def begin(name: str) -> Callable[[float], None]:
            task = progress.add_task(name, total=1.0)
            return lambda part: progress.update(task, completed=part)

        yield begin


@contextmanager
def bar(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many are done, on stderr if that is a terminal."""
    console = Console(stderr=True)
    count = TextColumn("{task.completed:.0f} of {task.total:.0f}")
    look = (TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*look, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(words, total=total)
        yield lambda more: progress.advance(bar, more)
