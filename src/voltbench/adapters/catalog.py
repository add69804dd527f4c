"""The catalog on disk: models of vehicles, stations and storage as TOML, ours in the package and a user's beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from voltbench.adapters.strict import convert, refuse_odd_text, shown
from voltbench.adapters.toml_text import parse_toml
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
        refuse_odd_text(id, "file")
        table = parse_toml(file.read_bytes())
        if table.setdefault("id", id) != id:
            raise InvalidInput(
                "id", "is not the file's name", found=shown(table["id"]), allowed=f"{id}, or leave it out"
            )
        return convert(table, model, prose=("source",))
    except InvalidInput as error:
        raise error.within(str(file)) from error
