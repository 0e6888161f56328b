"""First guesses by the habits of other SDKs: each works, or its error names the right call, and no hint misleads."""

from __future__ import annotations

import gc
import inspect
import pickle
import re
import subprocess
import sys
import threading
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

import interactor_client.models
import interactor_ext.webhooks
from interactor_client import advice
from interactor_client.api.assistants import Assistants, AsyncAssistants, list_assistants
from interactor_client.methods import RESOURCES
from interactor_ext import APIStatusError, AsyncInteractorClient, InteractorClient, ToolSet
from interactor_ext._engine.waiting.closer import close_later
from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier

ROWS = [
    row.partition(" -> ")
    for row in Path(__file__).with_name("first_guesses.txt").read_text().splitlines()
    if row and not row.startswith("#")
]
TABLES = [
    (package, section, guess, hint)
    for package in ("interactor_client", "interactor_ext")
    for section, hints in advice.hints(package).items()
    for guess, hint in hints.items()
]


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
    with InteractorClient(client_id="a", client_secret="b") as client:
        methods = {f"{tag}.{method}" for tag in RESOURCES for method in dir(getattr(client, tag))}
    wrong = []
    for _, section, guess, hint in TABLES:
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
            if not any(text in import_module(each).__all__ for each in packages):
                wrong.append((section, guess, text))
        if section == "modules" and hint.is_name:
            import_module(text) if "django" not in text else None
    assert wrong == []


def test_commands_of_hints_exist(subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]) -> None:
    for text in sorted(
        {hint.text for _, section, _, hint in TABLES if section in ("commands", "webhooks") and hint.is_name}
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
    with InteractorClient(client_id="a", client_secret="b") as client:
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
    with InteractorClient(client_id="a", client_secret="b") as client:
        for each in (client, interactor_client.models.Assistant(id="asst_1")):
            assert [name for name in dir(each) if not hasattr(each, name)] == []


def test_submodule_is_imported_in_the_old_way_too() -> None:
    assert __import__("interactor_ext.tools", fromlist=[""]).ToolSet is ToolSet


async def test_advice_for_a_coroutine_method_comes_with_await() -> None:
    async with AsyncInteractorClient(client_id="a", client_secret="b") as client:
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
        gc.collect()
        close_later((done := threading.Event()).set)  # the warning comes from the same thread, and before it
        return done.wait(60)

    with pytest.warns(RuntimeWarning, match=r"never entered, so nothing was sent: write `with user\.chat") as told:
        assert drop()
    assert [each.filename for each in told] == [__file__]
    with pytest.raises(RuntimeError, match="nothing was sent yet: enter the chat first"):
        user.chat("room_1", "Hi").text()
