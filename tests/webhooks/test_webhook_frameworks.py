"""The README's receivers under FastAPI, Flask and Django with real servers, and the bare ASGI and WSGI applications."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import sign
from tests.support.webhook_deliveries import SECRET, body_of

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

# Without a framework: `router` of the Flask recipe, as it is.
BARE = "from flask_recipe import router; asgi, wsgi = router.asgi, router.wsgi"
DJANGO_PROJECT = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
settings.configure(ROOT_URLCONF="django_recipe", ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
])
app = get_wsgi_application()
"""
UVICORN = [sys.executable, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--bind", "fd://{fd}", "--workers", "2", "--no-control-socket"]
# What is served, and the packages and the server that it takes.
RECEIVERS = {
    "FastAPI": (["fastapi"], [*UVICORN, "fastapi_recipe:app"]),
    "Flask": (["flask", "gunicorn"], [*GUNICORN, "flask_recipe:app"]),
    "Django": (["django", "gunicorn"], [*GUNICORN, "django_project:app"]),
    "ASGI alone": (["flask"], [*UVICORN, "bare:asgi"]),
    "WSGI alone": (["flask", "gunicorn"], [*GUNICORN, "bare:wsgi"]),
}
IN_QUICK_RUNS = {"FastAPI", "Django"}
PATH = "/webhooks/interactor"


def recipe(name: str) -> str:
    """The first Python block under the README's heading of that name."""
    found = re.search(rf"^#+ {name}\n.*?^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no recipe for {name}"
    return found[1]


class Receiver:
    """A server process that was started in a folder of its own, and what it printed."""

    def __init__(self, name: str, folder: Path, command: list[str]) -> None:
        self.name = name
        self._log = folder / "log"
        environment = os.environ | {
            "INTERACTOR_WEBHOOK_SECRET": SECRET,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        }
        # The server inherits it, so that nobody can take its port.
        with socket.create_server(("127.0.0.1", 0)) as listener, self._log.open("wb") as log:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self._process = subprocess.Popen(
                [part.format(fd=listener.fileno()) for part in command],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
            )
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def printed(self) -> str:
        return self._log.read_text()

    def deliver(self, body: bytes, secret: str = SECRET) -> httpx.Response:
        return self.client.post(PATH, content=body, headers=sign(body, secret, event="credential.expired"))

    def wait_until_it_answers(self) -> None:
        """Connections wait in the listening socket while the server starts, and fail if it exits."""
        try:
            self.client.get(PATH, timeout=60)
        except httpx.TransportError:
            pytest.fail(self.printed())

    def close(self) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in IN_QUICK_RUNS else pytest.mark.full) for name in RECEIVERS],
)
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    packages, command = RECEIVERS[request.param]
    for package in packages:
        pytest.importorskip(package, reason=f"needs the Python package {package} (pip install {package})")
    folder = tmp_path_factory.mktemp("r")
    for name in ("FastAPI", "Flask", "Django"):
        (folder / f"{name.lower()}_recipe.py").write_text(recipe(name))
    (folder / "django_project.py").write_text(DJANGO_PROJECT)
    (folder / "bare.py").write_text(BARE)
    receiver = Receiver(request.param, folder, command)
    try:
        receiver.wait_until_it_answers()
        yield receiver
    finally:
        receiver.close()


def expired(key: str, **changes: Any) -> bytes:
    return body_of("credential.expired", key, data={"credential_id": f"cred_{key}", "provider": "google"}, **changes)


def test_genuine_delivery_returns_200_and_runs_handler(receiver: Receiver) -> None:
    answer = receiver.deliver(expired("genuine"))
    assert (answer.status_code, answer.json()) == (200, {"status": "handled"})
    assert answer.headers["content-type"] == "application/json"
    assert "user_123 must reconnect cred_genuine" in receiver.printed()


