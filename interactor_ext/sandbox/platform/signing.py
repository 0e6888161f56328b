"""Signs access tokens as JSON Web Tokens (RS256) and publishes the key set that verifies them."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache, lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_decode, base64url_encode

ALGORITHM = "RS256"
# The sandbox's own clock decides about expiry; the realm claim says which sandbox a token is for.
SIGNATURE_ALONE: Any = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class SigningKey:
    """An RSA key. `public` is what the key set shows of it; its `kid` is the thumbprint of RFC 7638."""

    def __init__(self, private: RSAPrivateKey) -> None:
        self._private = private
        self._verifying = private.public_key()
        numbers: dict[str, Any] = RSAAlgorithm.to_jwk(self._verifying, as_dict=True)
        core = {name: numbers[name] for name in ("e", "kty", "n")}
        digest = hashlib.sha256(json.dumps(core, separators=(",", ":")).encode()).digest()
        self.id: str = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self.public: dict[str, Any] = {**core, "kid": self.id, "use": "sig", "alg": ALGORITHM}

    def to_pem(self) -> str:
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._private, ALGORITHM, headers={"kid": self.id})

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token, if this key signed it; the caller checks expiry and revocation.

        Only one text is accepted as the token: base64url as in RFC 7515 section 2, without padding, foreign characters
        or stray bits at the end, all of which Python's decoder ignores. This matters only in the signature, because the
        rest is signed as text.
        """
        try:
            claims: dict[str, Any] = jwt.decode(token, self._verifying, [ALGORITHM], options=SIGNATURE_ALONE)
        except jwt.InvalidTokenError:
            return None
        signature = token.rpartition(".")[2].encode()
        return claims if base64url_encode(base64url_decode(signature)) == signature else None


@lru_cache(maxsize=4)
def key_from_pem(pem: str) -> SigningKey:
    """The key of a data file. Loading checks it for 40 ms, and opening a file asks for it twice."""
    private = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("isn't an RSA key")
    return SigningKey(private)


@cache
def process_key() -> SigningKey:
    """The signing key of all sandboxes of a process, generated with the first token: it takes a tenth of a second."""
    return SigningKey(generate_private_key(public_exponent=65537, key_size=2048))
