"""A client of the sandbox that validates every response against openapi.json, independently of the sandbox's own code.

It reads the document itself and follows its references with `referencing`, so a mistake in how the sandbox reads the
contract can't hide itself.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from interactor_ext.sandbox import Sandbox
from tests.support import patient

DOCUMENT: dict[str, Any] = json.loads(files("interactor_client").joinpath("openapi.json").read_text())
REGISTRY: Registry[Any] = Registry().with_resource("urn:contract", DRAFT202012.create_resource(DOCUMENT))
METHODS = {"get", "post", "patch", "delete"}
RATE_LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")

OPERATIONS: dict[str, tuple[str, re.Pattern[str], dict[str, Any]]] = {
    operation["operationId"]: (
        method.upper(),
        re.compile(
            ("/auth/api/v1" if "servers" in item else "/api/v1") + re.sub(r"\{\w+\}", "[^/]+", path).replace(".", r"\.")
        ),
        operation,
    )
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def check(name: str, value: Any) -> None:
    """Fails unless a value fits a schema of the contract."""
    validator = Draft202012Validator(
        {"$ref": f"urn:contract#/components/schemas/{name}"}, registry=REGISTRY, format_checker=FormatChecker()
    )
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)] == []


def check_event(family: str, discriminator: str, event: dict[str, Any]) -> None:
    """Fails unless an event fits the one schema of its family that is meant for it."""
    names = [
        name
        for name, schema in DOCUMENT["components"]["schemas"].items()
        if schema.get("x-event-family") == family
        and schema["properties"][discriminator].get("const") == event[discriminator]
    ]
    assert len(names) == 1, event
    check(names[0], event)


def check_response(response: httpx.Response) -> None:
    """Fails unless the contract documents this response, with the envelope and the headers that it promises."""
    request_id = response.headers["x-request-id"]
    assert request_id.startswith("req_")
    assert all(response.headers[name].isdigit() for name in RATE_LIMIT_HEADERS)
    assert response.headers["x-ratelimit-scope"] in {"client", "namespace", "streaming", "oauth"}
    operation = next(
        (
            operation
            for method, path, operation in OPERATIONS.values()
            if method == response.request.method and path.fullmatch(response.request.url.path)
        ),
        None,
    )
    if response.is_error:
        body = response.json()
        check("ErrorResponse", body)
        assert body["error"]["request_id"] == request_id
    if operation is None:
        assert response.status_code in {404, 405}
        return
    documented = operation["responses"]
    spec = documented.get(str(response.status_code), documented["default"])
    if response.is_error:
        return
    assert str(response.status_code) in documented
    content = spec.get("content", {})
    if "application/json" in content:
        assert response.headers["content-type"] == "application/json"
        check(content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1], response.json())
    elif not content:
        assert response.content == b""


class Caller(httpx.Client):
    """Speaks for one namespace; checks every response that is read completely."""

    def __init__(self, sandbox: Sandbox, namespace: str | None = "user_1", *, token: str | None = None) -> None:
        self.sandbox = sandbox
        headers = {b"authorization": f"Bearer {token or fetch_token(sandbox)}".encode()}
        if namespace is not None:
            headers[b"x-namespace"] = namespace.encode()
        super().__init__(base_url=sandbox.core_api_url, headers=headers, timeout=60, event_hooks={"response": [_check]})

    def make(self, path: str, **body: Any) -> dict[str, Any]:
        """POST and return the data; fails unless it was a success."""
        response = self.post(path, json=body)
        assert response.is_success, response.text
        return dict(response.json()["data"])

    def read(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def assistant(self, **fields: Any) -> dict[str, Any]:
        return self.make("/assistants", **{"name": "Bot", "model": "gpt-4", "system_prompt": "Help.", **fields})

    def room(self, **fields: Any) -> dict[str, Any]:
        return self.make("/rooms", assistant_id=self.assistant(**fields)["id"])

    def tool(self, name: str = "t", **fields: Any) -> dict[str, Any]:
        return self.make("/tools", **{"name": name, "description": "A tool.", "parameters": {}, **fields})

    def room_with_tools(self, *names: str, **fields: Any) -> dict[str, Any]:
        return self.room(tools=[self.tool(name, **fields)["id"] for name in names])

    def say(self, room: dict[str, Any], content: str, **fields: Any) -> dict[str, Any]:
        return self.make(f"/rooms/{room['id']}/messages", content=content, **fields)

    def messages(self, room: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self.read(f"/rooms/{room['id']}/messages"))

    def submit(self, room: dict[str, Any], call: dict[str, Any], result: Any) -> dict[str, Any]:
        return self.make(f"/rooms/{room['id']}/tool-results", tool_call_id=call["id"], result=result)

    def start(self, *states: dict[str, Any], **context: Any) -> dict[str, Any]:
        """An instance of a new workflow of these states, by default of one that waits for input."""
        workflow = self.make("/workflows", **workflow_of(*states or WAITING))
        return self.make("/workflow-instances", workflow_id=workflow["id"], context=context)


END = {"name": "end", "type": "terminal"}
WAITING = ({"name": "ask", "type": "halting", "transitions": [{"to": "end"}]}, END)


def workflow_of(*states: dict[str, Any]) -> dict[str, Any]:
    return {"name": "W", "initial_state": states[0]["name"], "states": list(states)}


def seed_file(folder: Path, seed: Any) -> Path:
    file = folder / "seed.json"
    file.write_text(seed if isinstance(seed, str) else json.dumps(seed))
    return file


def credentials_of(sandbox: Sandbox) -> dict[str, str]:
    return {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}


def _check(response: httpx.Response) -> None:
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return
    response.read()
    check_response(response)


def fetch_token(sandbox: Sandbox, **fields: str) -> str:
    response = ask_for_token(sandbox, **fields)
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["access_token"])


def ask_for_token(sandbox: Sandbox, **fields: Any) -> httpx.Response:
    body = {"grant_type": "client_credentials", **credentials_of(sandbox), **fields}
    response = patient.post(f"{sandbox.account_server_url}/oauth/token", json=body)
    check_response(response)
    return response


def revoke(sandbox: Sandbox, token: str, **fields: str) -> httpx.Response:
    body = {"token": token, **credentials_of(sandbox), **fields}
    response = patient.post(f"{sandbox.account_server_url}/oauth/revoke", json=body)
    check_response(response)
    return response


def control_url(sandbox: Sandbox) -> str:
    return sandbox.core_api_url.replace("/api/v1", "/_sandbox")


def problem(response: httpx.Response, status: int, code: str) -> dict[str, str]:
    """The fields that an error response complains about, after checking its status and code."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    return {detail["field"]: detail["message"] for detail in error.get("details", ())}


