"""`interactor docs`, and `interactor mcp` as the official client of the protocol sees it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("typer", reason="pip install typer rich")
pytest.importorskip("mcp", reason="pip install mcp")

from mcp import Client, StdioServerParameters, stdio_client

from interactor_ext.sandbox import Sandbox
from tests.support import llms, mistakes

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]
PAGES = re.findall(r"^- .+?\]\((.+?)\.html\)", llms.FILE.read_text(), re.MULTILINE)
WRONG_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("read_docs", {"page": "../../pyproject"}, "There is no page '../../pyproject'"),
    ("describe_operation", {"operation": "create_rom"}, "Did you mean create_room"),
    ("call_operation", {}, "operation: is missing"),
    ("call_operation", {"operation": "create_room"}, "Arguments are missing"),
    ("call_operation", {"operation": "create_room", "body": {"assistant_id": ""}}, "must not be empty"),
    ("call_operation", {"operation": "get_room", "parameters": {"room_id": ".."}}, "must not be '..'"),
    ("call_operation", {"operation": "stream_room", "parameters": {"room_id": "r"}}, "can't be called from here"),
    ("call_operation", {"operation": "create_token", "body": {}}, "can't be called from here"),
]


def test_all_pages_are_listed_in_the_order_of_the_site(shown_by: Callable[..., str]) -> None:
    listed = shown_by("docs")
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ")] == PAGES


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("retries deadline", "how-to/retries"),
        ("webhook", "how-to/webhooks"),
        ("RedisTokenStore", "how-to/go-live"),
        ("connecting account", "how-to/connect-accounts"),  # other forms of its words
        ("command line zzqx", "how-to/command-line"),  # no page has all of them
        ('"OR (command* line', "how-to/command-line"),
    ],
)
def test_words_find_a_page(words: str, page: str, shown_by: Callable[..., str]) -> None:
    shown = shown_by("docs", *words.split())
    assert page in [line.split()[0] for line in shown.splitlines() if line and not line[0].isspace()][:4]


@pytest.mark.parametrize("words", ["zzqx", "()"])
def test_words_of_no_page_are_an_error(words: str, shown_by: Callable[..., str]) -> None:
    assert f"No page contains {words!r}" in shown_by("docs", words, status=1)


def test_page_is_shown_whole(subtests: pytest.Subtests, shown_by: Callable[..., str]) -> None:
    for page in PAGES:
        with subtests.test(page=page):
            shown = shown_by("docs", page)
            assert ":::" not in shown
            assert "can't be imported" not in shown
            if not page.startswith("reference/"):
                text = (llms.DOCS / f"{page}.md").read_text()
                assert shown.strip() == text.replace('--8<-- "mistakes.txt"', mistakes.PAGE.read_text()).strip()


def serving(sandbox: Sandbox) -> Any:
    """The command in an environment with the credentials and URLs of another platform."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "interactor_ext.cli", "mcp"], env={**os.environ, **sandbox.env}
    )
    return Client(stdio_client(command))


def read(result: Any) -> Any:
    """The value of a tool; its error as text."""
    (block,) = result.content
    return block.text if result.is_error else json.loads(block.text)


async def test_assistant_calls_operations_on_the_sandbox_of_the_command_alone(sandbox: Sandbox) -> None:
    bot = {"name": "Bot", "model": "gpt-4", "system_prompt": "Be brief."}
    async with serving(sandbox) as server:
        made = read(await server.call_tool("call_operation", {"operation": "create_assistant", "body": bot}))["data"]
        one = {"operation": "get_assistant", "parameters": {"assistant_id": made["id"]}}
        assert read(await server.call_tool("call_operation", one))["data"]["name"] == "Bot"
        other = await server.call_tool("call_operation", {**one, "namespace": "user_2"})
        assert other.is_error
        assert "404 NOT_FOUND" in read(other)
        about = read(await server.call_tool("sandbox", {}))
        assert about["variables"].keys() == sandbox.env.keys()
        assert about["variables"]["INTERACTOR_CORE_API_URL"] != sandbox.core_api_url
        assert [each["status"] for each in about["requests"] if each["operation"] == "get_assistant"] == [200, 404]
        await server.call_tool("reset_sandbox", {})
        assert read(await server.call_tool("call_operation", one)).startswith("There is no assistant")
    assert list(sandbox.requests) == []


async def test_assistant_reads_contract_and_documentation_and_is_told_of_a_wrong_call(sandbox: Sandbox) -> None:
    async with serving(sandbox) as server:
        assert all(tool.description for tool in (await server.list_tools()).tools)
        found = read(await server.call_tool("search_docs", {"words": "call Google"}))
        assert found[0]["page"] == "how-to/connect-accounts"
        page = await server.call_tool("read_docs", {"page": "how-to/lists.md"})
        assert page.content[0].text == (llms.DOCS / "how-to" / "lists.md").read_text()  # type: ignore[union-attr]
        listed = {each["operation"]: each for each in read(await server.call_tool("list_operations", {}))}
        assert listed["create_room"]["resource"] == "rooms"
        described = read(await server.call_tool("describe_operation", {"operation": "create_room"}))
        assert described["body"]["required"] == ["assistant_id"]
        for tool, arguments, said in WRONG_CALLS:
            result = await server.call_tool(tool, arguments)
            assert result.is_error
            assert said in read(result)


def test_command_ends_with_its_input() -> None:
    command = [sys.executable, "-m", "interactor_ext.cli", "mcp"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
