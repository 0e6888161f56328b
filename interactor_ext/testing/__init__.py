"""Testing kit: `example` creates models from the specification's examples; the other names are the types of the pytest
plugin's fixtures, for annotations and other test runners.

The fixtures are in `interactor_ext.pytest_plugin` and need `pip install 'interactor-sdk[sandbox]' pytest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_modules, lazy_names

if TYPE_CHECKING:
    from interactor_ext.testing.deliveries import SignedDelivery, WebhookFactory
    from interactor_ext.testing.examples import example
    from interactor_ext.testing.guard import PlatformGuard, PlatformRefused
    from interactor_ext.testing.recording import recorder

__all__ = ["PlatformGuard", "PlatformRefused", "SignedDelivery", "WebhookFactory", "example", "recorder"]

# It needs nothing that the others import.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".deliveries": ("SignedDelivery", "WebhookFactory"),
            ".examples": ("example",),
            ".guard": ("PlatformGuard", "PlatformRefused"),
            ".recording": ("recorder",),
        },
    )

# The commands of `interactor` start without it.
lazy_modules(__name__, "deliveries")
