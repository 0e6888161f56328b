"""`revoke_token` of a client."""

from __future__ import annotations

from functools import partial
from typing import Any

from interactor_ext._engine.effects import Effects, Invoke, despite_lost_responses, view_until
from interactor_ext._interactor.tokens import Token


def revoke(user: Any) -> Effects[bool]:
    """Revoke the client's token, and the stored one if it differs. Returns whether there was one."""
    cache, store, ends_at = user._shared.tokens, user._shared.store, user._view.ends_at()
    cache.check_open()
    own, stored = cache.valid(), None
    if own is not None:
        yield from _revoke(user, ends_at, own)
    if store is not None:
        stored = yield from store.stored(ends_at, without=own)
        if stored is not None:
            yield from _revoke(user, ends_at, stored)
            yield from store.stored(ends_at, without=stored)
    return own is not None or stored is not None


def _revoke(user: Any, ends_at: float | None, token: Token) -> Effects[None]:
    # If the response is lost, revoke it again: that's harmless (RFC 7009).
    yield from despite_lost_responses(user, ends_at, partial(_request, user, ends_at, token))
    user._shared.tokens.forget(token)


def _request(user: Any, ends_at: float | None, token: Token) -> Effects[None]:
    def send(secret: str) -> Any:
        client_id = user.config.client_id
        return view_until(user, ends_at).oauth.revoke_token(
            token=token.access_token, client_id=client_id, client_secret=secret
        )

    if (current := user._shared.secret) is not None:
        yield from current.fetch(send)
    else:
        yield Invoke(send, (user.config.client_secret,))
