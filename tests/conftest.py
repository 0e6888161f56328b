"""The SDK's own pytest plugin, as users have it by its entry point."""

from __future__ import annotations

pytest_plugins = ["interactor_ext.pytest_plugin"]
