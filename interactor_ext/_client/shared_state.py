"""What the views of a client share: made once, closed once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from interactor_ext._client.http import AsyncViewClient, Common, ViewClient
from interactor_ext._client.options import Parts
from interactor_ext._client.view import View
from interactor_ext._config import InteractorConfig
from interactor_ext.tokens._auth import AsyncBearerAuth, BearerAuth, token_from, token_request
from interactor_ext.tokens._cache import AsyncTokenCache, TokenCache
from interactor_ext.tokens._store import Token

if TYPE_CHECKING:
    from interactor_ext.transports._retrying import AsyncCallTransport, CallTransport


class Core(NamedTuple):
    """The shared parts of an `InteractorClient`."""

    common: Common
    transport: CallTransport
    tokens: TokenCache
    auth: BearerAuth

    @classmethod
    def build(cls, config: InteractorConfig, parts: Parts) -> Core:
        reporter = parts.reporter()
        rules = parts.rules(config, reporter)
        common = Common.of(config, rules.policy, reporter)
        shared = parts.build_transport(rules, reporter)
        account = ViewClient(View.of(config), common, shared, auth=None)

        def fetch() -> Token:
            asked_at = time.time()
            return token_from(account.request(**token_request(config)), asked_at)

        tokens = TokenCache(
            fetch if reporter is None else reporter.watch(fetch),
            buffer=config.token_refresh_buffer,
            store=parts.store(config),
        )
        if reporter is not None:
            tokens.on_token = reporter.token_in_use
        return cls(common, shared, tokens, BearerAuth(tokens, config.core_api_url))

    def open(self, view: View) -> ViewClient:
        return ViewClient(view, self.common, self.transport, self.auth)

    def close(self) -> None:
        self.transport.close()


class AsyncCore(NamedTuple):
    """The shared parts of an `AsyncInteractorClient`."""

    common: Common
    transport: AsyncCallTransport
    tokens: AsyncTokenCache
    auth: AsyncBearerAuth

    @classmethod
    def build(cls, config: InteractorConfig, parts: Parts) -> AsyncCore:
        reporter = parts.reporter()
        rules = parts.rules(config, reporter)
        common = Common.of(config, rules.policy, reporter)
        shared = parts.build_async_transport(rules, reporter)
        account = AsyncViewClient(View.of(config), common, shared, auth=None)

        async def fetch() -> Token:
            asked_at = time.time()
            return token_from(await account.request(**token_request(config)), asked_at)

        tokens = AsyncTokenCache(
            fetch if reporter is None else reporter.watch_async(fetch),
            buffer=config.token_refresh_buffer,
            store=parts.store(config),
        )
        if reporter is not None:
            tokens.on_token = reporter.token_in_use
        return cls(common, shared, tokens, AsyncBearerAuth(tokens, config.core_api_url))

    def open(self, view: View) -> AsyncViewClient:
        return AsyncViewClient(view, self.common, self.transport, self.auth)

    async def close(self) -> None:
        await self.tokens.aclose()
        await self.transport.aclose()
