"""Odd responses, from the tests of h11, llhttp, urllib3 and curl: how our transports read them, and how curl does.

`odd_responses.toml` is the table, and says what its columns mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import socket
import ssl
import subprocess
import termios
import threading
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from interactor_ext._engine.network.http1 import Exchange
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import Awaited, sync_and_async
from tests.support.scripted_server import Connection, Request, Server, http
from tests.transports.test_proxies_and_tls import tls_context_of, trusting

UPLOAD = b"x" * (1 << 20)


@dataclass(frozen=True)
class Row:
    name: str
    sends: str | list[str | dict[str, Any]]
    ours: str
    curl: str = ""
    why: str = ""
    then: str = "keep"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        parts = self.sends if isinstance(self.sends, list) else [self.sends]
        texts = (part if isinstance(part, str) else part["repeat"] * part["times"] for part in parts)
        return "".join(texts).encode("latin-1")

    @property
    def differs(self) -> bool:
        """Whether curl has another verdict. All errors are the same one."""
        return self.curl != self.ours and not (self.curl.startswith("error ") and self.ours.endswith("Error"))


TABLE = tomllib.loads((Path(__file__).parent / "odd_responses.toml").read_text())
VERSION_OF_CURL: str = TABLE.pop("version_of_curl")
ROWS = [Row(name, **{"curl": row["ours"], **row}) for name, row in TABLE.items()]


class ServerOfRow(Server):
    """Responds to /odd as the row says, in pieces of `size` bytes, and to any other request with `next`."""

    def __init__(self, row: Row, size: int = 1 << 20, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._row = row
        self._size = size
        self.served: list[Connection] = []
        """The connection of each request."""
        self.done = threading.Event()
        """Set once the server has sent the odd response and done with the connection what the row says."""

    def respond(self, connection: Connection, request: Request) -> bool:
        if request.target == "/odd":
            return request.method == "POST" or self.respond_oddly(connection)
        self.served.append(connection)
        connection.send(http(200, "next"))
        return True

    def received(self, connection: Connection, data: bytes) -> None:
        if data.startswith(b"POST"):
            self.respond_oddly(connection)

    def respond_oddly(self, connection: Connection) -> bool:
        self.served.append(connection)
        data, then = self._row.data, self._row.then
        if then == "stall":
            wait_for_full_buffers(connection.socket)
        try:
            with contextlib.suppress(OSError):  # many a client hangs up at the first wrong byte
                for start in range(0, len(data), self._size):
                    connection.send(data[start : start + self._size])
            if then == "half-close":
                connection.socket.shutdown(socket.SHUT_WR)
            elif then == "reset":
                connection.reset()
            if then in ("close", "reset"):
                connection.socket.close()
            elif then == "stall":
                self.done.set()
                self.closing.wait(60)
        finally:
            self.done.set()
        return then in ("keep", "half-close")


def wait_for_full_buffers(sock: socket.socket) -> None:
    """Until the client can send no more, as far as can be seen from here."""
    before = b""
    while before != (before := fcntl.ioctl(sock, termios.FIONREAD, bytes(4))):
        time.sleep(0.05)


def client_of(mode: str, verify: bool | ssl.SSLContext = True) -> Any:
    if mode == "sync":
        return Awaited(httpx.Client(transport=Transport(verify=verify, trust_env=False), timeout=60))
    return httpx.AsyncClient(transport=AsyncTransport(verify=verify, trust_env=False), timeout=60)


async def fetch(client: Any, method: str, url: str, headers: dict[str, str]) -> str:
    """The status and the body, or the error."""
    try:
        response = await client.request(method, url, content=UPLOAD if method == "POST" else None)
    except httpx.TransportError as error:
        return type(error).__name__
    assert {name: response.headers.get(name) for name in headers} == headers
    return f"{response.status_code} {response.content.decode('latin-1')}".rstrip()


async def outcome(mode: str, row: Row, server: ServerOfRow) -> str:
    """As in the table; with what the next request received, if it isn't the response to it."""
    async with client_of(mode) as client:
        found = await fetch(client, row.method, f"{server.url}/odd", row.headers)
        assert await asyncio.to_thread(server.done.wait, 60)
        later = await fetch(client, "GET", f"{server.url}/next", {})
    reused = ", reused" if server.served[0] is server.served[-1] else ""
    return f"{found}{reused}" if later == "200 next" else f"{found}{reused}, then {later}"