def waiting_replies(sandbox: Sandbox, room_id: str) -> int:
    """How many replies are waiting in a room for the current one."""
    lock = sandbox._state.locks.get(room_id)
    # The API doesn't show it, because those that wait have written nothing yet.
    return 0 if lock is None else len(getattr(lock, "_waiters", None) or ())


class Listener:
    """Reads a stream in a separate thread, starting when the server has subscribed it."""

    def __init__(self, caller: Caller, path: str, **options: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.ids: list[int] = []
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._news = threading.Condition()
        self._response = caller.send(caller.build_request("GET", path, timeout=60, **options), stream=True)
        assert self._response.status_code == 200
        assert self._response.headers["x-request-id"].startswith("req_")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def until(self, event_type: str) -> list[dict[str, Any]]:
        """All events so far, once one of this type has come."""
        with self._news:
            assert self._news.wait_for(lambda: any(each["type"] == event_type for each in self.events), 60), self.events
            return list(self.events)

    def end(self) -> list[dict[str, Any]]:
        """All events, once the server has ended the stream."""
        assert self.ended.wait(60)
        return self.events

    def until_line(self, line: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: line in self.lines, 60), self.lines

    def close(self) -> None:
        """Disconnect like a client whose process is killed."""
        stream = self._response.extensions["network_stream"]
        # The server may have been first.
        with suppress(OSError):
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._response.close()

    def _read(self) -> None:
        try:
            for line in self._response.iter_lines():
                with self._news:
                    self._take(line)
                    self._news.notify_all()
        except httpx.TransportError:
            pass
        self.ended.set()

    def _take(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("id: "):
            self.ids.append(int(line[4:]))
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            if event["type"] != "done":
                check_event("StreamEvent", "type", event)
            self.events.append(event)


@contextmanager
def sandbox_process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The sandbox in its own process, and the URL of its Core API. Its output includes its log."""
    command = [sys.executable, "-m", "interactor_ext.sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield process, found[0]
        finally:
            process.kill()


def connect(core: str) -> httpx.Client:
    """A client of a `sandbox_process`."""
    body = {"grant_type": "client_credentials", "client_id": "sandbox_client", "client_secret": "sandbox_secret"}
    answer = patient.post(core.replace("/api/v1", "/auth/api/v1/oauth/token"), json=body)
    token = answer.json()["data"]["access_token"]
    return patient.Client(base_url=core, headers={"authorization": f"Bearer {token}", "x-namespace": "user_1"})


@contextmanager
def listening(caller: Caller, path: str, **options: Any) -> Iterator[Listener]:
    listener = Listener(caller, path, **options)
    try:
        yield listener
    finally:
        listener.close()
