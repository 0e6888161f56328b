"""Validates settings: each function returns what is wrong with a value, or None. No message repeats a secret.

`require` turns a problem into an error. The last functions find out which setting a wrong keyword or environment
variable means.
"""

from __future__ import annotations

import os
import string
import unicodedata
import warnings
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote

import httpx

from interactor_client import wire
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import depth_of_caller

_MAX_KEY_LENGTH = 255
# Thirty years. Longer timeouts overflow in the socket module.
_MAX_SECONDS = 1e9
# As seconds, this is more than 16 minutes, longer than anybody waits for one attempt. As milliseconds, it's the
# shortest timeout in common use.
_MAX_USUAL_TIMEOUT = 1000
_BY_HTTP = "HTTP itself sets it"
_REFUSED_HEADERS = {
    "authorization": "the access token goes there",
    "x-namespace": "create a view with client.namespace(...)",
    "idempotency-key": "pass idempotency_key= to with_options",
    "last-event-id": "pass last_event_id= to the stream",
    "accept-encoding": "the client itself says which encodings it can decode",
    "content-type": "the body determines it",
    "content-encoding": "the body determines it",
    "cookie": "this client doesn't send cookies",
    **dict.fromkeys(("host", "content-length", "expect"), _BY_HTTP),
    # https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
    **dict.fromkeys(("connection", "keep-alive", "proxy-connection", "te", "trailer"), _BY_HTTP),
    **dict.fromkeys(("proxy-authenticate", "proxy-authorization", "transfer-encoding", "upgrade"), _BY_HTTP),
}
_REFUSED_QUERY = {
    "namespace": "create a view with client.namespace(...)",
    "token": "URLs are logged, so they must not contain secrets",
    "access_token": "URLs are logged, so they must not contain secrets",
}
# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~" + string.ascii_letters + string.digits)
FLAGS = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
"""The values that an environment variable for a flag accepts, in lower case."""
_OF_THE_CLIENT = ("transport", "token_store", "retry_policy", "rate_limiter", "circuit_breaker", "telemetry")
# Environment variables with these names may well be the application's own.
_TOO_COMMON = ("host", "server", "mode", "stage", "sandbox", "test_mode")
_WITHOUT_SETTING = ("webhook_secret", "log")
_PREFIX = "INTERACTOR_"


def require(problem: str | None) -> None:
    """Raise ConfigurationError if there is a problem."""
    if problem is not None:
        raise ConfigurationError(problem)


def namespace_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"namespace must be a string, not {type(value).__name__}"
    if not value:
        return "namespace is empty: name a tenant, or leave it out for calls without one"
    if value != value.strip():
        # HTTP strips white space around a header's value, so the server would read another namespace.
        return f"namespace {value!r} begins or ends with white space, which wouldn't reach the server"
    if _holds_control(value):
        return f"namespace {value!r} contains a control character, which isn't allowed in a header"
    return None


def _holds_control(text: str) -> bool:
    """Whether there are control characters, lone surrogates, or line or paragraph separators. Spaces don't count."""
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _is_printable_ascii(text: str) -> bool:
    return text != "" and text.isascii() and text.isprintable() and text == text.strip()


def idempotency_key_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"idempotency_key must be a string, not {type(value).__name__}"
    if not _is_printable_ascii(value):
        return "idempotency_key must be printable ASCII, not empty, and must not begin or end with a space"
    if len(value) > _MAX_KEY_LENGTH:
        return f"idempotency_key has {len(value)} characters; the limit is {_MAX_KEY_LENGTH}"
    return None


def header_problem(name: object, value: object, namespace: str | None, allowed: frozenset[str]) -> str | None:
    """Check a header that the caller adds to a view with this namespace; `allowed` are names that are refused
    elsewhere.

    No message quotes the value, which may be a secret. None as a value removes the header.
    """
    if not isinstance(name, str) or not name or not _TOKEN_CHARACTERS.issuperset(name):
        return f"headers: {name!r} isn't a valid header name"
    reason = _REFUSED_HEADERS.get(name.lower())
    if reason is not None and name.lower() not in allowed and (name.lower(), value) != ("x-namespace", namespace):
        return f"headers: {name} can't be set: {reason}"
    if value is None:
        return None
    if not isinstance(value, str):
        return f"headers: the value of {name} must be a string, not {type(value).__name__}"
    return wire.header_problem([(name, value)])


