"""Expressions of BPX documents, read without trust: numbers, `x`, `+ - * / **`, `exp`, `tanh`, `cosh`, and brackets.

They end up as Python code in `bpx` and PyBaMM. So what is not in that list is refused, and powers of powers too:
`9**9**9` is short, and nobody waits for its end.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from voltbench.adapters.strict import shown
from voltbench.battery.record import Floats
from voltbench.errors import InvalidInput

LONGEST = 2_000
DEEPEST = 30
MOST_POWER = 50.0
LARGEST_NUMBER = 1e100

ALLOWED = "numbers, x, + - * / **, exp, tanh, cosh and brackets"

FUNCTIONS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "tanh": np.tanh, "cosh": np.cosh}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}


def read_expression(text: str, place: str) -> Callable[[Floats], Floats]:
    """The function of x that a text describes. Raises InvalidInput that names the place.

    What becomes of a division by zero and its like is for whoever calls it to say: `numpy.errstate`.
    """
    if len(text) > LONGEST:
        raise InvalidInput(place, "is too long for an expression", found=len(text), allowed=f"{LONGEST} letters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _check(tree, DEEPEST)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        problem = str(error) if type(error) is ValueError else "cannot be read"
        raise InvalidInput(place, f"is no expression: {problem}", found=shown(text), allowed=ALLOWED) from None

    def at(x: Floats) -> Floats:
        try:
            found = _worked_out(tree, np.asarray(x, dtype=np.float64))
        except RecursionError:  # whoever calls may be deeper in calls than we are
            raise InvalidInput(place, "is too long a sum", found=shown(text)) from None
        return np.broadcast_to(np.asarray(found, dtype=np.float64), np.shape(x))

    return at


def _check(node: ast.expr, deepest: int) -> None:
    if deepest == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        if isinstance(node.op, ast.Pow):
            _check_power(node)
        # A sum of many terms leans to the left, and is not deep for whoever wrote it.
        _check(node.left, deepest if isinstance(node.left, ast.BinOp) else deepest - 1)
        _check(node.right, deepest - 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        _check(node.operand, deepest - 1)
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise ValueError("it calls what is not known")
        if len(node.args) != 1 or node.keywords:
            raise ValueError("its functions have one argument")
        _check(node.args[0], deepest - 1)
    elif not _is_atom(node):
        raise ValueError(f"it has a part that is not allowed: {shown(ast.unparse(node))}")


def _is_atom(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "x"
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return False
    if abs(node.value) > LARGEST_NUMBER:  # type: ignore[arg-type]
        raise ValueError(f"it has a number above {LARGEST_NUMBER:g}")
    return True


def _check_power(node: ast.BinOp) -> None:
    exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    if not isinstance(exponent, ast.Constant) or type(exponent.value) not in (int, float):
        raise ValueError("an exponent is no number")
    if abs(exponent.value) > MOST_POWER:  # type: ignore[arg-type]
        raise ValueError(f"an exponent is above {MOST_POWER:g}")
    if any(isinstance(part, ast.Pow) for part in ast.walk(node.left)):
        raise ValueError("it has a power of a power")


def _worked_out(node: ast.expr, x: Floats) -> Any:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_worked_out(node.left, x), _worked_out(node.right, x))
    if isinstance(node, ast.UnaryOp):
        found = _worked_out(node.operand, x)
        return -found if isinstance(node.op, ast.USub) else found
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return FUNCTIONS[node.func.id](_worked_out(node.args[0], x))
    return float(node.value) if isinstance(node, ast.Constant) else x  # type: ignore[arg-type]
