"""Equality by settings, because `get_client` can be called again with an equal object."""

from __future__ import annotations


class EqualBySettings:
    """Equal to an object of the same class with the same settings."""

    _settings: tuple[object, ...]
    """Starts with the class."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EqualBySettings) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)
