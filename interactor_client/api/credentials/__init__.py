"""The operations tagged `credentials`, one method each."""

from __future__ import annotations

from builtins import list as _list
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.credential import Credential
from ...models.credential_status import KnownCredentialStatus
from ...models.credential_token import CredentialToken
from ...models.o_auth_authorization import OAuthAuthorization
from ...models.o_auth_flow import OAuthFlow


class Credentials(Advised, calls=True):
    """Connections of your users to other services. A user grants access once in the browser; the platform keeps
    and refreshes the tokens of the service.
    """

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(
        self,
        *,
        provider: str | Unset = UNSET,
        status: KnownCredentialStatus | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[Credential]:
        """List the credentials of a namespace.

        Tokens are never part of a credential: fetch one with `credentials.get_token`.

        Args:
            provider: Only credentials of this provider, such as `google`.
            status: Only credentials in this status.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_credentials as _endpoint

        return self._sender.page(
            _endpoint._get_kwargs(provider=provider, status=status, page=page, per_page=per_page),
            _endpoint._parse_success,
        )

    def iterate(
        self,
        *,
        provider: str | Unset = UNSET,
        status: KnownCredentialStatus | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> Iterator[Credential]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            provider: Only credentials of this provider, such as `google`.
            status: Only credentials in this status.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_credentials as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(provider=provider, status=status, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def get(self, credential_id: str) -> Credential:
        """Get a credential.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import get_credential as _endpoint

        return self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success).data

    def delete(self, credential_id: str) -> None:
        """Revoke and delete a credential.

        The grant is revoked at the provider as well, so the user has to connect again. This cannot be undone.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import delete_credential as _endpoint

        self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success)

    def get_token(self, credential_id: str) -> CredentialToken:
        """Get a token to call the provider on the user's behalf.

        A token that is about to expire is refreshed first, so it is valid for `expires_in` seconds. If the provider
        refuses the refresh, the response is 409 with the code `REFRESH_FAILED` and the user has to connect again.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import get_credential_token as _endpoint

        return self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success).data

    def refresh(self, credential_id: str) -> Credential:
        """Refresh a credential now rather than when it is next needed.

        If the credential was revoked or cannot be refreshed, the response is 409 with the code `REFRESH_FAILED` and
        the user has to connect again.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import refresh_credential as _endpoint

        return self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success).data

    def initiate_oauth(
        self,
        *,
        redirect_uri: str,
        provider: str | None | Unset = UNSET,
        service_id: str | None | Unset = UNSET,
        scopes: _list[str] | None | Unset = UNSET,
    ) -> OAuthAuthorization:
        """Start connecting a user's account at a provider.

        Name a `provider`, a `service_id`, or both, and send the user's browser to the `authorization_url` of the
        response. Finish the flow with `credentials.complete_oauth`, or follow it with
        `credentials.get_oauth_status`.

        Args:
            redirect_uri: Where the user's browser comes back to, with `code` and `state` in the query. An
                absolute URI.
            provider: The provider, such as `google`.
            service_id: A service of the provider, such as `svc_google_calendar`.
            scopes: What to ask the user for, in the provider's own words. Defaults to the service's usual
                scopes.
        """
        from ...models.initiate_o_auth_request import InitiateOAuthRequest
        from . import initiate_oauth as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=InitiateOAuthRequest(
                    redirect_uri=redirect_uri, provider=provider, service_id=service_id, scopes=scopes
                )
            ),
            _endpoint._parse_success,
        ).data

    def complete_oauth(self, *, provider: str, code: str, state: str) -> Credential:
        """Finish a connection with the code that the provider gave the user's browser.

        First compare `state` with the one that `credentials.initiate_oauth` returned for this user: that is what
        stops a forged redirect. A code or state that is unknown, used or too old gets 422.

        Args:
            provider: The provider, such as `google`.
            code: The `code` of the redirect. Valid once.
            state: The `state` of the redirect.
        """
        from ...models.complete_o_auth_request import CompleteOAuthRequest
        from . import complete_oauth as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(body=CompleteOAuthRequest(provider=provider, code=code, state=state)),
            _endpoint._parse_success,
        ).data

    def get_oauth_status(self, flow_id: str) -> OAuthFlow:
        """See how far a connection has come.

        Poll no faster than every second or two, or subscribe to the `credential.connected` event instead.

        Args:
            flow_id: Id of the flow, from the response of `credentials.initiate_oauth`, such as `flow_2Vb6`.
        """
        from . import get_oauth_status as _endpoint

        return self._sender.send(_endpoint._get_kwargs(flow_id), _endpoint._parse_success).data


class AsyncCredentials(Advised, calls=True):
    """Connections of your users to other services. A user grants access once in the browser; the platform keeps
    and refreshes the tokens of the service.
    """

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(
        self,
        *,
        provider: str | Unset = UNSET,
        status: KnownCredentialStatus | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[Credential]:
        """List the credentials of a namespace.

        Tokens are never part of a credential: fetch one with `credentials.get_token`.

        Args:
            provider: Only credentials of this provider, such as `google`.
            status: Only credentials in this status.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_credentials as _endpoint

        return await self._sender.page(
            _endpoint._get_kwargs(provider=provider, status=status, page=page, per_page=per_page),
            _endpoint._parse_success,
        )

    def iterate(
        self,
        *,
        provider: str | Unset = UNSET,
        status: KnownCredentialStatus | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncIterator[Credential]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            provider: Only credentials of this provider, such as `google`.
            status: Only credentials in this status.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_credentials as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(provider=provider, status=status, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def get(self, credential_id: str) -> Credential:
        """Get a credential.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import get_credential as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success)).data

    async def delete(self, credential_id: str) -> None:
        """Revoke and delete a credential.

        The grant is revoked at the provider as well, so the user has to connect again. This cannot be undone.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import delete_credential as _endpoint

        await self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success)

    async def get_token(self, credential_id: str) -> CredentialToken:
        """Get a token to call the provider on the user's behalf.

        A token that is about to expire is refreshed first, so it is valid for `expires_in` seconds. If the provider
        refuses the refresh, the response is 409 with the code `REFRESH_FAILED` and the user has to connect again.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import get_credential_token as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success)).data

    async def refresh(self, credential_id: str) -> Credential:
        """Refresh a credential now rather than when it is next needed.

        If the credential was revoked or cannot be refreshed, the response is 409 with the code `REFRESH_FAILED` and
        the user has to connect again.

        Args:
            credential_id: Id of the credential, such as `cred_5Tn8`.
        """
        from . import refresh_credential as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(credential_id), _endpoint._parse_success)).data

    async def initiate_oauth(
        self,
        *,
        redirect_uri: str,
        provider: str | None | Unset = UNSET,
        service_id: str | None | Unset = UNSET,
        scopes: _list[str] | None | Unset = UNSET,
    ) -> OAuthAuthorization:
        """Start connecting a user's account at a provider.

        Name a `provider`, a `service_id`, or both, and send the user's browser to the `authorization_url` of the
        response. Finish the flow with `credentials.complete_oauth`, or follow it with
        `credentials.get_oauth_status`.

        Args:
            redirect_uri: Where the user's browser comes back to, with `code` and `state` in the query. An
                absolute URI.
            provider: The provider, such as `google`.
            service_id: A service of the provider, such as `svc_google_calendar`.
            scopes: What to ask the user for, in the provider's own words. Defaults to the service's usual
                scopes.
        """
        from ...models.initiate_o_auth_request import InitiateOAuthRequest
        from . import initiate_oauth as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=InitiateOAuthRequest(
                        redirect_uri=redirect_uri, provider=provider, service_id=service_id, scopes=scopes
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def complete_oauth(self, *, provider: str, code: str, state: str) -> Credential:
        """Finish a connection with the code that the provider gave the user's browser.

        First compare `state` with the one that `credentials.initiate_oauth` returned for this user: that is what
        stops a forged redirect. A code or state that is unknown, used or too old gets 422.

        Args:
            provider: The provider, such as `google`.
            code: The `code` of the redirect. Valid once.
            state: The `state` of the redirect.
        """
        from ...models.complete_o_auth_request import CompleteOAuthRequest
        from . import complete_oauth as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(body=CompleteOAuthRequest(provider=provider, code=code, state=state)),
                _endpoint._parse_success,
            )
        ).data

    async def get_oauth_status(self, flow_id: str) -> OAuthFlow:
        """See how far a connection has come.

        Poll no faster than every second or two, or subscribe to the `credential.connected` event instead.

        Args:
            flow_id: Id of the flow, from the response of `credentials.initiate_oauth`, such as `flow_2Vb6`.
        """
        from . import get_oauth_status as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(flow_id), _endpoint._parse_success)).data


__all__ = ["AsyncCredentials", "Credentials"]
