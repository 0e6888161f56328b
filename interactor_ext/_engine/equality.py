"""Equality by settings: `get_client` may be called again with such an object, made anew each time."""

from __future__ import annotations


class EqualBySettings:
    """Equal to an object of the same class with the same settings."""

    _settings: tuple[object, ...]
    """The class first."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EqualBySettings) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)
