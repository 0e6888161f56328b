"""The checks of `interactor doctor`, in order; each runs only if those before it passed."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any

from interactor_client.api.oauth import get_jwks
from interactor_ext import InteractorClient, InteractorConfig, validate_env
from interactor_ext._engine.errors import (
    AuthenticationError,
    ConfigurationError,
    InteractorError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.retry_policy import parse_http_date
from interactor_ext._interactor import __version__
from interactor_ext._interactor.config import variables_without_effect
from interactor_ext._interactor.tokens.auth import token_request
from interactor_ext.cli import operations
from interactor_ext.cli.network import Finding, reach
from interactor_ext.cli.settings import WITHOUT_ACCOUNT
from interactor_ext.webhooks import MemoryEventStore
from interactor_ext.webhooks.worker._loading import load_router

# List operations for the read call; the first one within the scopes is used.
_LISTS = ("list_assistants", "list_rooms", "list_credentials", "list_workflows", "list_webhooks", "list_tools")
# In seconds. Deliveries are refused beyond 300 s; a clock this far off is drifting towards that.
_MAX_SKEW = 60.0


def examine_receiver(name: str | None) -> Finding:
    """Check the webhook router that `module:name` names, whatever the other checks find: it needs no platform."""
    if name is None:
        return Finding("webhooks", "skipped", "pass a router with --webhooks to check it")
    try:
        router = load_router(name)
    except (Exception, SystemExit) as error:
        detail = str(error) if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {error}"
        advice = (
            "Run this where your application runs: in the same folder, with the same variables and the same Python."
        )
        return Finding("webhooks", "failed", f"{name!r} can't be imported. {clean_text(detail)}", advice)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            router.check()
    except ConfigurationError as error:
        advice = "Fix it: until then, events get a 503 response or reach no handler."
        return Finding("webhooks", "failed", clean_text(str(error)), advice)
    if caught:
        detail = clean_text(str(caught[0].message))
        return Finding("webhooks", "warning", detail, "Until they are moved, nobody handles these events.")
    if router.queue is None and isinstance(router.store, MemoryEventStore):
        detail = f"{name} remembers events in memory: after a restart, or in another process, every event is new"
        return Finding("webhooks", "warning", detail, "Use a persistent store, such as SQLiteEventStore(path).")
    return Finding("webhooks", "ok", f"{name} can reach its {type(router.queue or router.store).__name__}")


def examine(namespace: str | None, needed: tuple[str, ...], *, allow_insecure_http: bool = False) -> Iterator[Finding]:
    """Run the checks and yield their findings. The token must have the `needed` scopes."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of variables without effect: the doctor reports them itself
            if not allow_insecure_http:
                validate_env()
            config = InteractorConfig.from_env(
                user_agent_suffix="interactor-doctor",
                allow_insecure_http=allow_insecure_http,
                require_namespace=False,  # examines the account
            )
    except ConfigurationError as error:
        advice = "Fix it: until then, no client can be created."
        if str(error).startswith("not set"):
            advice = f"Fix it, for example with `export INTERACTOR_CLIENT_ID=...`. {WITHOUT_ACCOUNT}"
        yield Finding("environment", "failed", str(error), advice)
        return
    urls = f"{config.account_server_url} and {config.core_api_url}"
    versions = f"SDK {__version__}, Python {platform.python_version()}"
    yield Finding("environment", "ok", f"id and secret are set, for {urls}; {versions}")
    if unread := variables_without_effect():
        advice = "Pass the client's keyword of the same name, unless your application reads the variable itself."
        yield Finding("environment", "warning", f"the SDK doesn't read {', '.join(unread)}", advice)
    failed = False
    for finding in chain(
        reach("account server", "INTERACTOR_ACCOUNT_SERVER_URL", config.account_server_url),
        reach("Core API", "INTERACTOR_CORE_API_URL", config.core_api_url),
    ):
        failed = failed or finding.status == "failed"
        yield finding
    if failed:
        return
    with InteractorClient(config=config, max_retries=0, timeout=10, circuit_breaker=False) as client:
        yield from _conversation(client, namespace, needed)


def _conversation(client: InteractorClient, namespace: str | None, needed: tuple[str, ...]) -> Iterator[Finding]:
    yield _clock(client)
    try:
        answer = operations.send(client, token_request(client.config))
        client.get_access_token()
    except InteractorError as error:
        yield _refused("token", error, _token_advice(error))
        return
    yield Finding("token", "ok", f"issued to {client.config.client_id}")
    said = answer.get("data", answer).get("scope")
    granted = frozenset(said.split()) if isinstance(said, str) else None
    wanted = {*client.config.scopes, *needed}
    if unknown := set(needed) - operations.scopes() - (granted or set()):
        detail = f"no operation needs the scope {', '.join(sorted(unknown))}, and the token doesn't have it"
        yield Finding("scopes", "failed", detail, f"Scopes are: {', '.join(sorted(operations.scopes()))}.")
        return
    if granted is None:
        detail = "the server doesn't report which scopes were granted"
        advice = "Whether the token has the scopes of --needs is unknown." if needed else ""
        yield Finding("scopes", "warning" if needed else "skipped", detail, advice)
    elif "admin" not in granted and (missing := wanted - granted):
        yield _missing_scope(", ".join(sorted(missing)))
        return
    else:
        yield Finding("scopes", "ok", " ".join(sorted(granted)) or "none")
    # A client without configured scopes is expected to have all.
    has_all = not wanted or granted is None or "admin" in granted
    readable = [name for name in _LISTS if has_all or wanted.issuperset(operations.describe(name).scopes)]
    if not readable:
        yield Finding("read call", "skipped", "no scope of this client allows reading a list")
        return
    read = _read(client, readable[0])
    yield read
    if read.status != "failed":
        yield _namespace(client, namespace, readable)


