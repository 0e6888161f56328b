"""The generated client of Interactor API 2.0.0. Models and endpoints are loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .advised import missing_name
from .errors import ApiError, DecodeError
from .types import UNSET, Unset

if TYPE_CHECKING:
    from .client import AuthenticatedClient, Client
else:

    def __getattr__(name: str) -> Any:
        # On first use: the client imports httpx, which models and types do not need.
        if name not in ("AuthenticatedClient", "Client"):
            raise missing_name(__name__, name, (f"{__name__}.models", f"{__name__}.types"))
        from . import client

        return getattr(client, name)


__all__ = ["UNSET", "ApiError", "AuthenticatedClient", "Client", "DecodeError", "Unset"]