def test_duplicate_delivery_runs_handler_once_across_workers(receiver: Receiver) -> None:
    body = expired("copy")
    answers = [receiver.deliver(body).json()["status"] for _ in range(8)]
    assert answers == ["handled"] + ["duplicate"] * 7
    assert receiver.printed().count("cred_copy") == 1


def test_forged_signature_returns_401(receiver: Receiver) -> None:
    answer = receiver.deliver(expired("forged"), secret="whsec_wrong")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_genuine")
    assert receiver.client.post(PATH, content=expired("forged")).status_code == 401
    assert "cred_forged" not in receiver.printed()


def test_raw_body_is_verified_under_any_content_type(receiver: Receiver) -> None:
    """A body that no serializer would write, with content types that frameworks parse."""
    body = expired("raw", extra="é\u2028").replace(b", ", b" ,\r\n\t").replace(b'"user_123"', '"usér_123"'.encode())
    for content_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain; charset=latin-1",
        "multipart/form-data",
    ):
        headers = sign(body, SECRET) | {"Content-Type": content_type}
        assert receiver.client.post(PATH, content=body, headers=headers).status_code == 200
    assert "usér_123 must reconnect cred_raw" in receiver.printed()


def test_chunked_body_is_handled(receiver: Receiver) -> None:
    if receiver.name == "Django":
        pytest.skip("Django reads no chunked body under WSGI, whatever the server")
    body = expired("chunked")
    chunks = (body[start : start + 50] for start in range(0, len(body), 50))
    answer = receiver.client.post(PATH, content=chunks, headers=sign(body, SECRET))
    assert answer.json() == {"status": "handled"}


def test_body_without_event_id_returns_400(receiver: Receiver) -> None:
    answer = receiver.deliver(b'{"event": "credential.expired"}')
    assert answer.status_code == 400


def test_get_returns_405(receiver: Receiver) -> None:
    assert receiver.client.get(PATH).status_code == 405


def test_body_over_limit_returns_413(receiver: Receiver) -> None:
    answer = receiver.client.post(PATH, content=b"x" * ((1 << 20) + 1), headers=sign(b"", SECRET))
    assert answer.status_code == 413


def test_malformed_signature_headers_return_401(receiver: Receiver) -> None:
    body = expired("hostile")
    genuine = sign(body, SECRET)
    for name, value in {
        "X-Interactor-Signature": b"\xff\xfe",
        "X-Interactor-Timestamp": b"1_700_000_000",
    }.items():
        headers = {key: text.encode() for key, text in genuine.items()} | {name: value}
        assert receiver.client.post(PATH, content=body, headers=headers).status_code == 401
    assert receiver.client.post(PATH, content=body, headers=genuine).json() == {"status": "handled"}


def test_sandbox_delivery_is_handled_and_rotated_secret_returns_401(receiver: Receiver) -> None:
    with Sandbox().run() as sandbox, sandbox.client() as client:
        user = client.namespace("user_123")
        webhook = user.webhooks.create(url=receiver.url + PATH, events=["credential.expired"], secret=SECRET)
        genuine = expire_a_credential(sandbox, user)
        user.webhooks.rotate_secret(webhook.id)
        forged = expire_a_credential(sandbox, user)
        sandbox.wait_for_deliveries(60)
        answers = {delivery.event["data"]["credential_id"]: delivery.status for delivery in sandbox.deliveries}
    assert answers == {genuine: 200, forged: 401}
    assert f"user_123 must reconnect {genuine}" in receiver.printed()
    assert forged not in receiver.printed()


def expire_a_credential(sandbox: Sandbox, user: Any) -> str:
    """The id of a credential that expired; the first delivery of that has been answered when this returns."""
    credential = sandbox.add_credential("google", namespace="user_123", expires_in=-1, refreshable=False)
    assert user.credentials.get(credential["id"]).status == "expired"
    sandbox.wait_for_deliveries(60)
    return str(credential["id"])
