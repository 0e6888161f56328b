"""OAuth clients and the tokens they hold: who may come in, with what scopes, and for how long."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .problems import Problem, invalid, unauthorized


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client of the sandbox and the scopes it may ask for."""

    id: str
    secret: str = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for."""

    client_id: str
    scopes: frozenset[str]
    expires_at: float

    def allows(self, needed: frozenset[str]) -> bool:
        return "admin" in self.scopes or needed <= self.scopes


class Accounts:
    """Clients and the tokens they were given."""

    def __init__(self, clock: Clock, known_scopes: frozenset[str], lifetime: float) -> None:
        self._clock = clock
        self._known_scopes = known_scopes
        self._lifetime = lifetime
        self._clients: dict[str, Client] = {}
        self._grants: dict[str, Grant] = {}

    def register(self, client: Client) -> None:
        if unknown := client.scopes - self._known_scopes:
            raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
        self._clients[client.id] = client

    def known(self, client_id: object) -> str:
        """The id of a client that exists, and "" for anything else."""
        return client_id if isinstance(client_id, str) and client_id in self._clients else ""

    def authenticate(self, client_id: str, client_secret: str) -> Client:
        """The client; raises Problem 401 without a hint which of the two was wrong."""
        client = self._clients.get(client_id)
        expected = client.secret if client else ""
        if client is None or not hmac.compare_digest(expected.encode(), client_secret.encode()):
            raise unauthorized("The client id or the client secret is wrong.")
        return client

    def issue(self, client: Client, scope: str | None) -> dict[str, Any]:
        """A token for the scopes that were asked for, or for all that the client may have."""
        scopes = frozenset((scope or "").split()) or client.scopes
        if unknown := scopes - self._known_scopes:
            raise invalid(("scope", f"there is no scope {', '.join(sorted(unknown))[:200]}"))
        if "admin" not in client.scopes and (denied := scopes - client.scopes):
            raise Problem(403, f"This client may not have the scope {', '.join(sorted(denied))}.")
        self._forget_expired()
        token = f"sbx_{secrets.token_urlsafe(32)}"
        self._grants[token] = Grant(client.id, scopes, self._clock.now() + self._lifetime)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self._lifetime),
            "scope": " ".join(sorted(scopes)),
        }

    def check(self, token: str) -> Grant:
        """What the token stands for; raises Problem 401 if it is unknown, revoked or expired."""
        grant = self._grants.get(token)
        if grant is None:
            raise unauthorized("The access token is unknown or was revoked. Get a new one.")
        if grant.expires_at <= self._clock.now():
            raise unauthorized("The access token has expired. Get a new one.")
        return grant

    def revoke(self, token: str, client: Client) -> None:
        """End a token of this client. Any other is left alone without a word, as RFC 7009 section 2.2 wants."""
        grant = self._grants.get(token)
        if grant is not None and grant.client_id == client.id:
            del self._grants[token]

    def revoke_all(self) -> None:
        self._grants.clear()

    def _forget_expired(self) -> None:
        now = self._clock.now()
        while self._grants:
            oldest = next(iter(self._grants))
            if self._grants[oldest].expires_at > now:
                break
            del self._grants[oldest]
