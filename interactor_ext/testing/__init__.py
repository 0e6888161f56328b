"""Testing kit: the types of the pytest plugin's fixtures, for annotations and for other test runners.

The fixtures are in `interactor_ext.pytest_plugin` and need `pip install 'interactor-sdk[sandbox]' pytest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interactor_ext.testing.deliveries import SignedDelivery, WebhookFactory
    from interactor_ext.testing.guard import PlatformGuard, PlatformRefused
    from interactor_ext.testing.recording import recorder

__all__ = ["PlatformGuard", "PlatformRefused", "SignedDelivery", "WebhookFactory", "recorder"]

_HOMES = {
    "PlatformGuard": "guard",
    "PlatformRefused": "guard",
    "SignedDelivery": "deliveries",
    "WebhookFactory": "deliveries",
    "recorder": "recording",
}


def __getattr__(name: str) -> Any:
    # The guard is active in every test run of every project with the SDK: it must not import a client or a model.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
