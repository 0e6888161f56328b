"""What went wrong, for programs. `REFRESH_FAILED` means that the user has to connect the credential again;
`API_ERROR` is any error without its own code.
"""

from __future__ import annotations

from typing import Literal

KnownErrorCode = Literal[
    "API_ERROR",
    "AUTH_ERROR",
    "CONFLICT",
    "FORBIDDEN",
    "GONE",
    "NOT_FOUND",
    "RATE_LIMITED",
    "REFRESH_FAILED",
    "VALIDATION_ERROR",
]
"""What went wrong, for programs. `REFRESH_FAILED` means that the user has to connect the credential again;
`API_ERROR` is any error without its own code.
"""
ErrorCode = KnownErrorCode | str
"""What went wrong, for programs. `REFRESH_FAILED` means that the user has to connect the credential again;
`API_ERROR` is any error without its own code.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownErrorCode`.
"""
