"""What went wrong, for programs. `REFRESH_FAILED` asks for the user to connect the credential again;
`API_ERROR` is every error without a code of its own.
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
"""What went wrong, for programs. `REFRESH_FAILED` asks for the user to connect the credential again;
`API_ERROR` is every error without a code of its own.
"""
ErrorCode = KnownErrorCode | str
"""What went wrong, for programs. `REFRESH_FAILED` asks for the user to connect the credential again;
`API_ERROR` is every error without a code of its own.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownErrorCode`.
"""
