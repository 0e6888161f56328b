"""InteractorConfig: the settings of a client, from keywords, environment variables and defaults."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, Unpack

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._interactor.config import checks, environments
from interactor_ext._interactor.config.environments import ENVIRONMENTS, URLS, Environment

_REQUIRED = ("client_id", "client_secret")
_VARIABLES: Mapping[str, str] = {
    name: f"INTERACTOR_{name.upper()}" for name in (*_REQUIRED, "environment", *URLS, "scopes", "require_namespace")
}


class WrappedSecret(Protocol):
    """A secret in an object that doesn't show it, such as pydantic's SecretStr."""

    def get_secret_value(self) -> str: ...


SecretFunction = Callable[[], str | WrappedSecret] | Callable[[], Awaitable[str | WrappedSecret]]
"""Returns the client secret: called before the first token request, and again after a refused one."""


class ConfigFields(TypedDict, total=False):
    """The fields of `InteractorConfig` as keywords. None counts as not given."""

    client_id: str | None
    client_secret: str | WrappedSecret | SecretFunction | None
    environment: Environment | None
    account_server_url: str | None
    core_api_url: str | None
    scopes: str | Sequence[str] | None
    namespace: str | None
    require_namespace: bool | None
    token_refresh_buffer: float | None
    timeout: float | None
    deadline: float | None
    max_retries: int | None
    max_response_size: int | None
    user_agent_suffix: str | None
    allow_insecure_http: bool | None


# A dataclass, because importing attrs takes a tenth as long as importing httpx.
@dataclass(frozen=True, init=False, repr=False)
class InteractorConfig:
    """Immutable settings of a client. A ConfigurationError lists everything that is wrong with them.

    Times are in seconds. `environment` is "production" or "sandbox" and sets both URLs; an explicit URL overrides it.
    Without it, both URLs of one environment say which it is; with neither, it is "production".
    `token_refresh_buffer` is how long before expiry a token is replaced. `timeout` limits one attempt, `deadline` the
    whole call with its retries. `max_response_size` is in bytes, after unpacking: larger responses are refused while
    they arrive, and so are events of a stream larger than a quarter of it. `scopes` is a sequence, or one string with
    spaces; empty means all that the OAuth client has. With `require_namespace`, a call to the Core API without a
    namespace is a ConfigurationError. `user_agent_suffix` identifies your application to the platform, as in
    "acme-crm/4.2". `allow_insecure_http` permits `http://` URLs of hosts that aren't local, which send the secret
    unencrypted. `client_secret` may also be pydantic's SecretStr, or a sync or async function that returns the current
    secret: it is called before the first token request, and again after a refused one.

    The rest comes from the environment, then from the defaults. These variables are read when the object is created:
    INTERACTOR_CLIENT_ID, INTERACTOR_CLIENT_SECRET, INTERACTOR_ENVIRONMENT, INTERACTOR_ACCOUNT_SERVER_URL,
    INTERACTOR_CORE_API_URL, INTERACTOR_SCOPES (separated by spaces) and INTERACTOR_REQUIRE_NAMESPACE (1, true, yes or
    on; 0, false, no or off); empty ones count as unset. An environment that contradicts a URL variable is an error,
    because it's unclear which of the two is meant. So is a variable like INTERACTOR_CORE_URL that isn't
    read, unless the setting that it resembles is given.
    """

    client_id: str
    client_secret: str | SecretFunction
    environment: str = "production"
    account_server_url: str = ENVIRONMENTS["production"][0]
    core_api_url: str = ENVIRONMENTS["production"][1]
    scopes: tuple[str, ...] = ()
    namespace: str | None = None
    require_namespace: bool = False
    token_refresh_buffer: float = 60.0
    timeout: float = 30.0
    deadline: float | None = None
    max_retries: int = 3
    max_response_size: int = 64 * 1024 * 1024
    user_agent_suffix: str | None = None
    allow_insecure_http: bool = False

    def __init__(self, **fields: Unpack[ConfigFields]) -> None:
        unknown = fields.keys() - ConfigFields.__annotations__.keys()
        if unknown:
            raise checks.unknown_setting(min(unknown), ConfigFields.__annotations__)
        variables = _environment()
        environments.check_environment(fields, variables)
        # None means not given, never "no limit", so a missing value doesn't switch off a timeout.
        keywords = {name: value for name, value in fields.items() if value is not None}
        given: dict[str, Any] = {**variables, **keywords}
        if "environment" not in keywords:
            # Both URLs as keywords also override the variable of the environment.
            said = keywords if "environment" in variables else given
            if environment := environments.environment_of([said.get(name) for name in URLS]):
                given["environment"] = environment
        unread = checks.unread_variables(_VARIABLES, _settled(given))
        given["client_secret"] = unwrapped(given.get("client_secret", ""))
        given["scopes"] = checks.scopes_of(given.get("scopes", ()))
        for name, url in zip(URLS, environments.urls_of(given.get("environment", self.environment)), strict=True):
            given[name] = environments.without_slash(given.get(name) or url)
        # The other defaults are attributes of the class.
        vars(self).update({"client_id": "", **given})
        problems = [problem for problem in (*unread, *self._problems()) if problem]
        if problems:
            raise ConfigurationError("; ".join(problems))
        checks.warn_of_milliseconds(self.timeout)
        checks.warn_of_variables(variables_without_effect(), given)

    def _problems(self) -> list[str | None]:
        return [
            *(
                checks.credential_problem(name, _VARIABLES[name], getattr(self, name))
                for name in _REQUIRED
                if name == "client_id" or not callable(self.client_secret)
            ),
            checks.environment_problem(self.environment, list(ENVIRONMENTS)),
            *(self._url_problem(name, getattr(self, name)) for name in URLS if getattr(self, name)),
            checks.flag_problem("allow_insecure_http", self.allow_insecure_http),
            checks.scopes_problem(self.scopes),
            None if self.namespace is None else checks.namespace_problem(self.namespace),
            checks.flag_problem("require_namespace", self.require_namespace),
            checks.seconds_problem("token_refresh_buffer", self.token_refresh_buffer, zero=True),
            checks.seconds_problem("timeout", self.timeout),
            None if self.deadline is None else checks.seconds_problem("deadline", self.deadline),
            checks.number_problem("max_retries", self.max_retries, 0),
            checks.number_problem("max_response_size", self.max_response_size, 1),
            None if self.user_agent_suffix is None else checks.user_agent_problem(self.user_agent_suffix),
        ]

    def _url_problem(self, name: str, value: str) -> str | None:
        """Why this isn't a usable URL, or must not receive secrets and tokens; None if it may."""
        if problem := checks.url_problem(name, value):
            return problem
        if (environment := environments.owner(value)) is None:
            return None if self.allow_insecure_http is True else checks.insecure_problem(name, httpx.URL(value))
        if environment != self.environment:
            other = next(each for each in URLS if each != name)
            is_mixture = environments.owner(getattr(self, other)) == self.environment
            return (
                f"{name} belongs to {environment!r}, but "
                f"{f'{other} to' if is_mixture else 'environment is'} {self.environment!r}: pass "
                f"environment={environment!r}, or leave out {name} and unset {_VARIABLES[name]}"
            )
        if httpx.URL(value).scheme != "https":
            return f"{name} must begin with https://, to encrypt the platform's secrets and tokens"
        return None

    @classmethod
    def from_env(cls, **overrides: Unpack[ConfigFields]) -> InteractorConfig:
        """The same as the constructor, but explicit: what `overrides` omit comes from the environment."""
        return cls(**overrides)

    def replace(self, **changes: Unpack[ConfigFields]) -> InteractorConfig:
        """A copy with some fields changed. URLs that `environment` sets change with it."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in ConfigFields.__annotations__}
        fields |= {name: value for name, value in changes.items() if value is not None}
        if changes.get("environment") is None:
            fields["environment"] = environments.environment_of([fields[name] for name in URLS]) or self.environment
        of_old, of_new = ENVIRONMENTS[self.environment], environments.urls_of(fields["environment"])
        for name, old, new in zip(URLS, of_old, of_new, strict=True):
            if changes.get(name) is None and fields[name] == old:
                fields[name] = new
        return type(self)(**fields)

    def __repr__(self) -> str:
        shown = (name for name in ConfigFields.__annotations__ if name != "client_secret")
        return f"InteractorConfig({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


# A type rather than a string: resolving a string looks in `interactor_ext`, the class's `__module__`.
InteractorConfig.__annotations__["client_secret"] = str | SecretFunction


def validate_env() -> None:
    """Check only the environment variables, for example when a service starts.

    Raises:
        ConfigurationError: names every missing variable, or else says what is wrong with those that are set.
    """
    environment = _environment()
    missing = [_VARIABLES[name] for name in _REQUIRED if name not in environment]
    if missing:
        unread = checks.unread_variables(_VARIABLES, _settled(environment))
        raise ConfigurationError("; ".join([f"not set in the environment: {', '.join(missing)}", *unread]))
    InteractorConfig.from_env()


def variables_without_effect() -> list[str]:
    """Variables that are set but have no effect: their settings are only available as keywords."""
    named = [f"INTERACTOR_{name.upper()}" for name in ConfigFields.__annotations__ if name not in _VARIABLES]
    return [variable for variable in named if os.environ.get(variable, "").strip()]


def unwrapped(secret: Any) -> Any:
    """Return a secret without its wrapper, if it has one."""
    return secret.get_secret_value() if hasattr(secret, "get_secret_value") else secret


def _settled(given: Mapping[str, Any]) -> set[str]:
    """Return the settings that were given. An environment determines both URLs, and both URLs determine the
    environment."""
    urls = URLS if "environment" in given else ()
    return {*given, *urls, *(["environment"] if all(map(given.get, URLS)) else [])}


def _environment() -> dict[str, Any]:
    # Secrets that were read from a file end with a line break.
    values = {name: os.environ.get(variable, "").strip() for name, variable in _VARIABLES.items()}
    found: dict[str, Any] = {name: value for name, value in values.items() if value}
    if (flag := found.get("require_namespace")) is not None:
        found["require_namespace"] = checks.FLAGS.get(flag.lower(), flag)
    return found
