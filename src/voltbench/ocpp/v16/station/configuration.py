"""The configuration of a station: what was changed, over what its keys are at first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from voltbench.ocpp.v16.messages import (
    ChangeConfiguration,
    ChangeConfigurationResponse,
    ConfigurationStatus,
    GetConfiguration,
    GetConfigurationResponse,
    KeyValue,
)
from voltbench.ocpp.v16.station.keys import BY_NAME, KEYS, Access, Key, listed

Change = Callable[[str, str], ConfigurationStatus | None]
"""Asked before a key is changed: why it cannot be, or None."""


class Configuration:
    """The configuration keys of one station. `fixed` are those whose first setting is the station's own."""

    __slots__ = ("_changed", "_fixed", "_lists")

    def __init__(self, fixed: Mapping[str, str]) -> None:
        self._fixed = {BY_NAME[name.lower()].name: setting for name, setting in fixed.items()}
        self._changed: dict[str, str] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def text(self, name: str) -> str:
        """The setting of a key."""
        found = self._changed.get(name)
        if found is None:
            found = self._fixed.get(name)
        return BY_NAME[name.lower()].default if found is None else found

    def whole(self, name: str) -> int:
        """The setting of a key that is a whole number."""
        return int(self.text(name))

    def is_on(self, name: str) -> bool:
        """The setting of a key that is true or false."""
        return self.text(name).lower() == "true"

    def listed(self, name: str) -> tuple[str, ...]:
        """The setting of a key that is a list."""
        found = self._lists.get(name)
        if found is None:
            found = self._lists[name] = tuple(listed(self.text(name)))
        return found

    def set(self, name: str, setting: str) -> None:
        """Change a key, whatever it allows."""
        self._changed[BY_NAME[name.lower()].name] = setting
        self._lists.clear()

    def change(self, request: ChangeConfiguration, hinder: Change) -> ChangeConfigurationResponse:
        """Change a key for the CSMS. OCPP 1.6 edition 2, section 5.3."""
        key = BY_NAME.get(request.key.lower())
        if key is None:
            return ChangeConfigurationResponse(status="NotSupported")
        setting = request.value.strip()
        if key.access is Access.READ or not key.is_allowed(setting):
            return ChangeConfigurationResponse(status="Rejected")
        hindrance = hinder(key.name, setting)
        if hindrance is not None:
            return ChangeConfigurationResponse(status=hindrance)
        self.set(key.name, setting)
        return ChangeConfigurationResponse(status="RebootRequired" if key.at_boot else "Accepted")

    def tell(self, request: GetConfiguration) -> GetConfigurationResponse:
        """Tell the CSMS of keys, or of all that can be read. OCPP 1.6 edition 2, section 5.8.

        Those beyond the most that may be asked for are told as unknown ones are: the section does not say how else.
        """
        names = request.key or tuple(key.name for key in KEYS if key.access is not Access.WRITE)
        most = self.whole("GetConfigurationMaxKeys") if request.key else len(names)
        known = [BY_NAME[name.lower()] for name in names[:most] if name.lower() in BY_NAME]
        unknown = tuple(name for name in names[:most] if name.lower() not in BY_NAME) + names[most:]
        return GetConfigurationResponse(configuration_key=tuple(map(self._told, known)), unknown_key=unknown)

    def _told(self, key: Key) -> KeyValue:
        if key.access is Access.WRITE:
            return KeyValue(key=key.name, readonly=False)
        return KeyValue(key=key.name, readonly=key.access is Access.READ, value=self.text(key.name))
