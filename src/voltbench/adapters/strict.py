"""From plain tables (of TOML or JSON) to structs: nothing is guessed, and every refusal names the field.

A field is named by its path, as in `stations[2].model`. Numbers are numbers: texts, `true`, `nan` and `inf` are not.
A text stands in one line, without control characters, so that it can be told in a log and on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, time
from difflib import get_close_matches
from math import inf
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from voltbench.errors import InvalidInput

LARGEST_NUMBER = 1e15
"""Beyond this no figure of a charging site means anything, and sums would lose their watts."""

FINITE = f"finite numbers from {-LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}"
ENDLESS_NUMBER = "has a number of thousands of digits in it"

CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
"""As in a regex's brackets: what moves a cursor, ends a line or a C string, turns the reading direction or cannot be
seen, but is no letter or sign. (What joins letters in some scripts is one.)"""

_CONTROL = re.compile(f"[{CONTROL_CHARACTERS}]")

Struct = TypeVar("Struct")


def convert(table: Any, model: type[Struct], place: str = "", prose: Collection[str] = ()) -> Struct:
    """The struct that a table describes. Raises InvalidInput for what is missing, unknown, or not allowed there.

    The texts of fields that hold `prose` may have several lines.
    """
    refuse_odd_values(table, place, prose)
    try:
        with at(place):
            return msgspec.convert(table, model)
    except msgspec.ValidationError as error:
        refusal = _in_our_words(str(error), table, inspect.type_info(model))
        raise under(place, refusal) from error


@contextmanager
def at(place: str) -> Iterator[None]:
    """Whatever is refused inside is refused at this place; errors of another file keep theirs."""
    try:
        yield
    except InvalidInput as error:
        if not place or error.source:
            raise
        raise under(place, error) from error


@contextmanager
def within(source: str) -> Iterator[None]:
    """Whatever is refused inside is refused in this file; errors of another file keep theirs."""
    try:
        yield
    except InvalidInput as error:
        raise error if error.source else error.within(source) from error


def under(place: str, error: InvalidInput) -> InvalidInput:
    """The same refusal, with its field below a place."""
    dot = "." if place and error.field and not error.field.startswith("[") else ""
    return InvalidInput(f"{place}{dot}{error.field}", error.problem, found=error.found, allowed=error.allowed)


def chosen(name: str, known: Collection[str], field: str, problem: str = "is unknown") -> str:
    """The name, if it is one of those known. Raises InvalidInput with the names that are spelled like it."""
    if name in known:
        return name
    raise InvalidInput(field, problem, found=shown(name), allowed=like(name, known))


def like(name: str, known: Iterable[str]) -> str:
    """The known names for a person to choose from, those spelled like what was written first."""
    names = list(known)
    close = get_close_matches(name, names, n=3)
    if len(names) > 20:
        return ", ".join(close or [*names[:10], "..."])
    return ", ".join([*close, *(n for n in names if n not in close)])


def refuse_odd_values(tree: Any, place: str = "", prose: Collection[str] = ()) -> None:
    """Raise InvalidInput for numbers that are not finite or absurdly large, and texts and keys nobody can print."""
    waiting: list[tuple[str, Any]] = [(place, tree)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, dict):
            for key in found:
                refuse_odd_key(key, path)
            waiting += [(f"{path}.{key}".removeprefix("."), part) for key, part in found.items()]
        elif isinstance(found, list):
            waiting += [(f"{path}[{i}]", part) for i, part in enumerate(found)]
        elif isinstance(found, str):
            refuse_odd_text(re.sub(r"[\n\t]", " ", found) if path in prose else found, path)
        elif isinstance(found, int | float) and not -LARGEST_NUMBER <= found <= LARGEST_NUMBER:
            allowed = FINITE if abs(found) < inf else "finite numbers"
            raise InvalidInput(path or "number", "is not a usable number", found=shown(found), allowed=allowed)


def refuse_odd_key(key: str, place: str) -> None:
    """Raise InvalidInput for a name of a field that would not fit into a line of text."""
    if not key.isprintable() or len(key) > 200:
        raise InvalidInput(place or "text", "has a key that is no name", found=shown(key), allowed="words")


def refuse_odd_text(text: str, place: str) -> None:
    """Raise InvalidInput for half a letter (a surrogate alone) and for control characters: a NUL, an escape ..."""
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise InvalidInput(place or "text", "is not Unicode text", found=shown(text))
    if _CONTROL.search(text):
        problem = "has a control character in it"
        raise InvalidInput(place or "text", problem, found=shown(text), allowed="letters, digits, signs and spaces")
    if text and text.isspace():
        raise InvalidInput(place or "text", "is blank", found=text, allowed="letters, digits, signs")


def shown(found: Any) -> Any:
    """What was found, short enough for one line."""
    if isinstance(found, dict):
        return "a table"
    if isinstance(found, list):
        return f"a list of {len(found)}"
    if isinstance(found, str):
        return found if len(found) <= 60 else found[:57] + "..."
    if isinstance(found, int) and abs(found) > LARGEST_NUMBER:
        return f"a number of about {found.bit_length() * 3 // 10 + 1} digits"
    if isinstance(found, date | time):
        return found.isoformat()
    return "null" if found is None else found


# --- what msgspec says, in our words ---------------------------------------------------------------------------------

TYPE_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "a text in quotes",
}
"""What msgspec calls the types of a file, and what a person does."""

_CONSTRAINT = re.compile(r"Expected `(\w+)` (of length )?([<>]=?|matching regex) (.*)")
_SIGNS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "matching regex": "matching"}


def _in_our_words(message: str, table: Any, info: inspect.Type) -> InvalidInput:
    """What msgspec says ("Expected `float`, got `str` - at `$.ac.efficiency`") as field, finding and permission."""
    problem, _, place = message.partition(" - at `$")
    place, is_in_dict, _ = place.partition("[...]")
    steps = [name or int(index) for name, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)]
    if is_in_dict and (refusal := _in_an_entry(steps, table, info)) is not None:
        return refusal
    words = re.findall(r"`(.*?)`", problem)
    if "missing required field" in problem:
        return InvalidInput(_dotted([*steps, words[0]]), "is missing")
    if "unknown field" in problem:
        fields = list(_fields(_types_at(steps, info, table)))
        return InvalidInput(_dotted([*steps, words[0]]), "is unknown", allowed=like(words[0], fields))
    allowed = _allowed(problem, words, _types_at(steps, info, table))
    return InvalidInput(_dotted(steps), "is not allowed", found=shown(_found(steps, table)), allowed=allowed)


def _in_an_entry(steps: Sequence[str | int], table: Any, info: inspect.Type) -> InvalidInput | None:
    """What is wrong in an entry of the dict there, which msgspec does not name; None if it is a name."""
    kinds = [t.value_type for t in _types_at(steps, info, table) if isinstance(t, inspect.DictType)]
    structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
    for name, entry in _found(steps, table).items() if structs else ():
        try:
            msgspec.convert(entry, structs[0].cls)
        except msgspec.ValidationError as error:
            return under(_dotted([*steps, name]), _in_our_words(str(error), entry, structs[0]))
    return None


def _allowed(problem: str, words: Sequence[str], types: Sequence[inspect.Type]) -> str:
    literals = [str(choice) for t in types if isinstance(t, inspect.LiteralType) for choice in t.values]
    if literals:
        return ", ".join(literals)
    constraint = _CONSTRAINT.match(problem)
    if constraint is not None:
        kind, length, sign, bound = constraint.groups()
        unit = {"array": " long", "str": " letters"}.get(kind, "") if length else ""
        return f"{TYPE_WORDS.get(kind, kind)}, {_SIGNS[sign]} {bound.removesuffix('.0')}{unit}"
    if problem.startswith("Expected") and words:
        return " or ".join(TYPE_WORDS.get(word, word) for word in words[0].split(" | ") if word != "null")
    return problem


def _dotted(steps: Iterable[str | int]) -> str:
    """A path as people write it: `connectors[0].type`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _found(steps: Sequence[str | int], table: Any) -> Any:
    for step in steps:
        table = table[step]
    return table


