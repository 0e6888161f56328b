"""What editors and the REPL show: completions with their docs, as jedi infers them, `dir()`, reprs and tracebacks."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pickle
import subprocess
import sys
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interactor_ext
from interactor_client.models import Assistant
from interactor_ext import AsyncInteractorClient, InteractorClient, NotFoundError

jedi = pytest.importorskip("jedi", reason="pip install --group test")

ROOT = Path(__file__).parents[2]
PUBLIC_MODULES = (
    "interactor_ext",
    *(
        f"interactor_ext.{name}"
        for name in (
            *("deprecation", "limits", "logs", "relay", "retry", "sandbox", "sse", "telemetry", "testing", "tokens"),
            *("tools", "transports", "webhooks", "webhooks.django"),
        )
    ),
)
# A program, with what is completed in place of the last name of a line as its comment.
LINES = [line.partition("  # ") for line in Path(__file__).with_name("editors.txt").read_text().splitlines()]
CODE = "\n".join(line for line, _, _ in LINES) + "\n"
EXPECTED = {line: set(names.split()) for line, _, names in LINES if names}


class Editor:
    def __init__(self) -> None:
        # A process of jedi's own reads compiled modules: in this one it infers less.
        project = jedi.Project(ROOT, environment_path=sys.prefix, added_sys_path=[str(ROOT)])
        self._script = jedi.Script(CODE, project=project)

    def _place(self, line: str) -> tuple[int, int]:
        return CODE.splitlines().index(line) + 1, len(line)

    def completions(self, line: str) -> dict[str, Any]:
        """The public names that are offered in place of the last name of the line, with what jedi says of them."""
        number, end = self._place(line)
        return {each.name: each for each in self._script.complete(number, end - 1) if not each.name.startswith("_")}

    def keywords(self, line: str) -> set[str]:
        offered = {each.name_with_symbols for each in self._script.complete(*self._place(line))}
        return {name for name in offered if name.endswith("=")}

    def signature(self, line: str) -> Any:
        (signature,) = self._script.get_signatures(*self._place(line))
        return signature


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor()


@pytest.mark.full
@pytest.mark.parametrize("line", EXPECTED)
def test_jedi_completes_the_public_surface(line: str, editor: Editor) -> None:
    assert EXPECTED[line] <= editor.completions(line).keys()


def test_jedi_completes_the_methods_of_a_resource_and_nothing_else_with_docs(editor: Editor) -> None:
    methods = editor.completions("user.assistants.x")
    assert methods.keys() == {"create", "delete", "ensure", "get", "iterate", "list", "update"}
    assert [name for name, each in methods.items() if not each.docstring(raw=True)] == []
    assert "Create an assistant." in methods["create"].docstring()


def test_jedi_completes_the_keywords_of_a_create_call_and_shows_their_docs(editor: Editor) -> None:
    expected = {"name=", "model=", "system_prompt=", "tools=", "data_sources=", "temperature=", "max_tokens="}
    assert editor.keywords("user.assistants.create(") == expected
    signature = editor.signature("user.assistants.create(")
    assert [each.name for each in signature.params][:3] == ["name", "model", "system_prompt"]
    assert "system_prompt: The assistant's instructions for every conversation." in signature.docstring()


def test_jedi_shows_the_docs_of_resources_and_of_attributes_of_models(editor: Editor) -> None:
    assert "Conversations with one assistant." in editor.completions("user.x")["rooms"].docstring()
    fields = editor.completions("    bot.x")
    undocumented = [each.name for each in Assistant.__attrs_attrs__ if not fields[each.name].docstring(raw=True)]
    assert undocumented == []
    assert "The language model" in fields["model"].docstring()


@pytest.fixture
def client() -> Iterator[InteractorClient]:
    with InteractorClient(client_id="app_1", client_secret="top-secret") as client:
        yield client


def test_dir_of_the_package_and_of_its_modules_shows_public_names_alone() -> None:
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        if "__dir__" in vars(module):  # a package whose names are lazy
            assert dir(module) == sorted(module.__all__)


def test_dir_of_a_client_shows_public_names_alone(client: InteractorClient) -> None:
    async_client = AsyncInteractorClient(client_id="app_1", client_secret="top-secret")
    for one in (client, client.namespace("user_1"), async_client):
        assert [name for name in dir(one) if name.startswith("_")] == []
        assert {"assistants", "namespace", "with_options", "is_closed"} <= set(dir(one))


def test_repr_of_a_resource_shows_the_namespace_and_no_secret(client: InteractorClient) -> None:
    user = client.namespace("user_1")
    url = client.config.core_api_url
    assert repr(user.rooms) == f"Rooms(core_api_url={url!r}, namespace='user_1')"
    assert repr(client.tools) == f"Tools(core_api_url={url!r})"
    async_client = AsyncInteractorClient(client_id="app_1", client_secret="top-secret", namespace="user_2")
    assert repr(async_client.rooms) == f"AsyncRooms(core_api_url={url!r}, namespace='user_2')"


def test_traceback_names_the_error_as_users_import_it() -> None:
    error = NotFoundError("No such room.")
    assert traceback.format_exception_only(error) == ["interactor_ext.NotFoundError: No such room.\n"]


def published() -> Iterator[tuple[str, str, Any]]:
    """The classes and functions of the public modules."""
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("interactor_ext"):
                yield name, public, value


def test_public_names_say_the_public_module_that_they_are_imported_from() -> None:
    """`lazy_names` sets that where a name is looked up; edit the package to list the name there."""
    wrong = [
        f"{module}.{name} says {value.__module__}"
        for module, name, value in published()
        if value.__module__ not in PUBLIC_MODULES or getattr(sys.modules[value.__module__], name, None) is not value
    ]
    assert wrong == []


def test_errors_say_their_public_module_where_nobody_has_looked_them_up() -> None:
    code = (
        "import interactor_ext._engine.errors as tree; print(*{each.__module__ for each in vars(tree).values()"
        " if isinstance(each, type) and issubclass(each, Exception)})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "interactor_ext\n"


def test_public_names_can_be_pickled_and_the_source_of_their_methods_is_found() -> None:
    for _, _, value in published():
        assert pickle.loads(pickle.dumps(value)) is value
        for member in vars(value).values():
            if inspect.isfunction(member) and inspect.unwrap(member).__code__.co_filename.startswith(str(ROOT)):
                assert inspect.getsource(member).strip()


def test_fields_of_public_records_keep_types_that_can_be_resolved() -> None:
    """pydantic and FastAPI resolve them, in the module that the class names."""
    records = [
        value
        for module, _, value in published()
        if module not in ("interactor_ext.sandbox", "interactor_ext.telemetry")  # for they are only read
        and (dataclasses.is_dataclass(value) or hasattr(value, "_fields"))
    ]
    assert {interactor_ext.Health, interactor_ext.InteractorConfig, interactor_ext.ResponseInfo} <= {*records}
    for record in records:
        assert typing.get_type_hints(record)
