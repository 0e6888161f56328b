"""The generated client of Interactor API 2.0.0. Models and endpoints are loaded when they are used."""

from .client import AuthenticatedClient, Client
from .errors import ApiError, DecodeError
from .types import UNSET, Unset

__all__ = ["UNSET", "ApiError", "AuthenticatedClient", "Client", "DecodeError", "Unset"]
