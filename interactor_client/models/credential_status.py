"""`active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or by the user at
the provider.
"""

from __future__ import annotations

from typing import Literal

KnownCredentialStatus = Literal["active", "expired", "revoked"]
"""`active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or by the user at
the provider.
"""
CredentialStatus = KnownCredentialStatus | str
"""`active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or by the user at
the provider.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownCredentialStatus`.
"""
