"""Why a certificate was rejected, and what to do."""

from __future__ import annotations

import ssl

_TRUST = (
    "set SSL_CERT_FILE to its file, or pass transport=Transport(verify="
    'ssl.create_default_context(cafile="{file}")), or AsyncTransport'
)
_UNKNOWN_AUTHORITY = (
    "its certificate authority isn't trusted here",
    f"If it is your own, or that of a proxy that decrypts traffic, {_TRUST.format(file='ca.pem')}.",
)
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/, by the numbers in x509_vfy.h
_PROBLEMS = {
    **dict.fromkeys((2, 19, 20, 21), _UNKNOWN_AUTHORITY),
    18: ("it is self-signed", f"If you trust this server, {_TRUST.format(file='server.pem')}."),
    10: ("it has expired", "Whoever runs that server must renew it. If it is valid, this machine's clock is wrong."),
    9: ("it isn't valid yet", "Check this machine's clock."),
}
_MISMATCH = (62, 64)


def rejected_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The certificate rejection that caused this error, if any."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def certificate_problem(error: ssl.SSLCertVerificationError, variable: str) -> tuple[str, str]:
    """Why the certificate was rejected, and advice. `variable` holds the URL of the server."""
    if error.verify_code in _MISMATCH:
        problem = "it belongs to another host"
        advice = f"Check the host in {variable}. A proxy or a captive portal may have responded in its place."
    else:
        problem, advice = _PROBLEMS.get(error.verify_code, ("it can't be verified", ""))
    return f"{problem} ({error.verify_message.rstrip('.')})", advice
