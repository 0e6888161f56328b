"""The templates carry other APIs: two foreign documents are generated, type-checked and called, as in the guide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import generator
from tests.support.pages import DOCS, ROOT, blocks

generator.skip_without_generator()

SPECIFICATIONS = ROOT / "tests" / "support" / "foreign_specs"
GUIDE = {block.title: block.code for block in blocks(DOCS / "how-to" / "generate-your-own-client.md") if block.title}
URL = "https://shop.example.com/v1"
PETS = """
import asyncio

from interactor_ext import NotFoundError
from petstore_client.ready import AsyncPetstore, Petstore

URL = "https://shop.example.com/v1"

with Petstore(base_url=URL) as shop:
    shop.pets.create()
    (pet,) = shop.pets.show_by_id("7/7")
    print(pet.id, pet.name, pet.tag)
    print([pet.name for pet in shop.pets.list(limit=2)])
    try:
        shop.pets.list(2)  # type: ignore[call-arg]
    except TypeError as error:
        print(error)
    try:
        shop.pets.show_by_id("none")
    except NotFoundError as error:
        print(error.status)


async def main() -> None:
    async with AsyncPetstore(base_url=URL) as shop:
        print([pet.name for pet in await shop.pets.list()])


asyncio.run(main())
"""

pytestmark = pytest.mark.full


class Platform(BaseHTTPRequestHandler):
    """Answers both APIs from memory."""

    protocol_version = "HTTP/1.1"
    pets: ClassVar = [{"id": 1, "name": "Rex"}, {"id": 2, "name": "Tom"}, {"id": 3, "name": "Ada"}]
    books: ClassVar[dict[str, dict[str, Any]]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        match url.path.split("/")[1:]:
            case ["pets"]:
                self.answer(200, self.pets[: query.get("limit", 100)])
            case ["pets", "none"]:
                self.answer(404, {"code": 1, "message": "There is no such pet."})
            case ["pets", id_]:
                assert id_ == "7%2F7"
                self.answer(200, [{"id": 7, "name": "Kit", "tag": "cat"}])
            case ["books"]:
                end = query["page"] * query["per_page"]
                found = list(self.books.values())
                meta = {"page": query["page"], "has_more": end < len(found)}
                self.answer(200, {"data": found[end - query["per_page"] : end], "meta": meta})
            case ["books", isbn] if isbn in self.books:
                self.answer(200, {"data": self.books[isbn]})
            case _:
                self.answer(404, {"title": "There is no such book."})

    def do_POST(self) -> None:
        if self.path == "/pets":
            self.answer(201, None)
        else:
            book = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Branch"] == "Bath"
            self.books[book["isbn"]] = {**book, "added_at": "2026-05-01T12:00:00Z"}
            self.answer(201, {"data": self.books[book["isbn"]]})

    def do_DELETE(self) -> None:
        del self.books[self.path.rpartition("/")[2]]
        self.answer(204, None)

    def answer(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    Platform.books.clear()
    for number in range(3):
        isbn = str(number)
        Platform.books[isbn] = {"isbn": isbn, "title": f"Volume {number}", "added_at": "2025-01-15T10:00:00Z"}
    with ThreadingHTTPServer(("127.0.0.1", 0), Platform) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def run(folder: Path, *command: str, python: str | Path = sys.executable) -> str:
    ended = subprocess.run(
        [python, *command], cwd=folder, env={**os.environ, "NO_PROXY": "*"}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def generate(folder: Path, api: str) -> None:
    command = [
        str(ROOT / "generator-templates" / "generate.py"),
        "--specification",
        str(SPECIFICATIONS / f"{api}.yaml"),
    ]
    run(folder, *command, "--output", f"{api}_client", python=generator.PYTHON)
    run(folder, *command, "--output", f"{api}_client", "--check", python=generator.PYTHON)
    assert {path.name for path in folder.iterdir()} == {f"{api}_client"}


NO_TOKEN = """
from interactor_ext import ConfigurationError

try:
    Bookshop(token=None)  # type: ignore[arg-type]
except ConfigurationError as error:
    print(error)
"""
BOUGHT = """\
2026 Pride and Prejudice
['Volume 0', 'Volume 1', 'Volume 2', 'Pride and Prejudice']
404 There is no such book.
['Volume 0', 'Volume 1'] True
token is missing: pass the keyword token
"""
SHOWN = """\
7 Kit cat
['Rex', 'Tom']
Pets.list() takes 1 positional argument but 2 were given: write client.pets.list(limit=...)
404
['Rex', 'Tom', 'Ada']
"""


@pytest.mark.parametrize(
    ("api", "program", "printed"),
    [("bookshop", GUIDE["buy.py"] + NO_TOKEN, BOUGHT), ("petstore", PETS, SHOWN)],
)
def test_package_of_a_foreign_document_is_typed_and_calls_its_server(
    tmp_path: Path, api: str, program: str, printed: str
) -> None:
    generate(tmp_path, api)
    with serving() as url:
        (tmp_path / "program.py").write_text(program.replace(URL, url))
        assert run(tmp_path, "program.py") == printed
    cache = str(tmp_path.parent / "mypy_cache")  # for both: most of what it reads is httpx
    run(tmp_path, "-m", "mypy", "--strict", "--cache-dir", cache, f"{api}_client", "program.py")


def test_specification_without_output_is_refused(tmp_path: Path) -> None:
    command = [generator.PYTHON, str(ROOT / "generator-templates" / "generate.py"), "--specification", "openapi.yaml"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "--specification needs --output" in refused.stderr


def test_error_of_the_guide_is_the_one_of_its_document(tmp_path: Path) -> None:
    text = (SPECIFICATIONS / "bookshop.yaml").read_text().splitlines()
    text[79] = text[79].replace("properties", "propertys")
    (tmp_path / "bookshop.yaml").write_text("\n".join(text))
    command = [str(ROOT / "generator-templates" / "generate.py"), "--specification", "bookshop.yaml", "--output", "out"]
    refused = subprocess.run([generator.PYTHON, *command], cwd=tmp_path, capture_output=True, text=True)
    page = (DOCS / "how-to" / "generate-your-own-client.md").read_text()
    assert f"```text\n{refused.stderr.splitlines()[0]}\n```" in page
