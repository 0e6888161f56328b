"""Import rules of the packages, and other rules that are checked in their source."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import webhook_stores

ROOT = Path(__file__).parents[2]
CORE_DEPENDENCIES = {"attr", "attrs", "httpx", "dateutil"}
# What one room or module may import besides: the extra that unlocks it, or what httpx itself is made of.
EXTRA_ROOMS = {
    "cli": {"typer", "rich", "starlette"},
    "sandbox": {"starlette", "uvicorn", "h11", "jsonschema", "jwt", "cryptography"},
    "pytest_plugin.py": {"pytest"},
    "testing/explore_plugin.py": {"pytest"},
    "testing/explore_run.py": {"pytest", "_pytest"},
    "_engine/network": {"h11"},
    "_interactor/views/httpx2_auth.py": {"httpx2"},
    "relay/django.py": {"asgiref", "django"},
    "webhooks/_fastapi.py": {"fastapi", "pydantic", "starlette"},
    "webhooks/_flask.py": {"flask"},
    "webhooks/_transactions.py": {"sqlalchemy"},
    "webhooks/django": {"asgiref", "django"},
}

# Each imports of its own band and of those before it.
BANDS = (
    {"_engine"},
    {"_interactor"},
    {"chat", "tools", "webhooks", "telemetry"},
    {"_clients"},
    {"relay"},
    {"deprecation", "limits", "logs", "retry", "sse", "tokens", "transports"},  # what users import of the first two
    {"sandbox", "testing", "cli", "pytest_plugin"},
)
CLIENT = (
    *(
        "interactor_ext._clients",
        "interactor_ext._interactor.views",
        "interactor_ext._interactor.tokens.auth",
        "interactor_ext.InteractorClient",
    ),
    *("interactor_ext.AsyncInteractorClient", "interactor_ext.get_client", "interactor_ext.get_async_client"),
    "interactor_ext.reset_clients",
)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def source(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path, *, top_level_only: bool = False, typing_too: bool = False) -> Iterator[str]:
    """The absolute names of the imports of a module, without those under `if TYPE_CHECKING:` unless `typing_too`."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    stack: list[ast.AST] = [source(path)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not typing_too:
            stack.extend(node.orelse)
        elif not (top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def importing(package: str, name: str | tuple[str, ...], **how: bool) -> dict[str, str]:
    """The modules of a package that import something whose name begins so, and its name."""
    return {named(path): each for path in modules(package) for each in imports(path, **how) if each.startswith(name)}


def test_interactor_client_does_not_import_interactor_ext() -> None:
    assert importing("interactor_client", "interactor_ext") == {}


def test_imports_go_down_and_the_engine_knows_nothing_of_interactor() -> None:
    """What the engine needs of a room above is handed to it. Own code imports a name from where it is defined."""
    level = {room: number for number, band in enumerate(BANDS) for room in band}
    # A folder that has nothing but the cache of moved modules is no room.
    rooms = {
        path.relative_to(ROOT / "interactor_ext").parts[0].removesuffix(".py") for path in modules("interactor_ext")
    }
    assert rooms == {*level, "__init__"}, "add it to BANDS"
    upward = [
        f"{named(path)} imports {name}"
        for path in modules("interactor_ext")
        if path.parent != ROOT / "interactor_ext" or path.stem != "__init__"
        for name in imports(path, typing_too=True)
        if name.startswith("interactor_ext.")
        and level.get(name.split(".")[1], level["_clients"]) > level[module_name(path).split(".")[1]]
    ]
    assert upward == []
    of_the_api = ("interactor_client.models", "interactor_client.api")
    assert importing("interactor_ext/_engine", of_the_api, typing_too=True) == {}


@pytest.mark.parametrize("room", ["webhooks", "sandbox"])
def test_webhooks_and_sandbox_do_not_import_the_client(room: str) -> None:
    # Within functions too; a sandbox makes clients of itself for those who ask.
    offending = importing(f"interactor_ext/{room}", CLIENT, top_level_only=room == "sandbox")
    assert offending == {}, "see `Who may import what` in docs/explanation/architecture.md"


def test_rooms_of_the_sandbox_import_in_one_direction() -> None:
    """What a room needs of one above it moves down, or is handed over."""
    rooms = ["inspector", "http", "platform", "delivery", "storage"]
    for level, room in enumerate(rooms):
        above = tuple(f"interactor_ext.sandbox.{each}" for each in ["_sandbox", "app", *rooms[:level]])
        assert importing(f"interactor_ext/sandbox/{room}", above, typing_too=True) == {}


def test_only_the_command_line_imports_the_relay() -> None:
    found = importing("interactor_ext", "interactor_ext.relay", typing_too=True)
    offending = [path for path in found if not path.startswith(("interactor_ext/relay/", "interactor_ext/cli/"))]
    assert offending == [], "see `Who may import what` in docs/explanation/architecture.md"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Move what both need to a module of its own. Imports in functions and under TYPE_CHECKING count."""
    names = {module_name(path): path for path in modules("interactor_ext")}
    graph = {}
    for name, path in names.items():
        found = {each for each in imports(path, typing_too=True) if each in names and each != name}
        # `from package import module` needs the module alone.
        graph[name] = {each for each in found if not any(other.startswith(f"{each}.") for other in found)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_no_module_imports_an_extra_at_module_level() -> None:
    offending = {}
    for path in modules("interactor_ext"):
        module = path.relative_to(ROOT / "interactor_ext")
        unlocked = [EXTRA_ROOMS.get(each.as_posix(), set()) for each in (module, *module.parents)]
        allowed = CORE_DEPENDENCIES.union(*unlocked, {"interactor_client", "interactor_ext"}, sys.stdlib_module_names)
        if foreign := {name.split(".")[0] for name in imports(path, top_level_only=True)} - allowed:
            offending[named(path)] = foreign
    assert offending == {}


def test_loggers_come_from_one_module_which_has_their_null_handler() -> None:
    """Edit the module to `from interactor_ext._engine.logs import logger`, or add a logger there."""
    making = [named(path) for path in modules("interactor_ext") if 'getLogger("interactor' in path.read_text()]
    assert making == ["interactor_ext/_engine/logs.py"]


def test_locks_come_from_one_module() -> None:
    """Use `safe_lock` or `fork_safe_lock`: Python 3.14 can leave others taken. Signals never reach a store's thread."""
    making = [named(path) for path in modules("interactor_ext") if re.search(r"threading\.R?Lock\(", path.read_text())]
    assert making == ["interactor_ext/_engine/fork.py", "interactor_ext/_interactor/tokens/__init__.py"]


def test_no_deadline_depends_on_the_systems_time() -> None:
    """It can be set back. A token's expiry and a date in `Retry-After` are points of it."""
    folders = ("_engine", "_clients", "_interactor/views", "chat", "tools")
    texts = {named(path): path.read_text() for each in folders for path in modules(f"interactor_ext/{each}")}
    found = {path.rpartition("/")[2] for path, text in texts.items() if "time.time" in text}
    assert found == {"credential_auth.py", "other_apis.py", "retry_policy.py"}


def test_no_test_replaces_the_clock_of_the_process() -> None:
    """Event loops of other threads, such as that of a sandbox, would wait for times that never come."""
    replaced = re.compile(r"""time(\.|, ['"])(monotonic|time|perf_counter)['"],""")
    assert [path.name for path in (ROOT / "tests").rglob("*.py") if replaced.search(path.read_text())] == []


def test_asserts_of_the_support_modules_say_what_they_compared() -> None:
    with pytest.raises(AssertionError, match=r"assert \(0, 'claim', 2\) == \(0, 'claim', 1\)"):
        webhook_stores.check(SimpleNamespace(claim=lambda: 2), [("claim", (), 1)], print)


def test_the_core_depends_on_four_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {name.split(">")[0] for name in project["dependencies"]} == {"attrs", "h11", "httpx", "python-dateutil"}


def test_no_module_calls_with_headers_with_cookies_or_with_timeout() -> None:
    """Make a view with `.namespace()` or `.with_options()`: a changed client would mix the namespaces of tenants."""
    offending = {
        named(path): node.attr
        for path in modules("interactor_ext")
        for node in ast.walk(source(path))
        if isinstance(node, ast.Attribute) and node.attr in {"with_headers", "with_cookies", "with_timeout"}
    }
    assert offending == {}


def test_what_strangers_send_is_compared_with_a_secret_in_constant_time() -> None:
    """Use `compare_digest`, as `==` takes longer the more of the secret was guessed. Add the module of a new check."""
    calling = {
        named(path).removeprefix("interactor_ext/")
        for path in modules("interactor_ext")
        for node in ast.walk(source(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("compare_digest")
    }
    assert calling == {
        *("cli/chat_page/__init__.py", "relay/_event_ids.py", "webhooks/signature.py"),
        *("sandbox/platform/accounts.py", "sandbox/platform/credentials.py"),
    }
