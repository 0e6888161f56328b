"""What imports load, in fresh processes; and that public names, annotations and `__dir__` agree."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

import interactor_ext
from interactor_ext._engine import errors
from interactor_ext._engine.lazy import LazyModule

ROOT = Path(__file__).parents[2]
IMPORT, CONFIGURATION = "ImportError: ", "interactor_ext.ConfigurationError: "
CLIENTS = "from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorError"
HTTPX = "import httpx"  # loads its own command line where rich and click are there
CALL = """
import threading
import interactor_ext
with interactor_ext.InteractorClient(namespace='user_1') as client:
    bot = client.assistants.create(name='Bot', model='gpt-4', system_prompt='Be brief.')
    assert repr(client.assistants.list().data).startswith('[Assistant(')
    assert threading.enumerate() == [threading.main_thread()]
"""
STREAM = f"""{CALL}
    room = client.rooms.create(assistant_id=bot.id)
    with client.rooms.stream(room.id) as stream:
        client.messages.send(room.id, content='Hello!')
        next(stream)
"""
RECEIVER = (
    "from interactor_ext.webhooks import WebhookRouter, WebhookVerifier\n"
    "router = WebhookRouter(WebhookVerifier('whsec_a'), hand_over=print)"
)
STORE = "from interactor_ext.webhooks import PostgresEventStore; PostgresEventStore('host=nowhere')"
HTTPX2 = f"{CLIENTS}; InteractorClient(client_id='a', client_secret='b').credential_auth('c').httpx2_auth()"
ASYNC_STORE = STORE.replace("Postgres", "AsyncPostgres")
DJANGO = "import interactor_ext.webhooks.django"
SANDBOX = (
    "from interactor_ext.cli.app import command_line\ncommand_line(sandbox_alone=True)\n"
    "from interactor_ext.sandbox import Sandbox\nSandbox()"
)
GENERATED = {"interactor_client.models.*", "interactor_client.api.*"}
BATTERIES = {
    "chat._*",
    "tools",
    "webhooks",
    "sandbox",
    "testing",
    "cli",
    "telemetry._prometheus",
    "_engine.limits.limiter",
}
HEAVY = {"interactor_client.models", "attr", "asyncio", "dateutil", "httpcore", "concurrent.futures"}
ASYNC = {"asyncio", "interactor_ext.*async_*", "interactor_ext.*per_loop", "interactor_ext._engine.streams.read_ahead"}
NO_CLIENT = {*GENERATED, "interactor_client.client", "interactor_ext._clients", "interactor_ext._interactor.views"}
# What is done, what loads some of its modules anyway, a module that it needs, and those that it loads no part of.
LOADED = {
    "import": ("import interactor_ext", HTTPX, "interactor_ext", GENERATED | HEAVY),
    "import of the clients": (CLIENTS, HTTPX, "interactor_ext._clients", GENERATED | HEAVY),
    "client": (
        "import interactor_ext; interactor_ext.InteractorClient(client_id='a', client_secret='b')",
        f"{HTTPX}; httpx.Client()",
        "interactor_ext._clients",
        {"attr", "asyncio", "dateutil", *GENERATED, *(f"interactor_ext.{name}" for name in BATTERIES)},
    ),
    "call": (CALL, HTTPX, "interactor_client.models.assistant", {"pydantic", "pydantic_core", "fastapi", "IPython"}),
    "stream": (STREAM, HTTPX, "interactor_ext._engine.streams.stream", ASYNC),
    "webhook receiver": (
        RECEIVER,
        "pass",  # where coverage is measured, it is in every process
        "interactor_ext.webhooks",
        {"attr", "asyncio", "dateutil", "django", "fastapi", "httpx", "redis", "sqlite3", "subprocess", *NO_CLIENT},
    ),
    "webhook receiver with a PostgreSQL store": (
        f"{RECEIVER}; {STORE}",
        "pass",
        "psycopg",
        {"httpx", "redis", "sqlite3", "interactor_ext._interactor.tokens", *NO_CLIENT},
    ),
    "sandbox command": (
        SANDBOX,
        "pass",
        "uvicorn",
        {
            "cryptography",
            "jwt",
            "httpx",
            "interactor_ext._clients",
            "interactor_ext._interactor.views",
            "interactor_ext.cli.api",
        },
    ),
}


@cache
def loaded(code: str) -> set[str]:
    lines = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", lines], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.usefixtures("interactor_sandbox")
@pytest.mark.parametrize("what", LOADED)
def test_code_loads_only_what_it_uses(what: str) -> None:
    if what == "webhook receiver with a PostgreSQL store":
        pytest.importorskip("psycopg")
    code, anyway, used, unused = LOADED[what]
    modules = loaded(code)
    assert used in modules
    names = [name for name in modules - loaded(anyway) if any(fnmatch(f"{name}.", f"{each}.*") for each in unused)]
    assert sorted(names) == []


def test_doors_load_a_public_name_when_it_is_used() -> None:
    doors = ("retry", "limits", "transports", "tokens", "testing", "tools", "webhooks")
    code = "\n".join(
        f"import interactor_ext.{each} as {each}\nprint({{*{each}.__all__}} & {{*vars({each})}})" for each in doors
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines() == ["set()"] * len(doors)


def test_public_names_match_annotations_and_dir() -> None:
    tree = ast.parse((ROOT / "interactor_ext" / "__init__.py").read_text())
    annotated = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module
        not in ("__future__", "typing", "interactor_ext", "interactor_ext._engine", "interactor_ext._engine.lazy")
        and alias.name != "*"
    } | dict.fromkeys(errors.__all__, "interactor_ext._engine.errors")
    assert sorted(annotated) == sorted(interactor_ext.__all__)
    for name, module in annotated.items():
        value = getattr(interactor_ext, name)
        assert value is getattr(sys.modules[str(module)], name)
    assert set(interactor_ext.__all__) <= set(dir(interactor_ext))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        interactor_ext.nonsense  # noqa: B018


def extra(name: str) -> str:
    return f"needs an extra: pip install 'interactor-sdk[{name}]'"


@pytest.mark.parametrize(
    ("package", "code", "error", "said"),
    [
        ("starlette", "import interactor_ext.sandbox", IMPORT, f"interactor_ext.sandbox {extra('sandbox')}"),
        ("typer", "from interactor_ext import cli; exit(cli.main([]))", "", f"The command `interactor` {extra('cli')}"),
        ("mcp", "from interactor_ext import *; ToolSet().serve_mcp()", IMPORT, f"ToolSet.serve_mcp {extra('mcp')}"),
        ("psycopg", STORE, CONFIGURATION, f"PostgresEventStore {extra('postgres')}"),
        ("psycopg", ASYNC_STORE, CONFIGURATION, f"AsyncPostgresEventStore {extra('postgres')}"),
        ("httpx2", HTTPX2, IMPORT, "httpx2_auth() needs httpx2: pip install httpx2"),
        ("django", DJANGO, IMPORT, "interactor_ext.webhooks.django needs Django: pip install django"),
        ("asgiref", DJANGO, IMPORT, "interactor_ext.webhooks.django needs Django: pip install django"),
    ],
)
def test_what_needs_a_package_that_is_missing_says_what_to_install(
    package: str, code: str, error: str, said: str
) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"{error}{said}"


def test_attribute_of_a_lazy_module_cannot_be_set() -> None:
    """It would change nothing, and nobody would notice."""
    with pytest.raises(AttributeError, match=r"write `import tests\.support\.clock as"):
        LazyModule("tests.support.clock").Clock = None
