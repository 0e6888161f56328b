"""The Interactor SDK: credentials, assistants, workflows and webhooks for many tenants.

    from interactor_ext import InteractorClient

    with InteractorClient() as client:
        user = client.namespace("user_123")
        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")

Names are loaded on first use, so a webhook receiver that only imports `interactor_ext.webhooks` doesn't load a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine import errors as _errors
from interactor_ext._engine.errors import *  # noqa: F403  # all of them are public
from interactor_ext._engine.lazy import lazy_names
from interactor_ext._interactor import __version__

if TYPE_CHECKING:
    from interactor_client.types import UNSET, Unset
    from interactor_ext._clients import AsyncInteractorClient, InteractorClient
    from interactor_ext._clients.process_clients import get_async_client, get_client, reset_clients
    from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker
    from interactor_ext._interactor.config import InteractorConfig, validate_env
    from interactor_ext._interactor.views.credential_auth import AsyncCredentialAuth, CredentialAuth
    from interactor_ext._interactor.views.reports import Health, RateLimit, ResponseInfo
    from interactor_ext.chat._reply import AsyncReply, Reply
    from interactor_ext.limits import RateLimiter, RedisRateLimiter
    from interactor_ext.retry import RetryPolicy, with_retry
    from interactor_ext.tools import ToolContext, ToolSet

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
            "._engine.calls.circuit_breaker": ("CircuitBreaker",),
            ".chat._reply": ("AsyncReply", "Reply"),
            "._interactor.views.credential_auth": ("AsyncCredentialAuth", "CredentialAuth"),
            "._clients": ("AsyncInteractorClient", "InteractorClient"),
            "._interactor.config": ("InteractorConfig", "validate_env"),
            "._interactor.views.reports": ("Health", "RateLimit", "ResponseInfo"),
            "._clients.process_clients": ("get_async_client", "get_client", "reset_clients"),
            ".limits": ("RateLimiter", "RedisRateLimiter"),
            ".retry": ("RetryPolicy", "with_retry"),
            ".tools": ("ToolContext", "ToolSet"),
        },
    )
