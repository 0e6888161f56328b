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

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownOAuthFlowStatus`.
"""
