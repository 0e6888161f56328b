"""Responses of the API: the model of a success, or the typed error of any other status."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Not needed where nothing fails.
lazy_modules(__name__, "status_error")
