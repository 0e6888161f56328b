"""First guesses by the habits of other SDKs and of the platform's other clients: each works, or its error says what to
write, and no hint misleads.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import pickle
import re
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec, patch

import pytest

import interactor_client.models
import interactor_ext.webhooks
from interactor_client import hints
from interactor_client.api.assistants import Assistants, AsyncAssistants, list_assistants
from interactor_client.methods import RESOURCES
from interactor_client.models import Assistant
from interactor_client.types import Page, PageMeta
from interactor_ext import APIStatusError, AsyncInteractorClient, InteractorClient, ToolSet, reset_clients
from interactor_ext._engine.waiting.closer import close_later
from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import example
from interactor_ext.webhooks import CredentialExpiredEvent, WebhookRouter, WebhookVerifier
from tests.support.contract import platform_operations
from tests.support.waiting import collect_garbage

KEYS = {"client_id": "app_1", "client_secret": "s3cr3t"}
ROWS = [
    row.partition(" -> ")
    for row in Path(__file__).with_name("first_guesses.txt").read_text().splitlines()
    if row and not row.startswith("#")
]
TABLE = [(section, guess, hint) for section, found in hints.hints().items() for guess, hint in found.items()]


def get_time(zone: str) -> str:
    """The time."""
    return zone


def names(user: InteractorClient, sandbox: Sandbox) -> dict[str, Any]:
    """What the guesses are about: 25 assistants, a room with a message, and so on."""
    bot = [user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.") for _ in range(25)][-1]
    room = user.rooms.create(bot.id)
    found: dict[str, Any] = {**vars(interactor_ext), **vars(interactor_client.models), "sandbox": sandbox}
    for module in (interactor_ext, interactor_ext.webhooks):
        found |= {name: getattr(module, name) for name in module.__all__}
    found |= {"client": user, "user": user, "bot": bot, "room": room, "get_time": get_time, "Sandbox": Sandbox}
    found["Assistant"] = interactor_client.models.Assistant
    found["interactor_ext"] = interactor_ext
    found["tools"] = ToolSet()
    found["tool"] = user.tools.create(name="t", description="d", parameters={"type": "object"})
    found["message"] = user.messages.send(room.id, "Hi")
    found["page"] = user.assistants.list()
    found["verifier"] = WebhookVerifier("whsec_1")
    found["request"] = get_time  # anything that is no body
    found["response"] = list_assistants.sync_detailed(client=user.api)
    with pytest.raises(APIStatusError) as caught:
        user.rooms.get("none")
    return found | {"error": caught.value}


def said(code: str, names: dict[str, Any]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            exec(code, names)
    except Exception as error:
        return str(error)
    return ""


def test_each_guess_works_or_names_the_right_call(
    interactor_client: InteractorClient, interactor_sandbox: Sandbox
) -> None:
    found = names(interactor_client.namespace("user_1"), interactor_sandbox)
    guesses = [row for row in ROWS if not row[0].startswith("$")]
    outcomes = [
        (code, meant, said(code, {**found, "router": WebhookRouter(found["verifier"])})) for code, _, meant in guesses
    ]
    assert [row for row in outcomes if not (row[1] in row[2] if row[1] else row[2] == "")] == []
    assert len(guesses) > 400


def test_each_command_names_the_one_that_is_meant(
    subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]
) -> None:
    for code, meant in [(code, meant) for code, _, meant in ROWS if code.startswith("$")]:
        with subtests.test(code=code):
            assert main(code.split()[2:]) in (1, 2, 127)
            assert meant in " ".join(capsys.readouterr().err.split())


def test_no_hint_names_what_is_not_there() -> None:
    """Methods of resources, attributes of the class of a section, names of modules, and commands."""
    with InteractorClient(**KEYS) as client:
        methods = {f"{tag}.{method}" for tag in RESOURCES for method in dir(getattr(client, tag))}
    wrong = []
    for section, guess, hint in TABLE:
        text = hint.text
        called = re.findall(rf"(?<![\w/])({'|'.join(RESOURCES)})\.(\w+)\(", text)
        wrong += [(section, guess, text) for tag, method in called if f"{tag}.{method}" not in methods]
        if section == "imports" and hint.is_name:
            packages = (
                "interactor_ext",
                *(f"interactor_ext.{each}" for each in ("webhooks", "tokens", "retry", "sse")),
            )
            packages += tuple(f"interactor_ext.{each}" for each in ("telemetry", "transports", "limits", "relay"))
            packages += ("interactor_client.models", "interactor_client.types")
            if not any(text in importlib.import_module(each).__all__ for each in packages):
                wrong.append((section, guess, text))
        if section == "modules" and hint.is_name:
            importlib.import_module(text) if "django" not in text else None
    assert wrong == []


def test_commands_of_hints_exist(subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]) -> None:
    for text in sorted(
        {hint.text for section, _, hint in TABLE if section in ("commands", "webhooks") and hint.is_name}
    ):
        with subtests.test(text=text):
            command = re.fullmatch(r"interactor ([\w -]+?)(?:, .*)?", text)
            assert command is not None
            words = command[1].split()
            # Options are asked about first, so that none takes effect: one installs completion for the user's shell.
            assert main(["--help", *words] if "--" in text else [*words, "--help"]) == 0


def test_signatures_and_doubles_are_those_of_the_methods() -> None:
    assert list(inspect.signature(Assistants.list).parameters) == ["self", "page", "per_page"]
    assert inspect.iscoroutinefunction(AsyncAssistants.create)
    assert not inspect.iscoroutinefunction(AsyncAssistants.iterate)
    double = create_autospec(InteractorClient, instance=True)
    with pytest.raises(TypeError, match="limit"):
        double.assistants.list(limit=3)
    with pytest.raises(TypeError, match="answers"):
        double.chat("room_1", "Hi", answers=dict)
    with InteractorClient(**KEYS) as client:
        assert list(inspect.signature(client.chat).parameters)[:2] == ["room_id", "content"]
        assert not client.is_authenticated()


def test_name_that_is_only_asked_for_costs_no_advice() -> None:
    program = "import sys; from interactor_ext import ToolSet; hasattr(ToolSet(), 'definitions'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "interactor_client.advised" in done.stdout.split()
    assert "interactor_client.advice" not in done.stdout.split()
    with pytest.raises(AttributeError) as caught:
        ToolSet().definitions  # type: ignore[attr-defined] # noqa: B018
    assert str(pickle.loads(pickle.dumps(caught.value.args))[0]) == str(caught.value)
    assert "write .register(user)" in "".join(traceback.format_exception(caught.value))


def test_names_that_only_advise_are_not_completed() -> None:
    with InteractorClient(**KEYS) as client:
        for each in (client, interactor_client.models.Assistant(id="asst_1")):
            assert [name for name in dir(each) if not hasattr(each, name)] == []


def test_submodule_is_imported_in_the_old_way_too() -> None:
    assert __import__("interactor_ext.tools", fromlist=[""]).ToolSet is ToolSet


async def test_advice_for_a_coroutine_method_comes_with_await() -> None:
    async with AsyncInteractorClient(**KEYS) as client:
        create: Any = client.assistants.create
        with pytest.raises(TypeError, match=r"write assistants\.create\(name=\.\.\., model=\.\.\., system_prompt"):
            await create("Bot")


def test_page_that_is_not_the_last_warns_where_it_is_taken_for_all(interactor_client: InteractorClient) -> None:
    user = interactor_client.namespace("user_1")
    for _ in range(3):
        user.tools.create(name="t", description="d", parameters={"type": "object"})
    page, whole = user.tools.list(per_page=2), user.tools.list()
    for use in (list, len):
        with pytest.warns(
            RuntimeWarning, match=r"This page holds 2 of 3 items, .* `iterate` in place of `list`"
        ) as told:
            use(page)
        assert {each.filename for each in told} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (len(whole), len(list(whole)), bool(page), len(page.data)) == (3, 3, True, 2)
    assert repr(page).startswith(
        "Page(meta=PageMeta(page=1, per_page=2, total=3, total_pages=2, has_more=True), data=["
    )


def test_chat_that_is_never_entered_says_that_nothing_was_sent(interactor_client: InteractorClient) -> None:
    user = interactor_client.namespace("user_1")

    def drop() -> bool:
        user.chat("room_1", "Hi")
        collect_garbage()
        close_later((done := threading.Event()).set)  # the warning comes from the same thread, and before it
        return done.wait(60)

    with pytest.warns(RuntimeWarning, match=r"never entered, so nothing was sent: write `with user\.chat") as told:
        assert drop()
    assert [each.filename for each in told] == [__file__]
    with pytest.raises(RuntimeError, match="nothing was sent yet: enter the chat first"):
        user.chat("room_1", "Hi").text()


# The usage sections of the platform's other clients.

TRIES = Path(__file__).with_name("first_tries.txt").read_text()
SECTIONS: dict[str, str] = dict(re.findall(r"^\[(\w+)]\n(.+?)\n(?:\n|\Z)", TRIES, re.MULTILINE | re.DOTALL))
IMPORTS = """
from interactor_client.api.assistants import list_assistants
from interactor_ext import *
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookVerifier
"""


async def outcomes(section: str, names: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Runs the lines of a section one after the other: each, what its error should say, and what it says."""
    found = []
    for row in section.strip().splitlines():
        line, _, advice = row.partition(" -> ")
        said = ""
        try:
            code = compile(line, "first try", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if inspect.isawaitable(result):
                await result
        except (AttributeError, ImportError, TypeError) as error:
            said = str(error)
        found.append((line, advice, said))
    return found


@pytest.mark.parametrize("section", SECTIONS)
async def test_each_first_try_works_or_meets_advice(section: str, interactor_sandbox: Sandbox) -> None:
    names: dict[str, Any] = {}
    exec(IMPORTS, names)
    with InteractorClient() as client:
        async with AsyncInteractorClient() as twin:
            tried = twin if section == "PYTHON_ASYNC" else client
            found = await outcomes(SECTIONS[section], {**names, "client": tried, "user": tried.namespace("user_1")})
    reset_clients()
    assert [row for row in found if not (row[1] in row[2] if row[1] else row[2] == "")] == []


async def test_every_endpoint_function_names_the_api_of_a_client() -> None:
    with InteractorClient(**KEYS) as client:
        clients = {"sync": client.namespace("u"), "asyncio": AsyncInteractorClient(**KEYS).namespace("u")}
        for operation in platform_operations():
            module = importlib.import_module(f"interactor_client.api.{operation.tag}.{operation.id}")
            for name in ("sync", "sync_detailed", "asyncio", "asyncio_detailed"):
                function: Any = getattr(module, name, None)
                if function is None:
                    assert f"`{operation.tag}.stream` of a client does" in (module.__doc__ or "")
                    continue
                given = dict.fromkeys(inspect.signature(function).parameters, MagicMock())
                with pytest.raises(TypeError, match=r"InteractorClient: pass its \.api, as in client=user\.api"):
                    await function(**{**given, "client": clients[name.partition("_")[0]]})


def test_errors_keep_their_types_and_what_looks_names_up_finds_none() -> None:
    with InteractorClient(**KEYS) as client:
        for owner, name in (
            (client, "create_assistant"),
            (client.credentials, "revoke"),
            (Page([], PageMeta(1, 1, 0, 0, has_more=False)), "items"),
            (interactor_ext, "InteractorClientSync"),
        ):
            assert not hasattr(owner, name)
            assert getattr(owner, name, "default") == "default"
            with pytest.raises(AttributeError) as caught:
                getattr(owner, name)
            assert (type(caught.value), caught.value.name, caught.value.obj) == (AttributeError, name, owner)
        assert copy.copy(client.assistants)._sender is client.assistants._sender
        assert "create_assistant" not in dir(client)
        double = create_autospec(InteractorClient, instance=True)
        assert not hasattr(double, "create_assistant")
        with pytest.raises(AttributeError), patch.object(client, "create_assistant"):
            pass
    with pytest.raises(ImportError) as failed:
        exec("from interactor_ext import InteractorClientSync")
    assert (type(failed.value), failed.value.name) == (ImportError, "interactor_ext")
    assert str(failed.value.path).endswith("__init__.py")


def test_attribute_error_within_a_property_is_its_own() -> None:
    class Mine(InteractorClient):
        @property
        def tenant(self) -> str:
            return (None).strip()  # type: ignore[attr-defined, no-any-return]

    with Mine(**KEYS) as client, pytest.raises(AttributeError, match=r"^'NoneType' object has no attribute 'strip'$"):
        client.tenant  # noqa: B018


@pytest.mark.parametrize("expression", ["client.asistants", "client.assistants.crate"])
def test_python_says_itself_what_a_misspelt_attribute_may_be(expression: str) -> None:
    program = f"from interactor_ext import InteractorClient; client = InteractorClient(**{KEYS}); {expression}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    meant = {"client.asistants": "assistants", "client.assistants.crate": "create"}[expression]
    assert done.stderr.endswith(f"Did you mean: '{meant}'?\n")


def test_models_are_no_sequences_and_stay_what_they_were() -> None:
    for model in (example(Assistant), example(CredentialExpiredEvent)):
        with pytest.raises(TypeError, match="is not iterable"):
            iter(model)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="is not subscriptable: its fields are attributes, and to_dict"):
            model["nothing"]  # type: ignore[index]
        with pytest.raises(TypeError, match=r"is not subscriptable: write \.id$"):
            model["id"]  # type: ignore[index]
        assert pickle.loads(pickle.dumps(model)) == copy.deepcopy(model) == model


def test_nothing_that_advises_is_loaded_where_nothing_fails(interactor_sandbox: Sandbox) -> None:
    program = """
import copy, pickle, sys
from interactor_ext import InteractorClient, sse, webhooks
with InteractorClient() as client:
    page = client.namespace("user_1").assistants.list()
    copy.deepcopy(page), pickle.dumps(page), copy.copy(client.rooms), dir(client), repr(client)
    [getattr(client, name, None) for name in ("__deepcopy__", "_repr_html_", "_ipython_display_")]
print(*(name for name in sys.modules if name.endswith((".advice", "unsendable"))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
