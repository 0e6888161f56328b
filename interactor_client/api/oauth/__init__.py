"""The operations tagged `oauth`, one method each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, Sender, Unset, assign_method

from ...models.access_token import AccessToken
from ...models.json_web_key_set import JsonWebKeySet


class Oauth(Advised, calls=True):
    """Access tokens of your own application. These calls go to the account server and need no bearer token."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def create_token(
        self,
        *,
        grant_type: Literal["client_credentials"] = "client_credentials",
        client_id: str,
        client_secret: str,
        scope: str | None | Unset = UNSET,
        resource: str | None | Unset = UNSET,
    ) -> AccessToken:
        """Exchange the client id and secret for an access token.

        The grant is always `client_credentials`. Cache the token until shortly before it expires: only 20 token
        requests a minute are allowed. Requesting a scope that the client was not granted gets 403.

        Args:
            grant_type: Always `client_credentials`.
            client_id: Id of your client.
            client_secret: Secret of your client. Never log it.
            scope: Scopes to request, separated by spaces. By default the token has every scope of the client.
            resource: The URL of the only part of the Core API that the token may open (RFC 8707); `*` matches
                any segment of its path. A server that does not know this field may ignore it, and then only the
                scopes count.
        """
        from ...models.create_token_request import CreateTokenRequest
        from . import create_token as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateTokenRequest(
                    grant_type=grant_type,
                    client_id=client_id,
                    client_secret=client_secret,
                    scope=scope,
                    resource=resource,
                )
            ),
            _endpoint._parse_success,
        ).data

    def revoke_token(self, *, token: str, client_id: str, client_secret: str) -> None:
        """Revoke an access token before it expires.

        Calls with the token then get 401. Revoking a token that is unknown, expired or already revoked also
        succeeds, as RFC 7009 requires.

        Args:
            token: The access token to revoke.
            client_id: Id of your client.
            client_secret: Secret of your client. Never log it.
        """
        from ...models.revoke_token_request import RevokeTokenRequest
        from . import revoke_token as _endpoint

        self._sender.send(
            _endpoint._get_kwargs(
                body=RevokeTokenRequest(token=token, client_id=client_id, client_secret=client_secret)
            ),
            _endpoint._parse_success,
        )

    def get_jwks(self) -> JsonWebKeySet:
        """Fetch the public keys that access tokens are signed with.

        The response is a bare JSON Web Key Set (RFC 7517), without the usual envelope. Keys rotate: if a token
        names an unknown `kid`, fetch the set again before you refuse the token.
        """
        from . import get_jwks as _endpoint

        return self._sender.send(_endpoint._get_kwargs(), _endpoint._parse_success)


class AsyncOauth(Advised, calls=True):
    """Access tokens of your own application. These calls go to the account server and need no bearer token."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def create_token(
        self,
        *,
        grant_type: Literal["client_credentials"] = "client_credentials",
        client_id: str,
        client_secret: str,
        scope: str | None | Unset = UNSET,
        resource: str | None | Unset = UNSET,
    ) -> AccessToken:
        """Exchange the client id and secret for an access token.

        The grant is always `client_credentials`. Cache the token until shortly before it expires: only 20 token
        requests a minute are allowed. Requesting a scope that the client was not granted gets 403.

        Args:
            grant_type: Always `client_credentials`.
            client_id: Id of your client.
            client_secret: Secret of your client. Never log it.
            scope: Scopes to request, separated by spaces. By default the token has every scope of the client.
            resource: The URL of the only part of the Core API that the token may open (RFC 8707); `*` matches
                any segment of its path. A server that does not know this field may ignore it, and then only the
                scopes count.
        """
        from ...models.create_token_request import CreateTokenRequest
        from . import create_token as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateTokenRequest(
                        grant_type=grant_type,
                        client_id=client_id,
                        client_secret=client_secret,
                        scope=scope,
                        resource=resource,
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def revoke_token(self, *, token: str, client_id: str, client_secret: str) -> None:
        """Revoke an access token before it expires.

        Calls with the token then get 401. Revoking a token that is unknown, expired or already revoked also
        succeeds, as RFC 7009 requires.

        Args:
            token: The access token to revoke.
            client_id: Id of your client.
            client_secret: Secret of your client. Never log it.
        """
        from ...models.revoke_token_request import RevokeTokenRequest
        from . import revoke_token as _endpoint

        await self._sender.send(
            _endpoint._get_kwargs(
                body=RevokeTokenRequest(token=token, client_id=client_id, client_secret=client_secret)
            ),
            _endpoint._parse_success,
        )

    async def get_jwks(self) -> JsonWebKeySet:
        """Fetch the public keys that access tokens are signed with.

        The response is a bare JSON Web Key Set (RFC 7517), without the usual envelope. Keys rotate: if a token
        names an unknown `kid`, fetch the set again before you refuse the token.
        """
        from . import get_jwks as _endpoint

        return await self._sender.send(_endpoint._get_kwargs(), _endpoint._parse_success)


__all__ = ["AsyncOauth", "Oauth"]
