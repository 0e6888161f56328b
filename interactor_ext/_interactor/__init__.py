"""What knows Interactor: settings, the account server's tokens, namespaces, and the views of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import LazyModule

__version__ = "2.0.0"
"""The version of the SDK."""

# Annotations name the models of seldom used methods as `models.Message`, where `typing.get_type_hints` finds them.
if TYPE_CHECKING:
    from interactor_client import models as models
else:
    models = LazyModule("interactor_client.models")
