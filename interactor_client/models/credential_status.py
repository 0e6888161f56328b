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

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownCredentialStatus`.
"""
