"""Names that are no setting, as a keyword or as an environment variable, and the setting that is meant."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

_CREDENTIALS = "client_id and client_secret"
_URLS = "core_api_url and account_server_url"
_TRANSPORT = "transport=Transport({}=...), or AsyncTransport"

# What other SDKs call a setting; in capitals, with INTERACTOR_ before it, also what a variable may be called.
_OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("api_key", "key", "token", "access_token", "auth", "credentials", "bearer_token"), _CREDENTIALS),
    **dict.fromkeys(("secret", "secret_key", "api_secret"), "client_secret"),
    **dict.fromkeys(("app_id", "key_id"), "client_id"),
    **dict.fromkeys(("base_url", "api_url", "api_base", "api_base_url", "url", "endpoint", "endpoint_url"), _URLS),
    **dict.fromkeys(("host", "server", "server_url", "api_host"), _URLS),
    **dict.fromkeys(("core_url", "core_base_url"), "core_api_url"),
    **dict.fromkeys(("auth_url", "auth_server_url", "account_url", "token_url"), "account_server_url"),
    **dict.fromkeys(("env", "mode", "stage", "sandbox", "test_mode"), "environment"),
    **dict.fromkeys(("tenant", "tenant_id", "organization", "org_id", "project", "workspace"), "namespace"),
    **dict.fromkeys(("timeout_ms", "timeout_seconds", "request_timeout", "read_timeout"), "timeout (in seconds)"),
    **dict.fromkeys(("connect_timeout", "http_timeout"), "timeout (in seconds)"),
    **dict.fromkeys(("total_timeout", "overall_timeout"), "deadline (in seconds)"),
    **dict.fromkeys(("retries", "retry", "num_retries", "max_attempts", "max_network_retries"), "max_retries"),
    **dict.fromkeys(("retry_config", "retry_strategy", "backoff", "backoff_factor"), "retry_policy=RetryPolicy(...)"),
    **dict.fromkeys(("proxy", "proxies", "http_proxy"), _TRANSPORT.format("proxy")),
    **dict.fromkeys(("verify", "verify_ssl", "ssl_verify", "ssl", "ca_bundle"), _TRANSPORT.format("verify")),
    **dict.fromkeys(("cert", "client_cert"), _TRANSPORT.format("cert")),
    "trust_env": _TRANSPORT.format("trust_env"),
    **dict.fromkeys(("http_client", "httpx_client", "session", "http_options", "adapter", "connector"), "transport"),
    **dict.fromkeys(("headers", "default_headers", "extra_headers"), "client.with_options(headers=...)"),
    **dict.fromkeys(("default_query", "query", "params"), "client.with_options(query=...)"),
    **dict.fromkeys(("event_hooks", "on_response"), "client.with_options(on_response=...)"),
    **dict.fromkeys(("user_agent", "app_name", "app_info"), "user_agent_suffix"),
    **dict.fromkeys(("cache", "token_cache"), "token_store"),
    **dict.fromkeys(("metrics", "tracer"), "telemetry"),
    **dict.fromkeys(("log_level", "debug", "verbose", "logger"), "the variable INTERACTOR_LOG=debug"),
    "webhook_secret": "WebhookVerifier(secret) of interactor_ext.webhooks",
}
_OF_THE_CLIENT = ("transport", "token_store", "retry_policy", "rate_limiter", "circuit_breaker", "telemetry")
# As variables, these may well be the application's own.
_TOO_COMMON = ("host", "server", "mode", "stage", "sandbox", "test_mode")
_WITHOUT_SETTING = ("webhook_secret", "log")
_PREFIX = "INTERACTOR_"


def unknown_setting(name: str, settings: Collection[str]) -> TypeError:
    """The error for a keyword that is none of `settings`."""
    names = [*settings, *_OF_THE_CLIENT]
    meant = _OTHER_NAMES.get(name) or _similar(name, names, 0.7)
    advice = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
    if name in _OF_THE_CLIENT:
        advice = f"pass it to the client, as in InteractorClient(config, {name}=...)"
    return TypeError(f"There is no setting {name!r}: {advice}")


def unread_variables(variables: Mapping[str, str], given: Collection[str]) -> list[str]:
    """A problem for each variable that nobody reads and that looks like that of a setting that nobody gave.

    `variables` are those of the settings. Others may belong to the application.
    """
    problems = []
    for variable in os.environ:
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name in (*variables, *_WITHOUT_SETTING, *_TOO_COMMON):
            continue
        meant = _OTHER_NAMES.get(name) or _similar(name, [*variables, *_WITHOUT_SETTING], 0.8) or ""
        missing = [each for each in meant.split(" and ") if each in variables and each not in given]
        if missing and os.environ[variable].strip():
            right, keywords = (" and ".join(each) for each in ([variables[one] for one in missing], missing))
            problems.append(
                f"{variable} is set, but nothing reads it: did you mean {right}? Rename it; if it is your "
                f"application's own, set {right} as well, or pass {keywords}"
            )
    return problems


def _similar(name: str, names: Collection[str], cutoff: float) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1, cutoff=cutoff)), None)
