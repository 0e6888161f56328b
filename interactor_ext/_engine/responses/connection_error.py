"""Turns httpx's exceptions into APIConnectionError and APITimeoutError, for requests without a response.

Exceptions that a signal handler or another thread raises during a call are neither translated nor retried. To end a
task in time, task queues mostly raise plain Exceptions, and many programs TimeoutErrors, which httpx mistakes for a
network failure.
"""

from __future__ import annotations

import errno
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from traceback import walk_tb
from types import CodeType

import httpx

from interactor_client.wire import header_problem
from interactor_ext._engine.call import Call, describe_request, secrets_of
from interactor_ext._engine.errors import APIConnectionError, APITimeoutError, InteractorError
from interactor_ext._engine.redaction import clean_text, holds_secret
from interactor_ext._engine.responses.read import BodyRefused

# Raised before any byte of the request is sent.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# What OpenSSL 3 says about a response in plain HTTP, by version.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
_KNOWN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, InteractorError)
_OURS = ("interactor_client", "interactor_ext")
_TRUST = (
    "set SSL_CERT_FILE to its file, or pass transport=Transport(verify="
    'ssl.create_default_context(cafile="{file}")), or AsyncTransport'
)
_UNKNOWN_AUTHORITY = (
    "its certificate authority isn't trusted here",
    f"If it is your own, or belongs to a proxy that decrypts traffic, {_TRUST.format(file='ca.pem')}.",
)
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/, by the numbers in x509_vfy.h
_PROBLEMS = {
    **dict.fromkeys((2, 19, 20, 21), _UNKNOWN_AUTHORITY),
    18: ("it is self-signed", f"If you trust this server, {_TRUST.format(file='server.pem')}."),
    10: ("it has expired", "Whoever runs that server must renew it. If it is valid, this machine's clock is wrong."),
    9: ("it isn't valid yet", "Check this machine's clock."),
}
_MISMATCH = (62, 64)


def connection_error(error: Exception, request: httpx.Request) -> APIConnectionError:
    """Return this SDK's error for an exception from httpx or from the caller's own transport, which becomes its
    cause."""
    failure = _described(error, request)
    # A LocalProtocolError's text quotes a header.
    quotes_secret = isinstance(error, httpx.LocalProtocolError) or holds_secret(str(error), secrets_of(request))
    failure.__cause__ = None if quotes_secret else error
    return failure


def _described(error: Exception, request: httpx.Request) -> APIConnectionError:
    what = f"{describe_request(request)} at {request.url.netloc.decode('ascii', 'replace')}"
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    if isinstance(error, httpx.PoolTimeout):
        return APITimeoutError(
            f"{what}: no connection was free within {timeouts.get('pool')} s. Nothing was sent.", sent=False
        )
    sent = not isinstance(error, httpx.TransportError) or may_have_been_sent(error)
    if isinstance(error, httpx.ConnectTimeout) and not sent:
        way = f" through {error}" if str(error).startswith("the proxy ") else ""
        return APITimeoutError(
            f"{what}: no connection{way} within {timeouts.get('connect')} s. Nothing was sent.", sent=False
        )
    if not sent and _is_out_of_files(error):
        return APIConnectionError(
            f"{what}: this process has too many open files and sockets for another connection. Nothing "
            "was sent. Close those you don't need (one client serves a whole process), or raise the "
            "limit (`ulimit -n`)",
            sent=False,
        )
    if isinstance(error, httpx.TimeoutException):
        # A stream's `read` timeout bounds its silence after the response has started.
        waited = timeouts.get("pool" if Call.of(request).is_stream else "read")
        return APITimeoutError(f"{what}: no response within {waited} s. The request may have arrived.")
    if isinstance(error, httpx.LocalProtocolError):
        return APIConnectionError(f"{what}: {header_problem(request.headers.raw) or 'the request violates HTTP'}")
    text = clean_text(str(error), secrets_of(request)) or "no reason was given"
    if isinstance(error, httpx.DecodingError):
        problem = "was refused" if isinstance(error, BodyRefused) else "can't be unpacked"
        return APIConnectionError(f"{what}: the response {problem}: {text}")
    if isinstance(error, httpx.ConnectError) and any(reason in text for reason in _NO_TLS):
        return APIConnectionError(
            f"{what}: the server at this port doesn't use TLS. Nothing was sent. If it is the right "
            f"server, {Call.of(request).url_variable} must begin with http://, not https://",
            sent=False,
        )
    if isinstance(error, httpx.ConnectError) and (rejection := rejected_certificate(error)) is not None:
        problem, advice = certificate_problem(rejection, Call.of(request).url_variable)
        return APIConnectionError(
            f"{what}: the server's certificate was rejected, because {problem}. Nothing was sent. {advice}".rstrip(),
            sent=False,
        )
    advice = f". Check {Call.of(request).url_variable}" if isinstance(error, httpx.ConnectError) else ""
    if advice and request.url.host in ("localhost", "127.0.0.1", "::1"):
        advice = f"{advice}. Is the sandbox running? `interactor sandbox` starts it"
    return APIConnectionError(f"{what}: no response: {text} ({type(error).__name__}){advice}", sent=sent)


def _is_out_of_files(error: BaseException) -> bool:
    return any(isinstance(each, OSError) and each.errno in (errno.EMFILE, errno.ENFILE) for each in _causes(error))


def may_have_been_sent(error: httpx.TransportError) -> bool:
    """Whether any byte of the request can have reached the server when this happened."""
    return not isinstance(error, _BEFORE_SENDING)


def interrupt_behind(error: Exception) -> BaseException | None:
    """Return the exception of a signal handler or another thread that led to `error`, or is `error`.

    Another thread's exception (`PyThreadState_SetAsyncExc`, as in the time limits of RQ and stopit) is recognized by
    where it was raised: in our own code, which only raises our errors and httpx's.
    """
    if not isinstance(error, _KNOWN) and _innermost_package(error) in _OURS:
        return error
    return handler_behind(error)


def handler_behind(error: BaseException) -> BaseException | None:
    """Return the exception of a signal handler that led to `error`, or is `error`."""
    # Python only runs signal handlers in the main thread.
    handlers = set(_handlers()) if threading.current_thread() is threading.main_thread() else set()
    for each in _causes(error) if handlers else ():
        if any(frame.f_code in handlers for frame, _ in walk_tb(each.__traceback__)):
            return each
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    link: BaseException | None = error
    seen: set[int] = set()  # causes and contexts can form a cycle
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _innermost_package(error: BaseException) -> str:
    """Return the package whose code raised an error, skipping Python's own."""
    package = ""
    for frame, _ in walk_tb(error.__traceback__):
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        package = package if name in sys.stdlib_module_names else name
    return package


def _handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if code is not None:
            yield code


def rejected_certificate(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the certificate rejection that caused this error, if any."""
    return next((each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)


def certificate_problem(error: ssl.SSLCertVerificationError, variable: str) -> tuple[str, str]:
    """Return why the certificate was rejected, and advice. `variable` contains the server's URL."""
    if error.verify_code in _MISMATCH:
        problem = "it belongs to another host"
        advice = f"Check the host in {variable}. A proxy or a captive portal may have responded in its place."
    else:
        problem, advice = _PROBLEMS.get(error.verify_code, ("it can't be verified", ""))
    return f"{problem} ({error.verify_message.rstrip('.')})", advice
