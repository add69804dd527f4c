"""A linear or mixed-integer program, put together in blocks of columns and rows.

It is minimised in levels: first what must be as little as can be (`first`, sum after sum), then, with that kept, the
costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltbench.energy.arrays import Flags, Floats

Columns = NDArray[np.int32]

SOMETHING = 1e-6
"""Less than this is nothing."""
LATER = 1e-3
"""What later sums weigh beside one, where they may: so that often nothing is left of them that could be less."""
NO_COLUMNS: Columns = np.zeros(0, dtype=np.int32)
NO_SWITCHES: dict[str, Any] = {
    "switched": NO_COLUMNS,
    "excess": NO_COLUMNS,
    "floor": np.zeros(0),
    "floor_row": NO_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Model:
    """A finished program. Entries are those of a matrix by columns: where each begins, their rows and factors.

    `whole` columns are whole numbers. Those `switched` are something or nothing; one that is something, and its
    `excess`, come to its `floor` at least, which its row says (`floor_row`). Where each of them is nothing or has its
    floor, the `idle` columns may be nothing, whatever the `idle_rows` say. `first` are the columns whose sums
    are minimised before the costs, one sum after the other: each has a turn.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    start: Columns
    index: Columns
    factor: Floats
    whole: Flags
    switched: Columns
    excess: Columns
    floor: Floats
    floor_row: Columns
    idle: Columns
    idle_rows: Columns
    first: tuple[Columns, ...]

    @property
    def has_choices(self) -> bool:
        """Whether anything in it is a whole number, or something or nothing."""
        return bool(self.whole.any() or len(self.switched))

    @property
    def turns(self) -> int:
        """How many times something is minimised before the costs are."""
        return len(self.first)

    def weights(self, turn: int, later: float = 0.0) -> Floats:
        """What each column weighs in a turn, in which later ones may count a little; after the last, what it costs."""
        if turn == self.turns:
            return self.cost
        weights = np.zeros(len(self.cost))
        weights[self.first[turn]] = 1.0
        for after, columns in enumerate(self.first[turn + 1 :], 1):
            weights[columns] = later * (1.0 - 0.5 * after / self.turns)  # mostly that decides between them already
        return weights

    def relaxed(self) -> Model:
        """The same without choices: every number is as good as a whole one, and floors are none."""
        upper, row_lower, row_upper = self.upper.copy(), self.row_lower.copy(), self.row_upper.copy()
        upper[self.excess] = upper[self.idle] = 0.0
        row_lower[self.floor_row] = row_lower[self.idle_rows] = -np.inf
        row_upper[self.idle_rows] = np.inf
        made, no_whole = replace(self, upper=upper, row_lower=row_lower, row_upper=row_upper), np.zeros_like(self.whole)
        return replace(made, whole=no_whole, **NO_SWITCHES)

    def chosen(self, like: Floats) -> Model:
        """The same where the choices are those of these columns."""
        number, is_on = np.round(like), like[self.switched] > SOMETHING
        lower, upper = np.where(self.whole, number, self.lower), np.where(self.whole, number, self.upper)
        upper[self.switched[~is_on]] = upper[self.excess[~is_on]] = 0.0
        row_lower = self.row_lower.copy()
        row_lower[self.floor_row] = np.where(is_on, self.floor, -np.inf)
        no_whole = np.zeros_like(self.whole)
        return replace(self, lower=lower, upper=upper, row_lower=row_lower, whole=no_whole, **NO_SWITCHES)

    def is_kept_by(self, columns: Floats) -> bool:
        """Whether these make every choice, and need no excess."""
        apart = np.abs(columns - np.round(columns))[self.whole]
        some = columns[self.switched]
        few = (some > SOMETHING) & (some < self.floor - SOMETHING)
        return bool((apart <= SOMETHING).all() and not few.any())


class Program:
    """A program that is to be minimised. Columns and rows are told apart by the numbers that they were given."""

    def __init__(self) -> None:
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._cost: list[Floats] = []
        self._whole: list[Flags] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._entries: list[tuple[Columns, Columns, Floats]] = []
        self._switched: list[tuple[Columns, Columns, Floats, Columns]] = []
        self._idle: tuple[list[Columns], list[Columns]] = [NO_COLUMNS], [NO_COLUMNS]
        self._first: list[Columns] = []
        self._columns = self._rows = 0

    def columns(
        self, count: int, lower: ArrayLike = 0.0, upper: ArrayLike = np.inf, cost: ArrayLike = 0.0, whole: bool = False
    ) -> Columns:
        """More columns between bounds, each with its cost; `whole` ones are whole numbers."""
        for kept, given in ((self._lower, lower), (self._upper, upper), (self._cost, cost)):
            kept.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (count,)))
        self._whole.append(np.full(count, whole))
        self._columns += count
        return np.arange(self._columns - count, self._columns, dtype=np.int32)

    def rows(self, count: int, lower: ArrayLike, upper: ArrayLike) -> Columns:
        """More rows, each of which lies between bounds."""
        for kept, given in ((self._row_lower, lower), (self._row_upper, upper)):
            kept.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (count,)))
        self._rows += count
        return np.arange(self._rows - count, self._rows, dtype=np.int32)

    def enter(self, rows: Columns, columns: Columns, factors: ArrayLike) -> None:
        """Each row gets a column, times a factor."""
        self._entries.append((rows, columns, np.broadcast_to(np.asarray(factors, dtype=np.float64), rows.shape)))

    def switched(self, columns: Columns, floor: Floats) -> Columns:
        """Make columns something or nothing; return what each that is something lacks of its floor.

        Their upper bounds are finite, and their lower ones 0.
        """
        excess = self.columns(len(columns), 0.0, floor)
        rows = self.rows(len(columns), 0.0, np.inf)
        self.enter(rows, columns, 1.0)
        self.enter(rows, excess, 1.0)
        self._switched.append((columns, excess, floor, rows))
        return excess

    def only_for_switched(self, columns: Sequence[Columns], rows: Sequence[Columns]) -> None:
        """These columns may be nothing, and these rows tell nothing, where all that is switched makes its choice."""
        for kept, given in zip(self._idle, (columns, rows), strict=True):
            kept.extend(given)

    def first(self, columns: Columns) -> None:
        """The sum of these columns is minimised after those that were named before, and before any cost.

        It is then kept as it was found. None of these columns may be below zero.
        """
        if len(columns):
            self._first.append(columns)

    def finished(self) -> Model:
        """All of it."""
        rows, columns, factors = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        order = np.argsort(columns, kind="stable")
        parts = [np.concatenate(part) for part in zip(*self._switched, strict=True)]
        switches = dict(zip(NO_SWITCHES, parts, strict=True)) if parts else NO_SWITCHES
        return Model(
            cost=np.concatenate(self._cost),
            lower=np.concatenate(self._lower),
            upper=np.concatenate(self._upper),
            row_lower=np.concatenate(self._row_lower),
            row_upper=np.concatenate(self._row_upper),
            start=np.searchsorted(columns[order], np.arange(self._columns + 1)).astype(np.int32),
            index=rows[order],
            factor=factors[order],
            whole=np.concatenate(self._whole),
            idle=np.concatenate(self._idle[0]),
            idle_rows=np.concatenate(self._idle[1]),
            first=tuple(self._first),
            **switches,
        )