# One parser reads for both kinds of connections.
@pytest.mark.parametrize(
    ("way", "mode"), [("whole", "sync"), ("whole", "async"), ("in pieces", "async"), ("by h11 alone", "sync")]
)
def test_odd_response_has_the_outcome_of_the_table_and_the_next_request_its_own_response(
    way: str, mode: str, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    if way == "by h11 alone":
        monkeypatch.setattr("interactor_ext._engine.network.routes.ShortExchange", Exchange)

    for row in ROWS:
        size = 1 + len(row.data) // 1000 if way == "in pieces" else 1 << 20
        with subtests.test(row.name), ServerOfRow(row, size) as server:
            assert asyncio.run(outcome(mode, row, server)) == row.ours


PART = b"x" * (1 << 16)
TOO_LARGE = Row("413", "HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\nhello", "", then="close", method="POST")


def parts(server: ServerOfRow, then: str) -> Iterator[bytes]:
    if then == "close":
        assert server.done.wait(60)
    yield from [PART] * (1 << 7)  # more than fits into the buffers of two sockets


def slow_to_end(server: ServerOfRow) -> Iterator[bytes]:
    yield b"whole"
    assert server.done.wait(60)


async def in_task(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@sync_and_async
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("then", "content"), [("close", "iterator"), *product(["keep", "stall"], ["bytes", "iterator"])]
)
async def test_response_that_comes_during_an_upload_is_read_whatever_the_server_does_then(
    then: str, content: str, scheme: str, mode: str, authority: trustme.CA
) -> None:
    """It closes the connection, or reads on, or neither."""
    row = replace(TOO_LARGE, then=then)
    with ServerOfRow(row, tls=tls_context_of(authority) if scheme == "https" else None) as server:
        upload: Any = parts(server, then)
        if content == "bytes":
            upload = b"".join(upload)
        elif mode == "async":
            upload = in_task(upload)
        async with client_of(mode, trusting(authority)) as client:
            response = await client.post(f"{server.url}/odd", content=upload)
            assert (response.status_code, response.text) == (413, "hello")
            assert (await client.get(f"{server.url}/next")).text == "next"


async def test_response_that_comes_just_before_a_write_is_read_though_the_server_has_closed() -> None:
    with ServerOfRow(TOO_LARGE) as server:
        loop, may_respond, respond = asyncio.get_running_loop(), threading.Event(), server.respond_oddly
        server.respond_oddly = lambda connection: may_respond.wait(60) and respond(connection)  # type: ignore[method-assign]

        def let_it_respond() -> None:
            may_respond.set()
            assert server.done.wait(60)

        async def upload() -> AsyncIterator[bytes]:
            yield PART
            loop.call_soon(loop.call_soon, let_it_respond)
            yield PART

        async with client_of("async") as client:
            assert (await client.post(f"{server.url}/odd", content=upload())).status_code == 413


@sync_and_async
async def test_connection_is_reused_after_a_response_to_all_of_an_upload(mode: str) -> None:
    """The iterator ends only then, but has no more to say: the server knows the length."""
    row = Row("200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "")
    with ServerOfRow(row) as server:
        upload: Any = slow_to_end(server) if mode == "sync" else in_task(slow_to_end(server))
        async with client_of(mode) as client:
            await client.put(f"{server.url}/odd", content=upload, headers={"Content-Length": "5"})
            await client.get(f"{server.url}/next")
        assert server.accepted == 1


def verdict_of_curl(row: Row, folder: Path) -> str:
    """As in the table; with what the next request received, if it isn't the response to it."""
    options = {"HEAD": ["--head"], "POST": ["--data-binary", "@-", "--header", "Expect:"]}.get(row.method, [])
    (folder / "odd").write_bytes(b"")  # curl makes no file without a body
    with ServerOfRow(row) as server:

        def transfer(path: str, *options: str) -> list[str]:
            output = ["--output", str(folder / path), "--write-out", r"%{exitcode} %{response_code} %{num_connects}\n"]
            return ["--silent", "--noproxy", "*", *output, *options, f"{server.url}/{path}"]

        command = ["curl", "--disable", *transfer("odd", *options)]
        if row.then == "keep":  # otherwise it may notice too late that the server has closed the connection
            command += ["--next", *transfer("next")]
        run = subprocess.run(command, input=UPLOAD, capture_output=True, timeout=60)
    (code, status, _), *following = [line.split() for line in run.stdout.decode().splitlines()]
    body = "" if row.method == "HEAD" else (folder / "odd").read_bytes().decode("latin-1")
    found = "" if status == "000" else f"{int(status)} {body}".rstrip()
    if code != "0":
        found = f"error {code} after {found}".removesuffix(" after ")
    if following and following[0][2] == "0":
        found += ", reused"
    if following and (later := (folder / "next").read_bytes().decode()) != "next":
        found += f", then {later}"
    return found


@pytest.mark.full
def test_curl_has_the_verdicts_of_the_table(tmp_path: Path, subtests: pytest.Subtests) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout.split()[1]
    if not version.startswith(f"{VERSION_OF_CURL}."):
        pytest.skip(f"the table has the verdicts of curl {VERSION_OF_CURL}, and this is {version}")

    for row in ROWS:
        with subtests.test(row.name):
            assert verdict_of_curl(row, tmp_path) == row.curl


def test_table_says_why_where_curl_has_another_verdict() -> None:
    assert [row.name for row in ROWS if bool(row.why) != row.differs] == []
