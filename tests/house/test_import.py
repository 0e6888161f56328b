"""What imports load, in fresh processes; and that public names, annotations and `__dir__` agree."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import interactor_ext

ROOT = Path(__file__).parents[2]
CLIENTS = "from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorError"


def loaded(code: str) -> set[str]:
    lines = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", lines], check=True, capture_output=True, text=True).stdout.split())


MODELS_AND_ENDPOINTS = ("interactor_client.models.", "interactor_client.api.")
CONSTRUCTED = "import interactor_ext; interactor_ext.InteractorClient(client_id='a', client_secret='b')"
RECEIVER = (
    "from interactor_ext.webhooks import WebhookRouter, WebhookVerifier\n"
    "router = WebhookRouter(WebhookVerifier('whsec_a'), hand_over=print)"
)


@pytest.mark.parametrize("code", ["import interactor_ext", CLIENTS])
def test_importing_the_package_and_its_clients_loads_no_model_no_endpoint_and_nothing_heavy(code: str) -> None:
    modules = loaded(code) - loaded("import httpx")  # which loads its own command line where rich and click are there
    assert not [name for name in modules if name.startswith(MODELS_AND_ENDPOINTS)]
    assert not modules & {"interactor_client.models", "attr", "asyncio", "dateutil", "httpcore", "concurrent.futures"}


def test_constructing_a_sync_client_loads_no_attrs_no_asyncio_no_models_and_no_battery() -> None:
    modules = loaded(CONSTRUCTED) - loaded("import httpx; httpx.Client()")
    unused = {"attr", "asyncio", "dateutil", "interactor_ext._effects"}
    assert sorted(modules & unused) == []
    batteries = ("chat", "tools", "webhooks", "sandbox", "testing", "cli", "telemetry._prometheus", "limits._limiter")
    prefixes = (*MODELS_AND_ENDPOINTS, *(f"interactor_ext.{name}" for name in batteries))
    assert sorted(name for name in modules if name.startswith(prefixes)) == []


def test_sandbox_command_loads_no_client_no_cryptography_and_no_other_command_before_it_serves() -> None:
    code = (
        "from interactor_ext.cli.app import command_line\ncommand_line(sandbox_alone=True)\n"
        "from interactor_ext.sandbox import Sandbox\nSandbox()"
    )
    modules = loaded(code)
    assert {"uvicorn", "interactor_ext.sandbox.platform.accounts"} <= modules
    assert not modules & {"cryptography", "jwt", "httpx", "interactor_ext._client", "interactor_ext.cli.api"}


@pytest.mark.usefixtures("interactor_sandbox")
def test_neither_import_nor_a_call_loads_pydantic() -> None:
    call = (
        "import interactor_ext\n"
        "with interactor_ext.InteractorClient(namespace='user_1') as client:\n"
        "    client.assistants.create(name='Bot', model='gpt-4', system_prompt='Be brief.')\n"
        "    assert repr(client.assistants.list().data).startswith('[Assistant(')"
    )
    modules = loaded(call) - loaded("import httpx")  # which loads its own command line where rich and click are there
    assert "interactor_client.models.assistant" in modules
    assert not modules & {"pydantic", "pydantic_core", "fastapi", "IPython"}


def test_webhook_receiver_loads_no_client_no_httpx_no_asyncio_no_redis_and_no_models() -> None:
    modules = loaded(RECEIVER) - loaded("pass")  # where coverage is measured, it is in every process
    unused = {
        "attr",
        "asyncio",
        "dateutil",
        "django",
        "fastapi",
        "httpx",
        "redis",
        "sqlite3",
        "subprocess",
        "interactor_ext.tokens._redis",
    }
    assert sorted(modules & unused) == []
    prefixes = (*MODELS_AND_ENDPOINTS, "interactor_client.client", "interactor_ext._client")
    assert sorted(name for name in modules if name.startswith(prefixes)) == []


def test_webhook_receiver_with_postgres_store_loads_no_client_no_httpx_and_no_models() -> None:
    pytest.importorskip("psycopg")
    store = "from interactor_ext.webhooks import PostgresEventStore; PostgresEventStore('host=nowhere')"
    modules = loaded(f"{RECEIVER}; {store}") - loaded("pass")
    assert "psycopg" in modules
    prefixes = (*MODELS_AND_ENDPOINTS, "interactor_client.client", "interactor_ext._client", "interactor_ext.tokens")
    assert sorted(name for name in modules if name.startswith(prefixes)) == []
    assert sorted(modules & {"httpx", "redis", "sqlite3", "psycopg_pool"}) == []


def test_public_names_match_annotations_and_dir() -> None:
    tree = ast.parse((ROOT / "interactor_ext" / "__init__.py").read_text())
    annotated = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module not in ("__future__", "typing", "interactor_ext._lazy")
    }
    assert sorted(annotated) == sorted(interactor_ext.__all__)
    for name, module in annotated.items():
        value = getattr(interactor_ext, name)
        assert value is getattr(sys.modules[str(module)], name)
    assert set(interactor_ext.__all__) <= set(dir(interactor_ext))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        interactor_ext.nonsense  # noqa: B018


def test_version_matches_pyproject() -> None:
    assert interactor_ext.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_star_import_loads_every_public_name() -> None:
    namespace: dict[str, object] = {}
    exec("from interactor_ext import *", namespace)
    assert set(interactor_ext.__all__) <= set(namespace)


def test_sandbox_without_its_extra_raises_import_error_that_says_what_to_install() -> None:
    code = "import sys; sys.modules['starlette'] = None; import interactor_ext.sandbox"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    needed = "ImportError: interactor_ext.sandbox needs an extra: pip install 'interactor-sdk[sandbox]'"
    assert done.stderr.splitlines()[-1] == needed