def query_problem(name: object, value: object, namespace: str | None) -> str | None:
    """Check a query parameter that the caller adds to a view with this namespace. None as a value removes it."""
    if not isinstance(name, str) or not name or _holds_control(name):
        return f"query: {name!r} isn't a valid parameter name"
    if (reason := _REFUSED_QUERY.get(name.lower())) and (name.lower(), value) != ("namespace", namespace):
        return f"query: {name} can't be set: {reason}"
    for one in value if isinstance(value, list | tuple) else () if value is None else (value,):
        if not isinstance(one, str | int | float):
            return (
                f"query: {name} must be a string, a number, True or False, or a list of these, not {type(one).__name__}"
            )
        if isinstance(one, str) and _holds_control(one):
            return f"query: the value of {name} contains a control character"
    return None


def path_problem(path: object) -> str | None:
    """Check a path to be appended to the Core API's URL: it must not leave it, whether decoded or not."""
    if not isinstance(path, str) or not path.startswith("/"):
        return (
            f"the path must begin with a slash, like /assistants, not be {path!r}: it is appended to the Core API's URL"
        )
    if "?" in path or "#" in path:
        return "the path must not contain a query or a fragment: pass the query as params="
    if "" in path.split("/")[1:]:
        return f"the path {path!r} has an empty part: is an id missing?"
    decoded = unquote(path)
    parts = [part.partition(";")[0].strip() for part in decoded.split("/")]
    if "\\" in decoded or "." in parts or ".." in parts:
        return f"the path {path!r} would lead to another resource"
    return f"the path {path!r} contains a control character" if _holds_control(decoded) else None


def credential_problem(name: str, variable: str, value: object) -> str | None:
    if value is None or value == "":
        return f"{name} is missing: {f'set {variable}, or ' if variable else ''}pass the keyword {name}"
    if not isinstance(value, str):
        return f"{name} must be a string, not {type(value).__name__}"
    if value != value.strip() or not value.isprintable():
        return f"{name} begins or ends with white space, or contains a control character (such as a file's line break)"
    return None


def url_problem(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f"{name} must be a string, not {type(value).__name__}"
    if "@" in value:
        return f"{name} contains a user name or a password. URLs are logged, so remove them."
    if "?" in value or "#" in value:
        return f"{name} must not contain a query or a fragment, because paths are appended to it"
    try:
        url = httpx.URL(value)
        host = url.host
    except (httpx.InvalidURL, UnicodeError) as error:
        return f"{name} isn't a valid URL: {error}"
    if url.scheme not in ("http", "https") or not host or "%" in host or ".." in host:
        return f"{name} must look like https://host/path, not {value!r}"
    if url.port is not None and not 0 < url.port < 65536:
        return f"{name} has the port {url.port}; ports range from 1 to 65535"
    return None


def insecure_problem(name: str, url: httpx.URL) -> str | None:
    """Check an `http://` URL that passes `url_problem`."""
    if url.scheme == "https" or is_local(url.raw_host.decode("ascii")):
        return None
    return (
        f"{name} begins with http:// and {url.host} isn't local: the client secret and the access "
        "tokens would travel unencrypted. Use https://, or pass allow_insecure_http=True if you "
        "trust the network in between."
    )


def is_local(host: str) -> bool:
    """Whether requests to this host stay on this machine or in its private network.

    Local hosts are loopback, link-local and private addresses, `localhost`, single-label names (as in containers) and
    names with suffixes that the public DNS never has: `.localhost`, `.local` and `.internal`.
    """
    address = _address(host)
    if address is not None:
        return address.is_private
    name = host.lower().removesuffix(".")
    return "." not in host or name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def is_loopback(host: str) -> bool:
    """Whether requests to this host stay on this machine."""
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return f".{host.lower().removesuffix('.')}".endswith(".localhost")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def seconds_problem(name: str, value: object, *, zero: bool = False) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} must be a number of seconds, not {type(value).__name__}"
    if not 0 <= value <= _MAX_SECONDS or (value == 0 and not zero):
        return f"{name} must be a finite number of seconds, {'not negative' if zero else 'more than 0'}, not {value!r}"
    return None


