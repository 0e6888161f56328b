"""Testing kit: the types of the pytest plugin's fixtures, for annotations and for other test runners.

The fixtures stand in `interactor_ext.pytest_plugin`; `pip install 'interactor-sdk[sandbox]' pytest` is all they need.
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
    # The guard is up in every test run of every project that has the SDK: it must not load a client or a model.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
