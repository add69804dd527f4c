"""The catalog on disk: models of vehicles, stations and storage as TOML, ours in the package and a user's beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import msgspec

from voltbench.charging.station import StationModel
from voltbench.charging.vehicle import VehicleModel
from voltbench.errors import InvalidInput, NotFound
from voltbench.site.storage import StorageModel

SUFFIX = ".toml"

Model = TypeVar("Model", bound=msgspec.Struct)


class UnknownModel(NotFound):
    """No model of this kind has this id; `similar` are the ids that are spelled like it."""

    def __init__(self, kind: str, id: str, known: Iterable[str]) -> None:
        super().__init__(kind, id)
        self.similar = tuple(get_close_matches(id, list(known), n=3))

    def __str__(self) -> str:
        hint = f" in the catalog; similar: {', '.join(self.similar)}" if self.similar else " in the catalog"
        return super().__str__() + hint


class Shelf(Generic[Model]):
    """The models of one kind. A file is read when it is first asked for, and kept.

    Where two folders hold a model of the same id, the later folder counts.
    """

    def __init__(self, kind: str, model: type[Model], folders: Sequence[Traversable]) -> None:
        self._kind = kind
        self._model = model
        self._folders = folders
        self._read: dict[str, Model] = {}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all models, in alphabetical order."""
        return tuple(sorted(self._files))

    def get(self, id: str) -> Model:
        """The model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        if id not in self._read:
            if id not in self._files:
                raise UnknownModel(self._kind, id, self._files)
            self._read[id] = read_model(self._files[id], self._model)
        return self._read[id]

    def all(self) -> list[Model]:
        """Every model, in the order of their ids. Raises InvalidInput for the first file that is no good."""
        return [self.get(id) for id in self.ids]

    @cached_property
    def _files(self) -> dict[str, Traversable]:
        return {
            file.name.removesuffix(SUFFIX): file
            for folder in self._folders
            if folder.is_dir()
            for file in folder.iterdir()
            if file.name.endswith(SUFFIX)
        }


class Catalog:
    """All models there are: those of the package, and those in a user's folder, which shadow ours of the same id.

    The user's folder (`DATA/catalog`) has the same shape as ours: `vehicles/`, `stations/` and `storage/`.
    """

    def __init__(self, user_folder: Path | None = None) -> None:
        def folders(name: str) -> list[Traversable]:
            ours = files("voltbench") / "catalog" / name
            return [ours] if user_folder is None else [ours, user_folder / name]

        self._vehicles = Shelf("vehicle model", VehicleModel, folders("vehicles"))
        self._stations = Shelf("station model", StationModel, folders("stations"))
        self._storages = Shelf("storage model", StorageModel, folders("storage"))

    def vehicle(self, id: str) -> VehicleModel:
        """The vehicle model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._vehicles.get(id)

    def station(self, id: str) -> StationModel:
        """The station model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._stations.get(id)

    def storage(self, id: str) -> StorageModel:
        """The storage model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._storages.get(id)

    def vehicles(self) -> list[VehicleModel]:
        """Every vehicle model, in the order of their ids."""
        return self._vehicles.all()

    def stations(self) -> list[StationModel]:
        """Every station model, in the order of their ids."""
        return self._stations.all()

    def storages(self) -> list[StorageModel]:
        """Every storage model, in the order of their ids."""
        return self._storages.all()


def read_model(file: Traversable, model: type[Model]) -> Model:
    """The model a TOML file describes; its id is the file's name without the suffix.

    Raises InvalidInput that names the file, the field, what was found there and what is allowed.
    """
    id = file.name.removesuffix(SUFFIX)
    try:
        table = parse_toml(file.read_bytes())
        if table.setdefault("id", id) != id:
            raise InvalidInput("id", "is not the file's name", found=table["id"], allowed=f"{id}, or leave it out")
        return convert(table, model)
    except InvalidInput as error:
        raise error.within(str(file)) from error


def parse_toml(text: bytes) -> dict[str, Any]:
    """The table that a TOML text holds. Raises InvalidInput that says where it is not TOML."""
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "text", "is not UTF-8", found=text[error.start : error.end], allowed="TOML in UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).removesuffix(")").partition(" (at ")
        raise InvalidInput(place or "text", f"is not TOML: {problem}") from error


def convert(table: dict[str, Any], model: type[Model]) -> Model:
    """The struct that a table describes. Raises InvalidInput for what is missing, unknown or of the wrong type."""
    try:
        return msgspec.convert(table, model)
    except msgspec.ValidationError as error:
        raise _in_our_words(str(error), table, model) from error


TYPE_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "a text in quotes",
}
"""What msgspec calls the types of a TOML file, and what a person does."""


def _in_our_words(message: str, table: dict[str, Any], model: type[msgspec.Struct]) -> InvalidInput:
    """What msgspec says ("Expected `float`, got `str` - at `$.ac.efficiency`") as field, finding and permission."""
    problem, _, place = message.partition(" - at `$")
    path = re.findall(r"[^.\[\]`]+", place)
    words = re.findall(r"`(.*?)`", problem)
    if "missing required field" in problem:
        return InvalidInput(_dotted([*path, words[0]]), "is missing")
    if "unknown field" in problem:
        return InvalidInput(_dotted([*path, words[0]]), "is unknown", allowed=", ".join(_fields_at(path, model)))
    if problem.startswith("Expected") and len(words) == 2:
        allowed = [TYPE_WORDS.get(word, word) for word in words[0].split(" | ") if word != "null"]
        return InvalidInput(_dotted(path), "has the wrong type", found=_at(path, table), allowed=" or ".join(allowed))
    return InvalidInput(_dotted(path), problem, found=_at(path, table))


def _dotted(path: Sequence[str]) -> str:
    """A path as people write it: `connectors[0].type`."""
    return "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in path).removeprefix(".")


def _at(path: Sequence[str], table: Any) -> Any:
    for step in path:
        table = table[int(step) if isinstance(table, list) else step]
    return table


def _fields_at(path: Sequence[str], model: type[msgspec.Struct]) -> Sequence[str]:
    """Names of the fields a table may have at this path of the model."""
    for step in path:
        if not step.isdecimal():
            annotation = next(field.type for field in msgspec.structs.fields(model) if field.name == step)
            model = next(t for t in (annotation, *get_args(annotation)) if isinstance(t, type(msgspec.Struct)))
    return model.__struct_fields__