def _types_at(steps: Sequence[str | int], info: inspect.Type, table: Any) -> list[inspect.Type]:
    """What may stand at a path: of structs that are told apart by a tag, the one that the table there has."""
    types = _meant(_alternatives([info]), table)
    for number, step in enumerate(steps, 1):
        if isinstance(step, int):
            lists = (inspect.ListType, inspect.VarTupleType)
            types = _alternatives([t.item_type for t in types if isinstance(t, lists)])
        else:
            structs = [t for t in types if isinstance(t, inspect.StructType)]
            tags = tuple(t.tag for t in structs if t.tag_field == step and isinstance(t.tag, str))
            fields = [f.type for t in structs for f in t.fields if f.encode_name == step]
            types = _alternatives([inspect.LiteralType(tags)] if tags else fields)
        types = _meant(types, _found(steps[:number], table))
    return types


def _meant(types: list[inspect.Type], found: Any) -> list[inspect.Type]:
    meant: list[inspect.Type] = [
        t
        for t in types
        if isinstance(found, dict) and isinstance(t, inspect.StructType) and t.tag_field in found
        if found[t.tag_field] == t.tag
    ]
    return meant or types


def _alternatives(types: Sequence[inspect.Type]) -> list[inspect.Type]:
    return [part for t in types for part in (t.types if isinstance(t, inspect.UnionType) else [t])]


def _fields(types: Sequence[inspect.Type]) -> Iterator[str]:
    return (field.encode_name for t in types if isinstance(t, inspect.StructType) for field in t.fields)
