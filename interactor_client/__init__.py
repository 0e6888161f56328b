"""The generated client of Interactor API 2.0.0. Models and endpoints are loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interactor_client.advised import missing_name
from interactor_client.errors import ApiError, DecodeError
from interactor_client.types import UNSET, Unset

if TYPE_CHECKING:
    from interactor_client.client import AuthenticatedClient, Client
else:

    def __getattr__(name: str) -> Any:
        # On first use: the client imports httpx, which models and types do not need.
        if name not in ("AuthenticatedClient", "Client"):
            raise missing_name(__name__, name, (f"{__name__}.models", "interactor_client.types"))
        from interactor_client import client

        return getattr(client, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = ["UNSET", "ApiError", "AuthenticatedClient", "Client", "DecodeError", "Unset"]
