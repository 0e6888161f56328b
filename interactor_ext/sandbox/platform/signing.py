"""Signs access tokens as JSON Web Tokens (RS256) and publishes the key set that verifies them."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"


class SigningKey:
    """An RSA key. `public` is its entry in the key set; its `kid` is the beginning of its modulus."""

    def __init__(self, private: RSAPrivateKey) -> None:
        self._private = private
        numbers: dict[str, Any] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        core = {name: numbers[name] for name in ("e", "kty", "n")}
        self.id: str = numbers["n"][:16]
        self.public: dict[str, Any] = {**core, "kid": self.id, "use": "sig", "alg": ALGORITHM}

    def to_pem(self) -> str:
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._private, ALGORITHM, headers={"kid": self.id})


@lru_cache(maxsize=4)
def key_from_pem(pem: str) -> SigningKey:
    """Return the key of a data file. Cached, because loading takes 40 ms, and opening a file does it twice."""
    private: Any = serialization.load_pem_private_key(pem.encode(), password=None)
    return SigningKey(private)


@cache
def process_key() -> SigningKey:
    """Return the signing key of all sandboxes in a process. Generating it takes 0.1 s, at the first token."""
    return SigningKey(generate_private_key(public_exponent=65537, key_size=2048))
