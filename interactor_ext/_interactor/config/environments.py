"""The platform's environments with their two servers each, and how to tell which one is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._interactor.config import checks

Environment = Literal["production", "sandbox"]
ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "production": ("https://auth.interactor.com/api/v1", "https://core.interactor.com/api/v1"),
    "sandbox": ("https://sandbox-auth.interactor.com/api/v1", "https://sandbox-core.interactor.com/api/v1"),
}
"""The account server and the Core API of each environment."""
_OWNERS = {url.split("/")[2]: name for name, urls in ENVIRONMENTS.items() for url in urls}
URLS = ("account_server_url", "core_api_url")


def check_environment(overrides: Mapping[str, object], variables: Mapping[str, str]) -> None:
    """Raise ConfigurationError for URL variables that contradict the chosen environment."""
    environment = overrides.get("environment")
    given, advice = f"environment={environment!r} is given", "leave environment out"
    if environment is None and (environment := variables.get("environment")) is not None:
        given, advice = f"INTERACTOR_ENVIRONMENT is {environment!r}", "unset INTERACTOR_ENVIRONMENT"
    if not isinstance(environment, str) or environment not in ENVIRONMENTS:
        return
    others = [
        f"INTERACTOR_{name.upper()}"
        for name, url in zip(URLS, ENVIRONMENTS[environment], strict=True)
        if overrides.get(name) is None and name in variables and without_slash(variables[name]) != url
    ]
    if others:
        another = "name other servers: unset both" if others[1:] else "names another server: unset that"
        raise ConfigurationError(f"{given}, but {' and '.join(others)} {another} to use {environment!r}, or {advice}")


def environment_of(urls: Sequence[object]) -> str | None:
    """Return the environment that two URLs belong to, or that one of them does if the other is your own server."""
    owners = {owner(url) for url in urls} - {None}
    return owners.pop() if all(urls) and len(owners) == 1 else None


def owner(url: object) -> str | None:
    """Return the environment that this URL belongs to; None if it isn't one of the platform's servers."""
    if checks.url_problem("", url):
        return None
    return _OWNERS.get(httpx.URL(str(url)).host)


def urls_of(environment: object) -> tuple[str, str]:
    return ENVIRONMENTS.get(environment, ("", "")) if isinstance(environment, str) else ("", "")


def without_slash(url: Any) -> Any:
    return url.rstrip("/") if isinstance(url, str) else url