def warn_of_milliseconds(timeout: float) -> None:
    """Warn if a timeout looks like milliseconds (RuntimeWarning). Python shows it once per line."""
    if timeout >= _MAX_USUAL_TIMEOUT:
        meant = f"timeout={timeout:g} is {timeout / 60:.0f} minutes, because the unit is seconds"
        problem = f"{meant}: write {timeout / 1000:g} if you mean milliseconds"
        warnings.warn(problem, RuntimeWarning, stacklevel=depth_of_caller())


def warn_of_variables(variables: Iterable[str], given: Container[str]) -> None:
    """Warn about variables for settings that can only be keywords, unless the keyword is given (RuntimeWarning)."""
    for variable in variables:
        if (name := variable.removeprefix("INTERACTOR_").lower()) not in given:
            problem = f"{variable} is set, but nothing reads it: pass {name}=... to the client"
            warnings.warn(problem, RuntimeWarning, stacklevel=depth_of_caller())


def flag_problem(name: str, value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if name == "require_namespace" and isinstance(value, str):
        return f"{name} must be True or False, or 1 or 0 in INTERACTOR_REQUIRE_NAMESPACE, not {value!r}"
    return f"{name} must be True or False, not {type(value).__name__}"


def number_problem(name: str, value: object, least: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"{name} must be a whole number, not {type(value).__name__}"
    return f"{name} must be at least {least}, not {value}" if value < least else None


def scopes_of(value: Any) -> Any:
    """The scopes in a string or a sequence as a tuple. Anything else is returned for `scopes_problem` to refuse."""
    return tuple(value.split() if isinstance(value, str) else value) if isinstance(value, Sequence) else value


def scopes_problem(value: object) -> str | None:
    if not isinstance(value, tuple) or not all(isinstance(scope, str) for scope in value):
        return "scopes must be strings: a sequence of them, or one string with spaces in between"
    # https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    unusable = [scope for scope in value if not _is_printable_ascii(scope) or set(scope) & set(' "\\')]
    return f"scopes contains {unusable[0]!r}, which isn't a valid OAuth scope" if unusable else None


def user_agent_problem(value: object) -> str | None:
    if not isinstance(value, str) or not _is_printable_ascii(value):
        return f"user_agent_suffix must be printable ASCII, such as 'acme-crm/4.2', not {value!r}"
    return None


def environment_problem(value: object, known: list[str]) -> str | None:
    if not isinstance(value, str) or value not in known:
        names = ", ".join(map(repr, known))
        return (
            f"Unknown environment {value!r}: use one of {names}, in INTERACTOR_ENVIRONMENT too, or leave "
            "it out and set the two URLs"
        )
    return None


def unknown_setting(name: str, settings: Collection[str]) -> TypeError:
    """Make the error for a keyword that isn't in `settings`."""
    names = [*settings, *_OF_THE_CLIENT]
    meant = _other_name(name, "settings", "settings.keywords") or _similar(name, names, 0.7)
    advice = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
    if name in _OF_THE_CLIENT:
        advice = f"pass it to the client, as in InteractorClient(config, {name}=...)"
    return TypeError(f"There is no setting {name!r}: {advice}")


def unread_variables(variables: Mapping[str, str], given: Collection[str]) -> list[str]:
    """Return a problem for each variable that nobody reads and that resembles a setting's variable, if that setting
    isn't given.

    `variables` are the settings' variables. Others may belong to the application.
    """
    problems = []
    for variable in os.environ:
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name in (*variables, *_WITHOUT_SETTING, *_TOO_COMMON):
            continue
        meant = _other_name(name, "settings") or _similar(name, [*variables, *_WITHOUT_SETTING], 0.8) or ""
        missing = [each for each in meant.split(" and ") if each in variables and each not in given]
        if missing and os.environ[variable].strip():
            right, keywords = (" and ".join(each) for each in ([variables[one] for one in missing], missing))
            problems.append(
                f"{variable} is set, but nothing reads it: did you mean {right}? Rename it; if it is your "
                f"application's own, set {right} as well, or pass {keywords}"
            )
    return problems


def _other_name(name: str, *sections: str) -> str | None:
    """Return our name for a setting that other SDKs call differently."""
    from interactor_client.hints import hint

    found = hint(sections, name)
    return found and found.text


def _similar(name: str, names: Collection[str], cutoff: float) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1, cutoff=cutoff)), None)
