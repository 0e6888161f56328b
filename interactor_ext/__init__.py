"""The Interactor SDK: credentials, assistants, workflows and webhooks for many tenants.

    from interactor_ext import InteractorClient

    with InteractorClient() as client:
        user = client.namespace("user_123")
        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")

Names are loaded on first use, so a webhook receiver that only imports `interactor_ext.webhooks` doesn't load a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext import _errors
from interactor_ext._errors import *  # noqa: F403  # all of them are public
from interactor_ext._lazy import lazy_modules, lazy_names
from interactor_ext._version import __version__

if TYPE_CHECKING:
    from interactor_client.types import UNSET, Unset
    from interactor_ext._client.client import AsyncInteractorClient, InteractorClient
    from interactor_ext._client.credential_auth import AsyncCredentialAuth, CredentialAuth
    from interactor_ext._client.reports import Health, RateLimit, ResponseInfo
    from interactor_ext._client.shared_clients import get_async_client, get_client, reset_clients
    from interactor_ext._config import InteractorConfig, validate_env
    from interactor_ext.chat._reply import AsyncReply, Reply
    from interactor_ext.limits import RateLimiter, RedisRateLimiter
    from interactor_ext.retry import RetryPolicy, with_retry
    from interactor_ext.tools import ToolContext, ToolSet
    from interactor_ext.transports._circuit_breaker import CircuitBreaker

__all__ = [
    "UNSET",
    "AsyncCredentialAuth",
    "AsyncInteractorClient",
    "AsyncReply",
    "CircuitBreaker",
    "CredentialAuth",
    "Health",
    "InteractorClient",
    "InteractorConfig",
    "RateLimit",
    "RateLimiter",
    "RedisRateLimiter",
    "Reply",
    "ResponseInfo",
    "RetryPolicy",
    "ToolContext",
    "ToolSet",
    "Unset",
    "__version__",
    "get_async_client",
    "get_client",
    "reset_clients",
    "validate_env",
    "with_retry",
]
__all__ += _errors.__all__

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_client.types": ("UNSET", "Unset"),
            ".transports._circuit_breaker": ("CircuitBreaker",),
            ".chat._reply": ("AsyncReply", "Reply"),
            "._client.credential_auth": ("AsyncCredentialAuth", "CredentialAuth"),
            "._client.client": ("AsyncInteractorClient", "InteractorClient"),
            "._config": ("InteractorConfig", "validate_env"),
            "._client.reports": ("Health", "RateLimit", "ResponseInfo"),
            "._client.shared_clients": ("get_async_client", "get_client", "reset_clients"),
            ".limits": ("RateLimiter", "RedisRateLimiter"),
            ".retry": ("RetryPolicy", "with_retry"),
            ".tools": ("ToolContext", "ToolSet"),
        },
    )

# Most programs use no lists, and make no calls that are several.
lazy_modules(__name__, "_effects", "_pagination")
