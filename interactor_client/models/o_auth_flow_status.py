"""`pending` waits for the user, `completed` has its credential, `failed` was refused or went wrong, `expired`
was not finished in time.
"""

from __future__ import annotations

from typing import Literal

KnownOAuthFlowStatus = Literal["completed", "expired", "failed", "pending"]
"""`pending` waits for the user, `completed` has its credential, `failed` was refused or went wrong, `expired`
was not finished in time.
"""
OAuthFlowStatus = KnownOAuthFlowStatus | str
"""`pending` waits for the user, `completed` has its credential, `failed` was refused or went wrong, `expired`
was not finished in time.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownOAuthFlowStatus`.
"""
