"""The relay behind the proxies of "Put a front-end server before the relay", with what that page says and without."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.node import node
from tests.support.npm import npm_package
from tests.support.pages import DOCS, blocks
from tests.support.ports import free_port
from tests.support.relay_server import MOUNT, Page, RelayServer, text_of
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]
pytestmark = pytest.mark.full  # starts other servers

RECIPES = {block.title: block.code for block in blocks(DOCS / "how-to" / "front-end-proxies.md") if block.title}
VITE = "vite@8.4.0"
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  {recipe}
}}
"""


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """While it answers."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually(answers, f"{command[0]} at {url}")
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def nginx(recipe: str, relay: RelayServer, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip("needs nginx (Debian package nginx)")
    port = free_port()
    recipe = recipe.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, recipe=recipe))
    origin = f"http://127.0.0.1:{port}"
    command = [path, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with running(command, folder, f"{origin}{MOUNT}/static/interactor-stream.js"):
        yield origin


@contextmanager
def vite(recipe: str, relay: RelayServer, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    modules = npm_package(request, VITE) / "node_modules"
    (folder / "node_modules").symlink_to(modules)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    (folder / "vite.config.js").write_text(recipe)
    (folder / "index.html").write_text("<!doctype html><title>Page</title>")
    origin = f"http://localhost:{(port := free_port())}"
    command = [node(), "node_modules/vite/bin/vite.js", "--port", str(port), "--strictPort"]
    with running(command, folder, origin):
        yield origin


PROXIES = {"nginx": (nginx, "interactor.conf"), "Vite": (vite, "vite.config.js")}
# What people write first.
UNCURED = {
    "nginx": ("    proxy_set_header Host $http_host;\n", ""),
    "Vite": ("{ target: {} }", "{}"),
}


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
        start(recipe, relay, tmp_path, request) as origin,
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
        start(recipe.replace(cure, without), relay, folder, request) as origin,
        Page(origin + MOUNT, origin, "user_1", {}) as page,
    ):
        assert [page.say(room, "Hi").status_code for _ in range(2)] == [403, 403]
    [record] = [record for record in caplog.records if record.name == "interactor.relay"]
    assert f'"{origin}"' in record.getMessage()
    assert f'"{urlsplit(relay.origin).netloc}"' in record.getMessage()
