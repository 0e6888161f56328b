"""The relay behind the proxies of the page of web frameworks, with what that page says and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.node import node
from tests.support.npm import npm_package
from tests.support.pages import DOCS, blocks
from tests.support.ports import free_port
from tests.support.programs import answers, nginx, running
from tests.support.relay_server import MOUNT, Page, RelayServer, text_of

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]
pytestmark = pytest.mark.full  # starts other servers

RECIPES = {block.title: block.code for block in blocks(DOCS / "how-to" / "chat-in-frameworks.md") if block.title}
VITE = "vite@8.4.0"


@contextmanager
def vite(recipe: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    modules = npm_package(request, VITE) / "node_modules"
    (folder / "node_modules").symlink_to(modules)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    (folder / "vite.config.js").write_text(recipe)
    (folder / "index.html").write_text("<!doctype html><title>Page</title>")
    origin = f"http://localhost:{(port := free_port())}"
    command = [node(), "node_modules/vite/bin/vite.js", "--port", str(port), "--strictPort"]
    with running(command, folder, lambda: answers(origin)):
        yield origin


PROXIES = {
    "nginx": (lambda recipe, folder, request: nginx(recipe, folder), "interactor.conf"),
    "Vite": (vite, "vite.config.js"),
}
# What people write first.
UNCURED = {"nginx": ("    proxy_set_header Host $http_host;\n", ""), "Vite": ("{ target: {} }", "{}")}


@pytest.mark.parametrize("name", PROXIES)
def test_page_behind_a_proxy_chats_as_the_recipe_says_and_is_told_why_without_it(
    start_relay: Callable[..., RelayServer],
    new_room: Callable[..., str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    relay, room = start_relay(), new_room()
    start, title = PROXIES[name]
    recipe = RECIPES[title].replace("http://127.0.0.1:8000", relay.origin)
    with (
        start(recipe, tmp_path, request) as origin,
        Page(origin + MOUNT, origin, "user_1", {}) as page,
        page.room_events(room) as stream,  # its head comes, though no event has
    ):
        assert page.say(room, "Hi there").status_code == 201
        assert text_of(stream.until("message.complete")) == "Bot here. You said: Hi there"
    assert "interactor.relay" not in {record.name for record in caplog.records}
    cure, without = (part.replace("{}", f'"{relay.origin}"') for part in UNCURED[name])
    assert cure in recipe
    folder = tmp_path / "uncured"
    folder.mkdir()
    with (
        start(recipe.replace(cure, without), folder, request) as origin,
        Page(origin + MOUNT, origin, "user_1", {}) as page,
    ):
        assert [page.say(room, "Hi").status_code for _ in range(2)] == [403, 403]
    [record] = [record for record in caplog.records if record.name == "interactor.relay"]
    assert f'"{origin}"' in record.getMessage()
    assert f'"{urlsplit(relay.origin).netloc}"' in record.getMessage()
