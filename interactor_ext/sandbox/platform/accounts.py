"""OAuth clients and access tokens: authentication, scopes, expiry and revocation."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.platform import signing
from interactor_ext.sandbox.problems import Problem, invalid, unauthorized
from interactor_ext.sandbox.storage.persistence import Persistence
from interactor_ext.sandbox.storage.records import Store, new_id
from interactor_ext.sandbox.storage.strict_json import compact


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client of the sandbox, the scopes it may request, and the namespaces it may use; None is any."""

    id: str
    secret: str = field(repr=False)
    scopes: list[str]
    namespaces: list[str] | None


@dataclass(frozen=True, slots=True)
class Grant:
    """The client, scopes and expiry of an access token, and the URL that it gives access to."""

    client_id: str
    scopes: list[str]
    expires_at: float
    audience: str

    def allows(self, needed: frozenset[str]) -> bool:
        return "admin" in self.scopes or needed.issubset(self.scopes)

    def opens(self, path: str) -> bool:
        """Whether a path equals the audience's or is below it; `*` in the audience matches any one segment."""
        wanted, given = urlsplit(self.audience).path.rstrip("/").split("/"), path.split("/")
        pairs = zip(wanted, given, strict=False)
        return len(wanted) <= len(given) and all(ours in ("*", theirs) for ours, theirs in pairs)


class Accounts:
    """OAuth clients and their access tokens. All are stored except the first client."""

    def __init__(
        self, clock: Clock, known_scopes: frozenset[str], lifetime: float, store: Store, persistence: Persistence
    ) -> None:
        self._clock = clock
        self._known_scopes = known_scopes
        self._lifetime = lifetime
        self._store = store
        self._persistence = persistence
        self._clients: dict[str, OAuthClient] = {}
        self._first: OAuthClient | None = None
        self._grants: dict[str, Grant] = {}
        self._key: signing.SigningKey | None = None

    def restore(self) -> None:
        """Load the clients, the tokens and the signing key from the persistence."""
        stored = (OAuthClient(**record.private) for record in self._store.everything("client"))
        self._clients = {client.id: client for client in stored}
        if self._first is not None:
            self._clients[self._first.id] = self._first
        if pem := self._persistence.value("signing_key"):
            self._key = signing.key_from_pem(pem)
        if tokens := self._persistence.value("tokens"):
            self._grants = {token: Grant(**kept) for token, kept in json.loads(tokens).items()}

    def register(
        self, client_id: str, client_secret: str, scopes: Iterable[str], namespaces: Iterable[str] | None
    ) -> None:
        """Add a client, or replace the one with this id. Raises ValueError for an unknown scope."""
        allowed = None if namespaces is None else sorted(set(namespaces))
        client = OAuthClient(client_id, client_secret, sorted(set(scopes)), allowed)
        if unknown := [each for each in client.scopes if each not in self._known_scopes]:
            raise ValueError(f"unknown scopes: {', '.join(unknown)}")
        self._first = self._first or client
        self._clients[client.id] = client
        if client.id == self._first.id:
            return
        for record in [each for each in self._store.everything("client") if each.private["id"] == client.id]:
            self._store.remove(record)
        self._store.add("client", "", {}, private=asdict(client))

    @property
    def first_secret(self) -> str:
        return self._first.secret if self._first else ""

    def known(self, client_id: object) -> str:
        """Return the id if the client exists, else ""."""
        return client_id if isinstance(client_id, str) and client_id in self._clients else ""

    def check_namespace(self, client_id: str, namespace: str) -> None:
        """Raises Problem 403 for a namespace that the client may not use, including ""."""
        allowed = self._clients[client_id].namespaces
        if allowed is not None and namespace not in allowed:
            wanted = "this namespace" if namespace else "the API without a namespace"
            raise Problem(403, f"This client isn't allowed to use {wanted}.")

    def authenticate(self, client_id: str, client_secret: str) -> OAuthClient:
        """Return the client. Raises Problem 401 without saying whether id or secret was wrong."""
        client = self._clients.get(client_id)
        if client is None or not hmac.compare_digest(client.secret.encode(), client_secret.encode()):
            raise unauthorized("The client id or the client secret is wrong.")
        return client

    def key_set(self) -> list[dict[str, Any]]:
        """Return the public keys that verify the tokens."""
        return [self._signing_key().public]

    def issue(self, client: OAuthClient, scope: str | None, *, issuer: str, audience: str) -> dict[str, Any]:
        """Issue a token for the requested scopes, or for all that the client may have."""
        scopes = sorted(set((scope or "").split())) or client.scopes
        if unknown := [each for each in scopes if each not in self._known_scopes]:
            raise invalid(("scope", f"unknown scope {', '.join(unknown)[:200]}"))
        denied = [each for each in scopes if each not in client.scopes]
        if denied and "admin" not in client.scopes:
            raise Problem(403, f"This client isn't allowed the scope {', '.join(denied)}.")
        now, granted = self._clock.now(), " ".join(scopes)
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": audience,
            "sub": client.id,
            "client_id": client.id,
            "scope": granted,
            "iat": int(now),
            "exp": int(now + self._lifetime),
            "jti": new_id("tok"),
        }
        token = self._signing_key().sign(claims)
        oldest = now - self._lifetime  # tokens that expired that long ago are deleted
        self._grants = {known: grant for known, grant in self._grants.items() if grant.expires_at > oldest}
        # With fractions of a second, which the integer claims omit.
        self._grants[token] = Grant(client.id, scopes, now + self._lifetime, audience)
        self._keep_tokens()
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self._lifetime),
            "scope": granted,
        }

    def check(self, token: str) -> Grant:
        """Return the grant of a token. Raises Problem 401 if it is unknown, revoked or expired."""
        grant = self._grants.get(token)
        if grant is None or grant.client_id not in self._clients:  # a restored snapshot may lack the client
            raise unauthorized("The access token is unknown or was revoked. Get a new one.")
        if grant.expires_at <= self._clock.now():
            raise unauthorized("The access token has expired. Get a new one.")
        return grant

    def expire(self, token: str) -> None:
        """Expire a token now, even if the clock is moved back later; `check` reports it as expired."""
        if grant := self._grants.get(token):
            self._grants[token] = replace(grant, expires_at=0.0)
            self._keep_tokens()

    def revoke(self, token: str, client: OAuthClient) -> None:
        """Revoke a token of this client. Any other token is ignored, as RFC 7009 section 2.2 requires."""
        grant = self._grants.get(token)
        if grant is not None and grant.client_id == client.id:
            del self._grants[token]
            self._keep_tokens()

    def clear(self) -> None:
        """Remove all tokens, and every client except the first."""
        self.revoke_all()
        self._clients = {} if self._first is None else {self._first.id: self._first}

    def revoke_all(self) -> None:
        self._grants.clear()
        self._keep_tokens()

    def _signing_key(self) -> signing.SigningKey:
        if self._key is None:
            self._key = signing.process_key()
            if self._persistence.is_durable:
                self._persistence.set_value("signing_key", self._key.to_pem())
        return self._key

    def _keep_tokens(self) -> None:
        if self._persistence.is_durable:
            kept = {token: asdict(grant) for token, grant in self._grants.items()}
            self._persistence.set_value("tokens", compact(kept))