def _clock(client: InteractorClient) -> Finding:
    try:
        response = client.api.get_httpx_client().request(**get_jwks._get_kwargs())
    except InteractorError as error:
        return Finding(
            "clock", "failed", str(error), "Check INTERACTOR_ACCOUNT_SERVER_URL: there is no HTTP server at that URL."
        )
    now = time.time()
    told = parse_http_date(response.headers.get("date", ""))
    if told is None:
        return Finding("clock", "skipped", "the server doesn't report its time")
    ahead = now - told
    detail = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server"
    if abs(ahead) <= _MAX_SKEW:
        return Finding("clock", "ok", detail)
    advice = (
        "Synchronize the clock with NTP. Otherwise tokens seem to expire at the wrong time, and "
        "webhooks may be refused."
    )
    return Finding("clock", "failed", detail, advice)


def _token_advice(error: InteractorError) -> str:
    if error.code == "invalid_scope" or "scope" in str(error).lower():
        return (
            "INTERACTOR_SCOPES requests a scope that this client isn't allowed. Grant it in the "
            "dashboard, or request less."
        )
    if isinstance(error, AuthenticationError):
        return (
            "INTERACTOR_CLIENT_ID or INTERACTOR_CLIENT_SECRET is wrong, or belongs to another "
            "environment. Compare them with the dashboard; a rotated secret is no longer accepted."
        )
    if isinstance(error, ServerError):
        return "The account server has a problem. Try again in a minute."
    return "This doesn't look like Interactor's account server. Check INTERACTOR_ACCOUNT_SERVER_URL."


def _missing_scope(name: str) -> Finding:
    advice = (
        "Grant it to the client in the dashboard. If this service shouldn't have it, list the scopes "
        "that it needs in INTERACTOR_SCOPES."
    )
    return Finding("scopes", "failed", f"the token lacks the scope {name}", advice)


def _read(client: InteractorClient, name: str) -> Finding:
    operation = operations.describe(name).operation
    began = time.perf_counter()
    try:
        _request_one(client, name)
    except PermissionDeniedError:
        return _missing_scope(" ".join(operations.describe(name).scopes))
    except AuthenticationError as error:
        advice = "The Core API doesn't accept the account server's token. Do both URLs belong to the same environment?"
        return _refused("read call", error, advice)
    except InteractorError as error:
        advice = (
            "The Core API has a problem. Try again in a minute."
            if isinstance(error, ServerError)
            else "This doesn't look like Interactor's Core API. Check INTERACTOR_CORE_API_URL."
        )
        return _refused("read call", error, advice)
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding("read call", "ok", f"{operation.method} {operation.path} in {milliseconds:.0f} ms")


def _namespace(client: InteractorClient, namespace: str | None, readable: list[str]) -> Finding:
    if namespace is None:
        return Finding("namespace", "skipped", "pass one with --namespace to check it")
    try:
        tenant = client.namespace(namespace)
        empty = [name for name in readable if not _request_one(tenant, name)]
    except ConfigurationError as error:
        return Finding("namespace", "failed", str(error), "Choose a name for the tenant, such as user_123 or org_acme.")
    except (PermissionDeniedError, NotFoundError) as error:
        advice = "Check the spelling. If it is right, grant this client access: tokens only reach their own namespaces."
        return _refused("namespace", error, advice, what=f"{namespace!r} doesn't exist, or this client has no access")
    except InteractorError as error:
        return _refused("namespace", error, "Try again in a minute.")
    if len(empty) == len(readable):
        detail = f"{namespace!r} is empty: nothing has been created in it yet"
        return Finding("namespace", "warning", detail, "If it shouldn't be empty, check the spelling.")
    return Finding("namespace", "ok", f"{namespace!r} contains data")


def _request_one(client: InteractorClient, name: str) -> list[Any]:
    """Request a list with one item. Raises InteractorError."""
    answer = operations.send(client, operations.arguments(operations.describe(name), {"per_page": "1"}))
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise NotFoundError(f"The response of {client.config.core_api_url} isn't a list in Interactor's format.")
    return data


def _refused(check: str, error: InteractorError, advice: str, *, what: str = "") -> Finding:
    if isinstance(error, RateLimitError):
        wait = f"in {error.retry_after:.0f} s" if error.retry_after is not None else "in a minute"
        advice = (
            f"This client is rate limited. Try again {wait}. If this happens in production, share one "
            "client and one token, and give the client a rate_limiter."
        )
    return Finding(check, "failed", f"{what}: {error}" if what else str(error), advice)
