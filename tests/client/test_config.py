"""InteractorConfig: precedence, presets, and validation before anything is sent."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import (
    AsyncInteractorClient,
    ConfigurationError,
    InteractorClient,
    InteractorConfig,
    InteractorError,
    get_async_client,
    get_client,
    reset_clients,
    validate_env,
)

VARIABLES = (
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ACCOUNT_SERVER_URL",
    "CORE_API_URL",
    "SCOPES",
    "REQUIRE_NAMESPACE",
    "ENVIRONMENT",
)
SECRET = "secret_8f3a61c9d2"
GIVEN: dict[str, Any] = {"client_id": "client_x", "client_secret": SECRET}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"INTERACTOR_{name}", raising=False)


def test_defaults_of_all_settings() -> None:
    config = InteractorConfig(**GIVEN)
    assert (config.environment, config.scopes, config.namespace, config.deadline) == ("production", (), None, None)
    assert (config.token_refresh_buffer, config.timeout, config.max_retries) == (60, 30, 3)
    assert config.core_api_url == "https://core.interactor.com/api/v1"
    assert config.account_server_url == "https://auth.interactor.com/api/v1"


def test_arguments_override_environment_variables_which_override_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTOR_CLIENT_ID", "client_env")
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", "secret_env\n")
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", "https://proxy.example/core/")
    monkeypatch.setenv("INTERACTOR_SCOPES", "assistants:read  rooms:write")
    config = InteractorConfig.from_env(client_id="client_arg", timeout=None)
    assert (config.client_id, config.client_secret) == ("client_arg", "secret_env")
    assert config.core_api_url == "https://proxy.example/core"
    assert config.account_server_url == "https://auth.interactor.com/api/v1"
    assert config.scopes == ("assistants:read", "rooms:write")
    assert config.timeout == 30
    assert InteractorConfig(client_id="client_arg") == config
    chosen = InteractorConfig(**GIVEN, core_api_url="https://core.interactor.com/api/v1", scopes=())
    assert (chosen.core_api_url, chosen.scopes) == ("https://core.interactor.com/api/v1", ())
    # A config that was made stays as it is, and so does what is made of it.
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", "https://later.example/core")
    monkeypatch.setenv("INTERACTOR_SCOPES", "later:read")
    for twin in (chosen.replace(timeout=5), copy.deepcopy(chosen), dataclasses.replace(chosen)):
        assert (twin.core_api_url, twin.scopes) == (chosen.core_api_url, ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in ("1", "true", "True", "YES", "on", " 1\n")),
        *((value, False) for value in ("0", "false", "No", "OFF", "", " ")),
    ],
)
def test_require_namespace_is_read_from_the_environment(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_REQUIRE_NAMESPACE", value)
    assert InteractorConfig.from_env(**GIVEN).require_namespace is expected
    assert InteractorConfig.from_env(**GIVEN, require_namespace=not expected).require_namespace is not expected
    for client in (InteractorClient, AsyncInteractorClient):
        assert client(**GIVEN).config.require_namespace is expected


@pytest.mark.parametrize("value", ["2", "ja", "true false", "none"])
def test_require_namespace_that_is_no_flag_raises_configuration_error(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_REQUIRE_NAMESPACE", value)
    with pytest.raises(ConfigurationError, match=f"or 1 or 0 in INTERACTOR_REQUIRE_NAMESPACE, not '{value}'"):
        InteractorConfig.from_env(**GIVEN)
    with pytest.raises(ConfigurationError, match=r"client_secret is missing.*INTERACTOR_REQUIRE_NAMESPACE"):
        InteractorClient(client_id="client_x")


@pytest.mark.parametrize("client", [InteractorClient, AsyncInteractorClient])
def test_client_takes_config_or_keywords_or_both(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(500))
    config = InteractorConfig(**GIVEN, namespace="org_acme")
    assert client(config=config, transport=transport).config is not None
    assert client(config=config, timeout=5, transport=transport).config == config.replace(timeout=5)
    monkeypatch.setenv("INTERACTOR_CLIENT_ID", "client_env")
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", "secret_env")
    assert client(transport=transport, namespace="x").config.client_id == "client_env"
    with pytest.raises(TypeError, match="retry_polizy"):
        client(transport=transport, retry_polizy=None)


@pytest.mark.parametrize("client", [InteractorClient, AsyncInteractorClient, get_client, get_async_client])
def test_config_may_be_positional_and_leaves_the_rest_to_the_environment(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_ACCOUNT_SERVER_URL", "http://127.0.0.1:8765/api/v1")
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", "http://127.0.0.1:8765/api/v1")
    try:
        made = client(InteractorConfig(**GIVEN), timeout=7)
        assert {made.config.core_api_url, made.config.account_server_url} == {"http://127.0.0.1:8765/api/v1"}
        assert (made.config.client_id, made.config.timeout) == ("client_x", 7)
    finally:
        reset_clients()


def test_validate_env_names_all_missing_variables_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate_env()
    assert "INTERACTOR_CLIENT_ID" in str(caught.value)
    assert "INTERACTOR_CLIENT_SECRET" in str(caught.value)
    monkeypatch.setenv("INTERACTOR_CLIENT_ID", "client_x")
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", " ")
    with pytest.raises(ConfigurationError) as caught:
        validate_env()
    assert "INTERACTOR_CLIENT_ID" not in str(caught.value)
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", SECRET)
    validate_env()
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", "core.interactor.com")
    with pytest.raises(ConfigurationError, match="core_api_url"):
        validate_env()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        *json.loads(Path(__file__).with_name("invalid_settings.json").read_text()),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": 10**400}, "timeout"),
        ({"namespace": b"user"}, "namespace must be a string, not bytes"),
    ],
)
def test_invalid_setting_raises_configuration_error_before_sending(fields: dict[str, Any], words: str) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(500)

    for make in (InteractorConfig, InteractorClient):
        extra = {} if make is InteractorConfig else {"transport": httpx.MockTransport(answer)}
        with pytest.raises(ConfigurationError) as caught:
            make(**{**GIVEN, **fields, **extra})
        assert re.search(words, str(caught.value))
        assert "hunter2" not in str(caught.value)
        assert SECRET not in str(caught.value)
    assert sent == []


LOCAL = [
    *(
        "localhost",
        "LOCALHOST:8765",
        "app.localhost",
        "localhost.",
        "core-api",
        "core_api:8000",
        "127.0.0.1",
        "127.1.2.3",
    ),
    *("10.0.0.7", "172.16.0.1", "172.31.255.255", "192.168.1.9", "169.254.3.4", "[::1]", "[fd00::7]", "[fe80::1]"),
    *("[::ffff:10.0.0.7]", "0.0.0.0", "core.default.svc.cluster.local"),
    *("host.docker.internal", "printer.local:80"),
]
PUBLIC = [
    *("core.example.com", "core.example.com.", "localhost.example.com", "notlocalhost.com", "127.0.0.1.nip.io", "ai."),
    *("8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "100.64.0.1", "[2001:4860:4860::8888]"),
    *("[::ffff:8.8.8.8]", "8.8", "internal.example", "core。example。com"),
]


@pytest.mark.parametrize("name", ["core_api_url", "account_server_url"])
@pytest.mark.parametrize("host", LOCAL)
def test_http_url_of_local_or_private_host_is_accepted(name: str, host: str) -> None:
    url = f"http://{host}/api/v1"
    assert getattr(InteractorConfig(**GIVEN, **{name: url}), name) == url


@pytest.mark.parametrize("name", ["core_api_url", "account_server_url"])
@pytest.mark.parametrize("host", PUBLIC)
def test_http_url_of_public_host_is_refused_without_allow_insecure_http(name: str, host: str) -> None:
    url = f"http://{host}/api/v1"
    for make in (InteractorConfig, InteractorClient, AsyncInteractorClient):
        with pytest.raises(ConfigurationError, match=rf"{name} begins with http://.*allow_insecure_http=True"):
            make(**GIVEN, **{name: url})
    allowed = InteractorConfig(**GIVEN, **{name: url}, allow_insecure_http=True)
    assert getattr(allowed, name) == url
    assert getattr(InteractorConfig(**GIVEN, **{name: f"https://{host}/api/v1"}), name).startswith("https://")
    assert allowed.replace(timeout=5).allow_insecure_http is True


def test_http_url_of_the_platform_is_always_refused() -> None:
    with pytest.raises(ConfigurationError, match="must begin with https://"):
        InteractorConfig(**GIVEN, core_api_url="http://core.interactor.com/api/v1", allow_insecure_http=True)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:8765/api/v1", "https://proxy.example/api/v1"])
@pytest.mark.parametrize("client", [InteractorClient, AsyncInteractorClient, InteractorConfig])
def test_environment_argument_conflicting_with_url_variable_raises_error(
    client: Any, url: str, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", url)
    with pytest.raises(ConfigurationError, match=r"but INTERACTOR_CORE_API_URL names another server: unset that"):
        client(**GIVEN, environment=environment)
    client(**GIVEN)
    monkeypatch.setenv("INTERACTOR_ACCOUNT_SERVER_URL", url)
    with pytest.raises(ConfigurationError, match="_API_URL name other servers: unset both"):
        client(**GIVEN, environment=environment)
    monkeypatch.delenv("INTERACTOR_ACCOUNT_SERVER_URL")
    client(**GIVEN, environment=environment, core_api_url=url)  # keywords that somebody chose together
    monkeypatch.delenv("INTERACTOR_CORE_API_URL")
    preset = InteractorConfig(**GIVEN, environment=environment)
    monkeypatch.setenv("INTERACTOR_CORE_API_URL", f"{preset.core_api_url}/")
    monkeypatch.setenv("INTERACTOR_ACCOUNT_SERVER_URL", preset.account_server_url)
    assert InteractorConfig.from_env(**GIVEN, environment=environment) == preset


PRODUCTION: dict[str, Any] = {
    "account_server_url": "https://auth.interactor.com/api/v1",
    "core_api_url": "https://core.interactor.com/api/v1",
}
SANDBOX: dict[str, Any] = {
    "account_server_url": "https://sandbox-auth.interactor.com/api/v1",
    "core_api_url": "https://sandbox-core.interactor.com/api/v1",
}
MIXED = {"account_server_url": SANDBOX["account_server_url"], "core_api_url": PRODUCTION["core_api_url"]}
OWN = "https://proxy.example/api/v1"


@pytest.mark.parametrize(
    ("variables", "keywords", "expected"),
    [
        (SANDBOX, {}, "sandbox"),  # the platform guide's own .env
        (PRODUCTION, {}, "production"),
        ({}, SANDBOX, "sandbox"),
        ({"environment": " sandbox\n"}, {}, "sandbox"),
        ({"environment": "staging"}, {}, "Unknown environment 'staging'"),
        ({**SANDBOX, "environment": "sandbox"}, {}, "sandbox"),
        ({"account_server_url": SANDBOX["account_server_url"], "core_api_url": OWN}, {}, "sandbox"),
        ({"environment": "production"}, SANDBOX, "sandbox"),  # keywords override variables
        (SANDBOX, PRODUCTION, "production"),
        (PRODUCTION, {"environment": "production"}, "production"),
        (MIXED, {}, "belongs to 'sandbox', but core_api_url to 'production'"),
        (SANDBOX, {"core_api_url": PRODUCTION["core_api_url"]}, "but core_api_url to 'production'"),
        ({"account_server_url": SANDBOX["account_server_url"]}, {}, "but core_api_url to 'production'"),
        ({**SANDBOX, "environment": "production"}, {}, "INTERACTOR_ENVIRONMENT is 'production'"),
        (SANDBOX, {"environment": "production"}, "environment='production' is given"),
        ({}, {**SANDBOX, "environment": "production"}, "but environment is 'production'"),
    ],
)
def test_environment_is_what_somebody_set(
    variables: dict[str, str], keywords: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GIVEN, **variables}.items():
        monkeypatch.setenv(f"INTERACTOR_{name.upper()}", value)
    if expected in ("production", "sandbox"):
        assert InteractorConfig.from_env(**keywords).environment == expected
        with InteractorClient(InteractorConfig.from_env(**keywords)) as client:
            assert client.config.environment == expected
        return
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        InteractorConfig.from_env(**keywords)
    if not keywords:
        with pytest.raises(ConfigurationError, match=re.escape(expected)):
            validate_env()


@pytest.mark.parametrize(
    ("variables", "keywords", "meant"),
    [
        ({"CORE_URL": OWN}, {}, "INTERACTOR_CORE_API_URL"),
        ({"BASE_URL": OWN}, {}, "INTERACTOR_CORE_API_URL and INTERACTOR_ACCOUNT_SERVER_URL"),
        ({"BASE_URL": OWN, "CORE_API_URL": OWN}, {}, "INTERACTOR_ACCOUNT_SERVER_URL"),
        ({"AUTH_URL": OWN}, {"core_api_url": OWN}, "INTERACTOR_ACCOUNT_SERVER_URL"),
        ({"ENV": "sandbox"}, {}, "INTERACTOR_ENVIRONMENT"),
        ({"SCOPE": "admin"}, {}, "INTERACTOR_SCOPES"),
        ({"REQUIRE_NAMESPACES": "1"}, {}, "INTERACTOR_REQUIRE_NAMESPACE"),
        # Somebody said where to go, or the variable is the application's own.
        ({"CORE_URL": OWN}, {"core_api_url": OWN}, None),
        ({"CORE_URL": OWN, "CORE_API_URL": OWN}, {}, None),
        ({"CORE_URL": OWN, "ENVIRONMENT": "production"}, {}, None),
        ({"CORE_URL": " "}, {}, None),
        ({"ENV": "dev", "CORE_API_URL": OWN, "ACCOUNT_SERVER_URL": OWN}, {}, None),
        (
            {
                "API_KEY": "k",
                "WEBHOOK_SECRET_OLD": "s",
                "SANDBOX_CLIENT_ID": "i",
                "LOGS": "l",
                "TEAM": "t",
                "HOST": "h",
                "STAGE": "s",
                "SANDBOX": "0",
            },
            {},
            None,
        ),
    ],
)
def test_variable_that_nobody_reads_is_an_error_where_it_looks_like_one_that_is_missing(
    variables: dict[str, str], keywords: Any, meant: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CLIENT_ID": "id", "CLIENT_SECRET": SECRET, **variables}.items():
        monkeypatch.setenv(f"INTERACTOR_{name}", value)
    unread = next(iter(variables))
    for check in (partial(InteractorConfig.from_env, **keywords), *((validate_env,) if not keywords else ())):
        if meant is None:
            check()
            continue
        with pytest.raises(ConfigurationError) as caught:
            check()
        assert f"INTERACTOR_{unread} is set, but nothing reads it: did you mean {meant}? Rename it" in str(caught.value)
        assert OWN not in str(caught.value)


def test_variable_of_a_setting_that_has_only_a_keyword_warns_unless_it_is_given(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("INTERACTOR_TIMEOUT", "5")
    InteractorConfig(**GIVEN, timeout=5)
    assert not recwarn
    for make in (InteractorConfig, InteractorClient):
        with pytest.warns(RuntimeWarning, match=r"INTERACTOR_TIMEOUT is set, but .*: pass timeout=\.\.\.") as told:
            make(**GIVEN)
        assert [each.filename for each in told] == [__file__]


def test_missing_variable_that_has_another_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTOR_API_KEY", SECRET)
    for check in (validate_env, InteractorConfig.from_env):
        with pytest.raises(ConfigurationError, match="INTERACTOR_API_KEY is set, but nothing reads it") as caught:
            check()
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("namespace", ["user_123", "Zoë", "org acme", "日本", "a/b?c=d&e", "x" * 200])
def test_namespace_may_hold_any_printable_text(namespace: str) -> None:
    assert InteractorConfig(**GIVEN, namespace=namespace).namespace == namespace


def test_all_invalid_settings_are_reported_in_one_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        InteractorConfig(timeout=0, environment="staging", namespace="")
    for name in ("client_id", "client_secret", "environment", "timeout", "namespace"):
        assert name in str(caught.value)
    assert isinstance(caught.value, InteractorError)
    assert caught.value.code == "CONFIGURATION_ERROR"


def test_none_means_the_default_and_not_unlimited() -> None:
    config = InteractorConfig(**GIVEN, timeout=None, max_retries=None, token_refresh_buffer=None, scopes=None)
    assert config == InteractorConfig(**GIVEN)


def test_config_is_frozen_comparable_copyable_and_picklable() -> None:
    config = InteractorConfig(**GIVEN, scopes="a b", namespace="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.timeout = 5  # type: ignore[misc]
    for twin in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        assert hash(twin) == hash(config)
        assert twin.client_secret == SECRET
    with pytest.raises(TypeError, match="mode"):
        InteractorConfig(**GIVEN, mode="red")  # type: ignore[call-arg]


def test_replace_with_new_environment_changes_its_urls() -> None:
    config = InteractorConfig(**GIVEN).replace(environment="sandbox", timeout=5)
    assert config == InteractorConfig(**GIVEN, environment="sandbox", timeout=5)
    assert InteractorConfig(**GIVEN).replace(**SANDBOX, timeout=5) == config
    own = InteractorConfig(**GIVEN, core_api_url="http://localhost:1/x").replace(environment="sandbox")
    assert own.core_api_url == "http://localhost:1/x"
    assert own.account_server_url == "https://sandbox-auth.interactor.com/api/v1"
    # What does not go through `replace` must not send sandbox credentials to production.
    with pytest.raises(ConfigurationError, match="belongs to 'production'"):
        dataclasses.replace(config.replace(environment="production"), environment="sandbox")
